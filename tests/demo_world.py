"""The demo's world for tests: its site that remembers who asked, a document server, and settings that learn quickly."""

import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import free_port
from web_site import in_thread

from demo.site import import_history, serve
from include.running import running
from include.services import child_environment, mongo_service
from include.settings import ROOT, Settings
from include.vectors import open_vectors

POSTS = """
authors: [{id: maren-oduya, name: Maren Oduya}]
sources:
  - {id: linkedin, author: maren-oduya, kind: linkedin, where: "${ROOT}/demo/posts/linkedin", consent: own}
  - {id: x, author: maren-oduya, kind: x, where: "${ROOT}/demo/posts/x", consent: own}
  - {id: mastodon, author: maren-oduya, kind: mastodon, where: "${ROOT}/demo/posts/mastodon", consent: own}
"""


@dataclass(frozen=True)
class Site:
    """The demo's site, the world that crawls it, and every page that was asked for, with the answer's status."""

    world: Settings
    url: str
    asked: list[tuple[str, int]]


@contextmanager
def demo_world(folder: Path, base: Path) -> Iterator[Site]:
    """Run the demo's site and a document server for a world that learns little and quickly."""
    port = free_port()
    world = Settings(
        data_dir=folder / "data",
        vectors_url=f"lancedb://{folder}/vectors",
        base_model=str(base),
        mongo_port=free_port(),
        demo_port=port,
        crawl_allow_hosts=f"127.0.0.1:{port}",
        crawl_delay=0.0,
        test_share=0.06,
        sft_steps=3,
        dpo_steps=2,
        # A model that knows next to nothing is as like the author as a coin; its loss alone decides.
        gate_likeness_margin=1.0,
        gate_general_margin=9.0,
        gate_latency_margin=99.0,
        gate_grounded_margin=1.0,
    )
    import_history(world)
    with (
        running(mongo_service(world), folder),
        _watched(world, port) as asked,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Answers that an evaluation asks for aloud; each costs a second.
        patch.setattr("ml.evaluate.SPOKEN", 3)
        yield Site(world, f"http://127.0.0.1:{port}", asked)


@contextmanager
def _watched(world: Settings, port: int) -> Iterator[list[tuple[str, int]]]:
    """Serve the site, and note what it answers."""
    server, asked = serve(world, port), []

    class Watched(server.RequestHandlerClass):
        def send_response(self, code, message=None):
            asked.append((self.path, int(code)))
            super().send_response(code, message)

    server.RequestHandlerClass = Watched
    with in_thread(server):
        yield asked


def index_of(site: Site) -> dict[str, frozenset[str]]:
    """Return the ids of the chunks in the index, for each page of the site and each post."""
    ids = defaultdict(set)
    with open_vectors(site.world) as vectors:
        for chunk, _ in vectors.scan():
            ids[chunk.url.removeprefix(site.url)].add(chunk.id)
    return {path: frozenset(found) for path, found in ids.items()}


def kill_while_embedding(world: Settings) -> None:
    """Run `index_chunks` as the platform's jobs do, and kill it once it has written its first batch."""
    command = [sys.executable, "-m", "include", "index_chunks"]
    environment = child_environment(world)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as verb:
        said = ""
        while "documents in this batch" not in said:
            said = verb.stderr.readline()
            assert said, "it ended before it embedded anything"
        verb.kill()
    assert verb.returncode == -signal.SIGKILL
