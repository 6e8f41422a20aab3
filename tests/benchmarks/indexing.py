"""Recall@10, milliseconds a question, memory and bytes, by kind of index and distance, on both stores.

`python tests/benchmarks/indexing.py [VECTORS…] [--stores LanceDB,Weaviate] [--distances cosine,…] [--kinds hnsw+none,…]
[--results FILE] [--no-demo]`: the passages of the demo's articles, then so many synthetic vectors (5,000 unless told
otherwise), by cosine unless told otherwise. Exact answers are worked out in the same run. Each row is filled by one
process and asked by another, and a Weaviate is started anew for both: memory is that of a server that has just started
and answered the questions, or what LanceDB added to the process that asked it. What FILE holds is not measured again.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from include.running import running
from include.services import weaviate_binary, weaviate_service
from include.settings import ROOT, Settings, load_settings
from include.vectors import open_vectors
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.types import Chunk, CleanDocument, digest

Vector = NDArray[np.float32]
# Row by what it is of: corpus, store, distance, index and quantiser.
Names = tuple[str, str, str, str, str]

TOP, QUESTIONS, SIZE, BATCH = 10, 100, 384, 2_000
TOPICS = 500
DISTANCES = ("cosine", "dot", "l2", "manhattan")
KINDS = tuple(f"{a}+{b}" for a, b in product(("hnsw", "flat"), ("none", "pq", "bq", "sq", "rq")))
STORES = ("LanceDB", "Weaviate")
COLUMNS = "store|distance|index|quantiser|recall@10|p50 ms|p95 ms|memory MB|fill s|disk MB"
PORT, GRPC_PORT = 18_611, 18_661
MEGABYTE = 1 << 20


def demo_passages() -> Vector:
    """Cut and embed the demo's articles."""
    settings = load_settings()
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    texts = []
    for file in sorted((ROOT / "demo").rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        made = CleanDocument(file.name, "r", file.name, "article", "a", file.stem, text, "en", None)
        size = settings.chunk_tokens
        texts += [c.text for c in chunk_document(made, embedder.offsets, size, "f")]
    return embedder.encode(texts)


def synthetic(many: int) -> Vector:
    """Draw unit vectors around topics, as embeddings of texts lie."""
    rng = np.random.default_rng(7)
    topics = rng.standard_normal((TOPICS, SIZE)).astype(np.float32)
    drawn = topics[rng.integers(0, TOPICS, many)]
    drawn += rng.standard_normal((many, SIZE)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def exact(vectors: Vector, question: Vector, distance: str) -> set[int]:
    """Find the nearest by comparing all; those that are as near as the last of them count as well."""
    if distance in ("cosine", "dot"):
        scores = vectors @ question
    elif distance == "l2":
        scores = -((vectors - question) ** 2).sum(axis=1)
    else:
        scores = -np.abs(vectors - question).sum(axis=1)
    last = np.partition(scores, -TOP)[-TOP]
    return set(np.flatnonzero(scores >= last - 1e-6).tolist())


def passages(start: int, many: int) -> list[Chunk]:
    """Name vectors; what a passage says does not matter here."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Chunk(digest(str(i)), str(i), "r", i, f"p{i}", "", 0, 1, "a", "article", "", "", moment)
        for i in range(start, start + many)
    ]


def fill(world: Settings, file: str) -> float:
    """Write everything; returns the seconds."""
    vectors = np.load(file, mmap_mode="r")
    started = time.perf_counter()
    with open_vectors(world) as store:
        for start in range(0, len(vectors), BATCH):
            part = np.asarray(vectors[start : start + BATCH])
            store.upsert(passages(start, len(part)), part)
    return time.perf_counter() - started


def ask(
    world: Settings, questions: Vector, truth: list[set[int]]
) -> tuple[float, float, float, float]:
    """Ask the questions; returns recall@10, the median and 95th percentile in ms, and the MB added to this process."""
    found, spent = [], []
    with open_vectors(world) as store:
        before = psutil.Process().memory_info().rss
        for question, want in zip(questions, truth, strict=True):
            started = time.perf_counter()
            hits = store.dense(question, limit=TOP)
            spent.append((time.perf_counter() - started) * 1000)
            found.append(len({h.chunk.position for h in hits} & want) / TOP)
        grown = (psutil.Process().memory_info().rss - before) / MEGABYTE
    slow = float(np.percentile(spent, 95))
    return sum(found) / len(found), median(spent), slow, grown


def asked(vectors: Vector) -> Vector:
    """Ask between two vectors, so that no stored one is the answer by itself."""
    step = max(len(vectors) // QUESTIONS, 1)
    places = np.arange(min(QUESTIONS, len(vectors))) * step
    questions = vectors[places] + 0.5 * vectors[places - 1]
    return questions / np.linalg.norm(questions, axis=1, keepdims=True)


def disk(folder: Path) -> float:
    """Sum up the megabytes below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def alone(function: object, *given: object) -> object:
    """Call a function in a fresh process, which ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *given).result()


@contextmanager
def served(world: Settings, folder: Path) -> Iterator[None]:
    """Run the store's server where it has one."""
    if world.vectors_url:
        yield
    else:
        with running(weaviate_service(world), folder, seconds=300):
            yield


def server_memory() -> float:
    """Sum up the megabytes of the servers that this process started."""
    servers = [p for p in psutil.Process().children() if "weaviate" in p.name()]
    return sum(p.memory_info().rss for p in servers) / MEGABYTE


def measured(names: Names, file: str, questions: Vector, truth: list[set[int]]) -> dict | None:
    """Fill and ask one combination in a world of its own; None where the store does not have it."""
    _, store, distance, structure, quantizer = names
    with tempfile.TemporaryDirectory() as folder:
        world = Settings(
            data_dir=Path(folder) / "w",
            weaviate_port=PORT,
            weaviate_grpc_port=GRPC_PORT,
            vectors_url=f"lancedb://{folder}/w/v" if store == "LanceDB" else "",
            vectors_distance=distance,
            vectors_index=structure,
            vectors_quantizer=quantizer,
        )
        with served(world, Path(folder)):
            try:
                open_vectors(world).close()
            except ValueError:
                return None
            seconds = alone(fill, world, file)
        with served(world, Path(folder)):
            recall, middle, slow, grown = alone(ask, world, questions, truth)
            memory = grown if store == "LanceDB" else server_memory()
        return {
            "names": names,
            "recall": recall,
            "p50": middle,
            "p95": slow,
            "memory": memory,
            "fill": seconds,
            "disk": disk(world.data_dir),
        }


def main() -> None:
    """Print one table for the demo's passages and one for each number of synthetic vectors."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=[5_000])
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--distances", default="cosine", help=", ".join(DISTANCES))
    parser.add_argument("--kinds", default=",".join(KINDS), help=", ".join(KINDS))
    parser.add_argument("--results", default="", help="JSON lines to read and to add to")
    given = parser.parse_args()
    stores = [s for s in given.stores.split(",") if s != "Weaviate" or weaviate_binary(Settings())]
    wanted = [
        (store, distance, *kind.split("+"))
        for store, distance, kind in product(
            stores, given.distances.split(","), given.kinds.split(",")
        )
    ]
    known = read(given.results)
    for title, vectors in corpora(given.sizes, given.demo):
        table = Table(*COLUMNS.split("|"), title=title)
        for row in rows(title, vectors, wanted, known, given.results):
            table.add_row(*row["names"][1:], *shown(row))
        Console(width=120).print(table)


def corpora(sizes: list[int], demo: bool) -> Iterator[tuple[str, Vector]]:
    """Yield what is indexed, with its title."""
    if demo:
        embedded = demo_passages()
        yield f"{len(embedded)} passages of the demo", embedded
    for many in sizes:
        yield f"{many:,} synthetic vectors of {SIZE} numbers", synthetic(many)


def rows(
    title: str, vectors: Vector, wanted: list, known: dict[Names, dict], results: str
) -> Iterator[dict]:
    """Measure what is wanted and not known yet, or was known to be unsupported."""
    questions = asked(vectors)
    truth: dict[str, list[set[int]]] = {}
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, vectors)
        file.flush()
        for each in wanted:
            names, distance = (title, *each), each[1]
            if names not in known:
                if distance not in truth:
                    truth[distance] = [exact(vectors, q, distance) for q in questions]
                row = measured(names, file.name, questions, truth[distance])
                known[names] = row or {"names": names, "recall": None}
                keep(results, known[names])
            if known[names]["recall"] is not None:
                yield known[names]


def read(results: str) -> dict[Names, dict]:
    """Read what was measured before."""
    file = Path(results)
    lines = file.read_text().splitlines() if results and file.exists() else []
    return {tuple(row["names"]): row for row in map(json.loads, lines)}


def keep(results: str, row: dict) -> None:
    """Show what was measured, and add it to what is known."""
    figures = shown(row) if row["recall"] is not None else ["not there"]
    Console(stderr=True, width=120).print(" ".join([*row["names"][1:], *figures]), style="dim")
    if results:
        with Path(results).open("a") as file:
            file.write(json.dumps(row) + "\n")


def shown(row: dict) -> list[str]:
    """Write a row's figures."""
    figures = (row[n] for n in ("p50", "p95", "memory", "fill", "disk"))
    return [f"{row['recall']:.3f}", *(f"{x:,.1f}" for x in figures)]


if __name__ == "__main__":
    main()
