"""A Hugging Face hub on loopback: repositories of small models, told in the protocol that the hub's own client reads.

Commits, listings, small files as they are, large ones behind a redirect to another host that may not see the
token, parts of files, and what is wrong said in the headers of an error. It remembers who asked for what, and can
cut a file off or send too little of it.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from web_site import in_thread

from include.settings import ROOT

TOKEN = "hf_" + "loopback" * 4
LARGE = (".safetensors", ".bin", ".pt", ".h5")
INFO = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+?)(?:/revision/(?P<revision>[^/]+))?")
TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)")
FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
STORE = re.compile(r"/store/(?P<sha>[0-9a-f]{64})/(?P<file>[^/]+)")
UNKNOWN = "RepoNotFound", "Repository not found"


@dataclass
class Repository:
    """The files of every commit, the newest last; a gated one shows what it has, and gives it to who has a token."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: bool = False


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Hub:
    """Repositories by name, what was asked, and what goes wrong by the name of a file."""

    port: int = 0
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    # After how many bytes of a file each answer in turn breaks off; the next one is whole.
    cut: dict[str, list[int]] = field(default_factory=dict)
    # By how many bytes less than was promised a file is sent.
    short: dict[str, int] = field(default_factory=dict)
    # Files that come in the promised size, but for their last byte.
    spoilt: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(
        self,
        name: str,
        folder: Path,
        more: Mapping[str, bytes] | None = None,
        *,
        gated: bool = False,
    ) -> str:
        """Commit a folder to a repository, with more files by name; returns the commit."""
        files = {
            p.relative_to(folder).as_posix(): p.read_bytes()
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        }
        files |= more or {}
        repository = self.repositories.setdefault(name, Repository(gated=gated))
        said = "".join(f"{n} {_blob(content)}" for n, content in files.items())
        commit = hashlib.sha1(said.encode()).hexdigest()
        repository.commits[commit] = files
        return commit

    def took(self, suffix: str = "") -> list[str]:
        """Name the files whose bytes were asked for, those of some ending only."""
        got = [a.path for a in self.asked if a.method == "GET" and not a.path.startswith("/api/")]
        # A large file is asked for at the place where it is stored.
        return [p.rpartition("/")[2] for p in got if p.endswith(suffix)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        self.hub.asked.append(
            Asked(self.command, place.path, {k.lower(): v for k, v in self.headers.items()})
        )
        token = self.headers.get("Authorization")
        if token not in (None, f"Bearer {TOKEN}"):
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif found := STORE.fullmatch(place.path):
            self._store(found["sha"], found["file"])
        elif (
            found := TREE.fullmatch(place.path)
            or FILE.fullmatch(place.path)
            or INFO.fullmatch(place.path)
        ):
            self._told(found, "blobs" in parse_qs(place.query))
        else:
            self._refuse(404, *UNKNOWN)

    do_HEAD = do_GET

    def _told(self, asked: re.Match[str], sizes: bool) -> None:
        repository = self.hub.repositories.get(asked["repo"])
        if repository is None:
            # Who says nothing of himself is not even told what there is not.
            self._refuse(404 if "Authorization" in self.headers else 401, *UNKNOWN)
            return
        newest = list(repository.commits)[-1]
        commit = newest if asked["revision"] in (None, "main") else asked["revision"]
        files = repository.commits.get(commit)
        if files is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {commit}")
        elif asked.re is INFO:
            self._json(_info(asked["repo"], commit, files, repository.gated, sizes))
        elif asked.re is TREE:
            self._json([_entry(n, content) for n, content in files.items()])
        elif repository.gated and "Authorization" not in self.headers:
            self._refuse(401, "GatedRepo", f"Access to model {asked['repo']} is restricted.")
        elif asked["file"] not in files:
            self._refuse(404, "EntryNotFound", "Entry not found", commit)
        else:
            self._file(asked["file"], files[asked["file"]], commit)

    def _file(self, name: str, content: bytes, commit: str) -> None:
        said = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not name.endswith(LARGE):
            self._send(200, content, {**said, "ETag": f'"{_blob(content)}"'}, name)
            return
        sha = hashlib.sha256(content).hexdigest()
        # The place of large files is another host.
        said["Location"] = f"http://localhost:{self.hub.port}/store/{sha}/{Path(name).name}"
        said |= {"X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(content))}
        self._send(302, b"", said, name)

    def _store(self, sha: str, name: str) -> None:
        if "Authorization" in self.headers:
            self._refuse(400, "", "Only one auth mechanism allowed")
            return
        every = (c for r in self.hub.repositories.values() for c in r.commits.values())
        content = next(
            c for files in every for c in files.values() if hashlib.sha256(c).hexdigest() == sha
        )
        self._send(200, content, {"ETag": f'"{sha}"', "Accept-Ranges": "bytes"}, name)

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], name: str) -> None:
        sent, said = content[: len(content) - self.hub.short.get(name, 0)], dict(headers)
        sent = sent[:-1] + b"?" if name in self.hub.spoilt else sent
        if self.command == "GET" and (
            part := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        ):
            said["Content-Range"] = f"bytes {part[1]}-{len(sent) - 1}/{len(sent)}"
            status, sent = 206, sent[int(part[1]) :]
        length = len(content) if self.command == "HEAD" else len(sent)
        self._head(status, {"Content-Length": str(length), **said})
        cuts = self.hub.cut.get(name, []) if self.command == "GET" else []
        if self.command == "GET":
            self.wfile.write(sent[: cuts[0]] if cuts else sent)
        if cuts:
            cuts.pop(0)
            self.close_connection = True

    def _json(self, values: object) -> None:
        self._send(200, json.dumps(values).encode(), {"Content-Type": "application/json"}, "")

    def _refuse(self, status: int, code: str, message: str, commit: str = "") -> None:
        said = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        self._head(status, {"Content-Length": "0", **{n: v for n, v in said.items() if v}})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Be silent."""


def _info(
    name: str, commit: str, files: Mapping[str, bytes], gated: bool, sizes: bool
) -> dict[str, object]:
    known = [
        {"rfilename": n, **({"size": len(content), "blobId": _blob(content)} if sizes else {})}
        for n, content in files.items()
    ]
    return {"id": name, "sha": commit, "gated": "auto" if gated else False, "siblings": known}


def _entry(name: str, content: bytes) -> dict[str, object]:
    told = {"type": "file", "path": name, "size": len(content), "oid": _blob(content)}
    if name.endswith(LARGE):
        sha = hashlib.sha256(content).hexdigest()
        told["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
    return told


def _blob(content: bytes) -> str:
    """Name a file as git does."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def hub_running() -> Iterator[Hub]:
    """Run a hub for as long as it is needed."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.port = server.server_address[1]
    with in_thread(server):
        yield hub


def hub_environment(hub: Hub, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that takes its models from a hub, and keeps them in a folder."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    return {
        **inherited,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        **more,
    }


def take_from(hub: Hub, home: Path, patch: pytest.MonkeyPatch) -> None:
    """Let this process take its models from a hub; its client read the environment long ago, so that is patched."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.delenv("HF_TOKEN", raising=False)
    patch.setenv("NO_PROXY", "127.0.0.1,localhost")
    close_session()  # the next one sees this environment
