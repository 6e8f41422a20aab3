"""A small OpenAI-compatible server on loopback for tests: real HTTP, answers by a function, faults on demand."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class LlmServer:
    """What it says to a request's body, how it fails first, the page it shows, and what it was asked."""

    says: Callable[[dict[str, Any]], str]
    url: str = ""
    failures: list[int] = field(default_factory=list)
    knows_forms: bool = True
    page: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    server_of: LlmServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.server_of
        known.asked.append(body)
        known.keys.append(self.headers.get("Authorization", ""))
        if known.failures:
            self._send(known.failures.pop(0), {"error": {"message": "not now"}})
        elif "response_format" in body and not known.knows_forms:
            self._send(400, {"error": {"message": "response_format is not supported"}})
        elif known.page is not None:
            self._send(200, known.page)
        else:
            self._send(200, _completion(body, known.says(body)))

    def _send(self, status: int, body: dict[str, Any] | str) -> None:
        is_page = isinstance(body, str)
        raw = body.encode() if is_page else json.dumps(body).encode()
        kind = "text/html" if is_page and "<" in body else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


def _completion(body: dict[str, Any], said: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": said}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


@contextmanager
def llm_server(says: Callable[[dict[str, Any]], str]) -> Iterator[LlmServer]:
    """Run one; its address is in `url`."""
    known = LlmServer(says)
    handler = type("Handler", (_Handler,), {"server_of": known})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()
