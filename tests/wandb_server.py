"""A stand-in for W&B's server on loopback for tests: real HTTP, spoken to by W&B's own client and its `wandb sync`.

It is not W&B. It keeps what the client sends and answers only what the client asks for on its way:
GraphQL, the file stream, uploads. What the real server makes of it (its checks, its pages) is not
here. A question that it does not know is kept in `unknown` and answered with an error.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from web_site import in_thread

ENTITY = "somebody"
Answer = dict[str, Any]


@dataclass
class Artifact:
    """One version of an artifact; its manifest is among its files."""

    name: str
    kind: str
    digest: str
    committed: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class KeptRun:
    """One run: what it was opened with, its stream line by line, its files, what it used and made."""

    told: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None
    used: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)

    @property
    def config(self) -> dict[str, Any]:
        """Return what tells the run from others, without W&B's own notes."""
        told = json.loads(self.told.get("config") or "{}")
        return {name: v["value"] for name, v in told.items() if name != "_wandb"}

    @property
    def history(self) -> list[dict[str, Any]]:
        """Return every point of the curves, and what else was logged, in order."""
        return self._stream("wandb-history.jsonl")

    @property
    def summary(self) -> dict[str, Any]:
        """Return the numbers that the list of runs shows."""
        return self._stream("wandb-summary.json")[-1]

    def _stream(self, file: str) -> list[dict[str, Any]]:
        return [json.loads(line) for _, line in sorted(self.lines.get(file, {}).items())]


@dataclass
class WandbServer:
    """What it holds, which key it wants, and the status that it fails with while one is set."""

    url: str = ""
    key: str = "0123456789" * 4
    failing: int = 0
    runs: dict[str, KeptRun] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def run(self, name: str) -> KeptRun:
        """Find a run by the name that people see."""
        (found,) = [r for r in self.runs.values() if r.told["displayName"] == name]
        return found

    def sync(self, *runs: Path) -> None:
        """Send runs as the README says, by W&B's own command."""
        command = [sys.executable, "-m", "wandb", "sync", "--include-online", *map(str, runs)]
        subprocess.run(command, capture_output=True, check=True, timeout=60)

    def stream(self, run: KeptRun, told: Answer) -> None:
        """Keep a piece of a run's stream; what is sent again takes its old place."""
        for name, piece in told.get("files", {}).items():
            numbered = enumerate(piece["content"], piece["offset"])
            run.lines.setdefault(name, {}).update(numbered)
        if told.get("complete"):
            run.exit_code = told["exitcode"]

    def answer(self, question: str, given: Answer) -> Answer | None:
        """Answer a GraphQL question by its name; None for one that is not known."""
        known = getattr(self, f"_{question}", None)
        return known(given) if known else None

    def _ServerFeaturesQuery(self, given: Answer) -> Answer:
        return {"serverInfo": {"features": []}}

    def _UpsertBucket(self, given: Answer) -> Answer:
        name = given["name"]
        new = name not in self.runs
        told = self.runs.setdefault(name, KeptRun()).told
        told |= {k: v for k, v in given.items() if v is not None}
        project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": ENTITY}}
        bucket = {"id": name, "name": name, "displayName": told["displayName"], "project": project}
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def _CreateRunFiles(self, given: Answer) -> Answer:
        run = given["run"]
        files = [{"name": f, "uploadUrl": self._place("runs", run, f)} for f in given["files"]]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    def _CreateArtifact(self, given: Answer) -> Answer:
        told = given["input"]
        name, kind, digest = (
            told[k] for k in ("artifactCollectionName", "artifactTypeName", "digest")
        )
        # As at W&B, the same content is the same version, whoever brings it.
        version = f"{name}:{digest}"
        kept = self.artifacts.setdefault(version, Artifact(name, kind, digest))
        if told["runName"]:
            self.runs[told["runName"]].made.add(version)
        state = "COMMITTED" if kept.committed else "PENDING"
        return {"createArtifact": {"artifact": {"id": version, "state": state}}}

    def _CreateArtifactManifest(self, given: Answer) -> Answer:
        url = self._place("artifacts", given["artifactID"], given["name"])
        file = {"id": "f", "uploadUrl": url, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    def _CreateArtifactFiles(self, given: Answer) -> Answer:
        edges = []
        for file in given["input"]["artifactFiles"]:
            version, name = file["artifactID"], file["name"]
            url = self._place("artifacts", version, name)
            node = {"storagePath": name, "uploadUrl": url, "artifact": {"id": version}}
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _CommitArtifact(self, given: Answer) -> Answer:
        version = given["artifactID"]
        self.artifacts[version].committed = True
        digest = self.artifacts[version].digest
        return {"commitArtifact": {"artifact": {"id": version, "digest": digest}}}

    def _UseArtifact(self, given: Answer) -> Answer:
        told = given["input"]
        self.runs[told["runName"]].used.add(told["artifactID"])
        return {"useArtifact": {"artifact": {"id": told["artifactID"]}}}

    def _place(self, *parts: str) -> str:
        """Name the address that a file is to be put to."""
        return "/".join([self.url, "put", *(quote(p, safe="") for p in parts)])


class _Handler(BaseHTTPRequestHandler):
    server_of: WandbServer

    def do_POST(self) -> None:
        known, body = self.server_of, self._body()
        if self.path.startswith("/sdk/"):
            self._send(200, {})  # how the client itself is doing
        elif not self._refused(with_key=True):
            self._answer(known, json.loads(body))

    def do_PUT(self) -> None:
        body = self._body()
        if not self._refused():
            sort, owner, name = map(unquote, self.path.split("/")[2:])
            getattr(self.server_of, sort)[owner].files[name] = body
            self._send(200, {})

    def _answer(self, known: WandbServer, told: Answer) -> None:
        question = told.get("operationName", "")
        if self.path.endswith("/file_stream"):
            known.stream(known.runs[self.path.split("/")[4]], told)
            self._send(200, {})
        elif (said := known.answer(question, told.get("variables") or {})) is not None:
            self._send(200, {"data": said})
        else:
            known.unknown.append(told["query"])
            self._send(400, {"errors": [{"message": f"{question} is not known here"}]})

    def _refused(self, *, with_key: bool = False) -> bool:
        known = self.server_of
        wanted = "Basic " + base64.b64encode(f"api:{known.key}".encode()).decode()
        wrong = with_key and self.headers.get("Authorization") != wanted
        if known.failing or wrong:
            message = "not now" if known.failing else "who are you?"
            self._send(known.failing or 401, {"errors": [{"message": message}]})
        return bool(known.failing or wrong)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, body: Answer) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


@contextmanager
def wandb_server(home: Path) -> Iterator[WandbServer]:
    """Run one, and let W&B's client find it and its key in the environment; `home` is the user's home meanwhile."""
    import wandb

    known = WandbServer()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": known})
    )
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_port}"
    home.mkdir()
    with in_thread(server), pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_BASE_URL", known.url)
        patch.setenv("WANDB_API_KEY", known.key)
        patch.setenv("HOME", str(home))
        # The client reads the environment once.
        wandb.teardown()
        yield known
        wandb.teardown()
