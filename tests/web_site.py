"""A real web site on loopback for tests: it says what it is told to say, and remembers who asked."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from builders import PARAGRAPH

from include.documents import Documents
from include.settings import Settings
from include.sources import Crawl, crawl
from include.web import Web, open_web
from include.wire import Refused
from ml.types import Author, Source

MAREN = Author("maren-oduya", "Maren Oduya", ("maren@oduya.example",))

Special = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """Pages by path: text, bytes, a status, or a function that answers by itself."""

    url: str = ""
    pages: dict[str, str | bytes | int | Special] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    # Where whoever crawls it may keep things.
    folder: Path = Path()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked if path != "/robots.txt"]


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        path = self.path
        self.site.asked.append((path, dict(self.headers)))
        said = self.site.pages.get(path, 404)
        if callable(said):
            said(self)
        elif isinstance(said, int):
            self._send(said, b"", self.site.headers.get(path, {}))
        else:
            self._page(said if isinstance(said, bytes) else said.encode(), path)

    def _page(self, body: bytes, path: str) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        given = {"Content-Type": "text/html; charset=utf-8", **self.site.headers.get(path, {})}
        if self.headers.get("If-None-Match") == tag:
            self._send(304, b"", {"ETag": tag})
        else:
            self._send(200, body, {"ETag": tag, **given})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@contextmanager
def in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer beside the test, for as long as it is needed."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def site_running() -> Iterator[Site]:
    """Run a site for as long as it is needed."""
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    with TemporaryDirectory() as folder, in_thread(server):
        site.folder = Path(folder)
        yield site


def world(site: Site, settings: Settings | None = None, **changes) -> Settings:
    """Make settings that may crawl a site, at once."""
    values = {"crawl_allow_hosts": site.host, "crawl_delay": 0.0, "crawl_timeout": 10.0, **changes}
    return (settings or Settings(data_dir=site.folder)).model_copy(update=values)


def web(site: Site, **changes) -> Web:
    """Open the web with nothing remembered."""
    return open_web(world(site, **changes), None)


def refusal(reader: Web, url: str) -> Refused:
    """Return why a page was refused; every refusal is a sentence."""
    with pytest.raises(Refused) as raised:
        reader.get(url)
    assert len(str(raised.value)) > 20
    return raised.value


def article(name: str, head: str = "", text: str = PARAGRAPH * 3) -> str:
    """Write the page of an article."""
    return (
        f"<html lang='en'><head><title>{name}</title>{head}</head><body><nav>Home</nav>"
        f"<article><h1>{name}</h1><p>{text}This is {name}.</p></article></body></html>"
    )


def blog(site: Site, kind: str = "feed", path: str = "/feed.xml", **options: str) -> Source:
    """Name a site, or some of its pages, as a source."""
    where = " ".join(site.url + part for part in path.split())
    return Source("blog", MAREN, kind, where, "yes, 2026", options)


def visit(
    site: Site, settings: Settings, documents: Documents, place: Source | None = None
) -> Crawl:
    """Crawl once as the pipeline does: what is found is stored, what is gone gets its tombstone."""
    changes = {"crawl_allow_hosts": site.host, "crawl_delay": 0.0, "crawl_timeout": 10.0}
    site.asked.clear()
    found = crawl(settings.model_copy(update=changes), place or blog(site), documents)
    documents.put(found.documents)
    documents.reject(found.rejected, datetime.now(UTC))
    documents.mark_gone(found.gone, datetime.now(UTC))
    return found
