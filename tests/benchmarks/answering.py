"""Milliseconds from a question to its first words, by step, over a corpus of many passages; and Ray Serve's own share.

`python tests/benchmarks/answering.py [PASSAGES]`, 10,000 unless told otherwise: a world, a Weaviate and a Ray of its
own, for some minutes; they end with it. The first words are the quoted evidence, which needs no generation. Each
question is asked in this process, over plain HTTP, and over HTTP through Ray Serve, in turn; what a route that does
nothing takes longer through Ray Serve is its own share.
"""

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from include.cleaning import clean_documents
from include.indexing import index_chunks
from include.measuring import store_features
from include.ranking import fit_ranking
from include.running import running
from include.services import weaviate_service
from include.settings import ROOT, Settings
from include.vectors import open_vectors
from ml.answer import Ask
from ml.tiny import pretrain_tiny

sys.path.insert(0, str(ROOT / "tests"))
from conftest import SMALLEST, free_port
from scale import load
from serving_world import Deployed, answering_world, call, published_world, ray_world

from serving.twin import Twin

PASSAGES, WORDS = 10_000, 350
# Passages of an invented article of so many words, about.
PASSAGES_EACH = 6
ASKED, WARM_UP = 60, 10
# Seconds before each way: what an answer leaves to do, its trace and the end of its stream, is not in the next one.
PAUSE = 0.25
WORDS_ASKED = slice(3, 14)


def main(passages: int) -> None:
    """Print a row for each step and each way."""
    console = Console(width=100)
    with tempfile.TemporaryDirectory(prefix="answer-") as name:
        folder = Path(name)
        base = pretrain_tiny(folder / "cache", size=SMALLEST)
        with (
            large_world(folder, base, passages) as (world, model_id, stored),
            ray_world(world, model_id, folder) as deployed,
        ):
            spent = ask_all(world, model_id, deployed)
    table = Table("path", "p50 ms", "p95 ms", title=f"{ASKED} questions, {stored:,} passages")
    for path, times in spent.items():
        middle, slow = np.percentile(times, (50, 95))
        table.add_row(path, f"{middle:.1f}", f"{slow:.1f}")
    console.print(table)
    plain, served = (np.median(spent[w]) for w in ("nothing, HTTP", "nothing, Ray Serve"))
    console.print(f"Ray Serve's own share: {served - plain:.1f} ms at p50")


@contextmanager
def large_world(folder: Path, base: Path, passages: int) -> Iterator[tuple[Settings, str, int]]:
    """Publish a model, then add invented articles to its index; yields how many passages there are too."""
    data = folder / "data"
    data.mkdir()
    ports = {"weaviate_port": free_port(), "weaviate_grpc_port": free_port()}
    # Invented words mean nothing, so a probe finds its passage by luck.
    changes = {"vectors_url": "", "probe_share": 0.0, **ports}
    with (
        running(weaviate_service(Settings(data_dir=data, **ports)), folder, seconds=120),
        published_world(folder, base, **changes) as (world, model_id),
    ):
        load(world, passages // PASSAGES_EACH, WORDS)
        for verb in (clean_documents, index_chunks, store_features, fit_ranking):
            verb(world)
        with open_vectors(world) as store:
            stored = store.count()
        yield world, model_id, stored


def ask_all(world: Settings, model_id: str, deployed: Deployed) -> Mapping[str, list[float]]:
    """Ask every question each way; returns the milliseconds by step and way."""
    spent: dict[str, list[float]] = defaultdict(list)
    with (
        answering_world(world, model_id) as plain,
        call(world, deployed.url) as served,
    ):
        for number, question in enumerate(questions(world)):
            ask = Ask(question, world.author)
            times = {
                **rested(nothing, "nothing, HTTP", plain.http),
                **rested(nothing, "nothing, Ray Serve", served),
                **rested(prepared, plain.twin, model_id, ask),
                **rested(first_words, "first words, HTTP", plain.http, question),
                **rested(first_words, "first words, Ray Serve", served, question),
            }
            for path, seconds in times.items():
                if number >= WARM_UP:
                    spent[path].append(seconds * 1000)
    return spent


def rested(way: Callable[..., dict[str, float]], *given: object) -> dict[str, float]:
    """Take one way when the one before has come to its end."""
    time.sleep(PAUSE)
    return way(*given)


def prepared(twin: Twin, model_id: str, ask: Ask) -> dict[str, float]:
    """Time everything before the first words in this process, by step and in all."""
    started = time.perf_counter()
    told = twin.prepare(ask, model_id=model_id)
    return {**told.seconds, "all steps, in process": time.perf_counter() - started}


def first_words(way: str, http: httpx.Client, question: str) -> dict[str, float]:
    """Time a streamed answer up to its first words, then let go of it."""
    body = {"messages": [{"role": "user", "content": question}], "max_tokens": 1, "stream": True}
    started = time.perf_counter()
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if '"content"' in line:
                return {way: time.perf_counter() - started}
    raise RuntimeError(f"The answer to {question!r} had no words.")


def nothing(way: str, http: httpx.Client) -> dict[str, float]:
    """Time a route that does nothing."""
    started = time.perf_counter()
    http.get("/healthz").raise_for_status()
    return {way: time.perf_counter() - started}


def questions(world: Settings) -> list[str]:
    """Take words out of the middle of stored texts, each of another one."""
    with open_vectors(world) as store:
        chunks = sorted(store.chunks(), key=lambda c: c.id)
    step = len(chunks) // (ASKED + WARM_UP)
    taken = [chunks[n * step] for n in range(ASKED + WARM_UP)]
    return [f"What about {' '.join(c.text.split()[WORDS_ASKED])}?" for c in taken]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PASSAGES)
