"""Recall@10, milliseconds a question and bytes, by kind of index and distance, on both stores, against exact search.

`python tests/benchmarks/indexing.py [VECTORS]`: the passages of the demo's articles by every distance, then so many
synthetic vectors (100,000 unless told otherwise) by cosine. Exact answers are worked out in the same run.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from include.running import running
from include.services import weaviate_binary, weaviate_service
from include.settings import ROOT, Settings, load_settings
from include.vectors import VectorStore, open_colours, open_vectors
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.types import Chunk, CleanDocument, digest

Vector = NDArray[np.float32]

TOP, QUESTIONS, SIZE, BATCH = 10, 100, 384, 2_000
TOPICS = 500
DISTANCES = ("cosine", "dot", "l2", "manhattan")
KINDS = tuple(product(("hnsw", "flat"), ("none", "pq", "bq", "sq", "rq")))
COLUMNS = ("store", "distance", "index", "quantiser", "recall@10", "p50 ms", "fill s", "disk MB")
PORT, GRPC_PORT = 18_611, 18_661


def demo_passages() -> tuple[list[str], Vector]:
    """Cut and embed the demo's articles."""
    settings = load_settings()
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    texts = []
    for file in sorted((ROOT / "demo").rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        made = CleanDocument(file.name, "r", file.name, "article", "a", file.stem, text, "en", None)
        size = settings.chunk_tokens
        texts += [c.text for c in chunk_document(made, embedder.offsets, size, "f")]
    return texts, embedder.encode(texts)


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


def passages(many: int) -> list[Chunk]:
    """Name vectors; what a passage says does not matter here."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Chunk(digest(str(i)), str(i), "r", i, f"p{i}", "", 0, 1, "a", "article", "", "", moment)
        for i in range(many)
    ]


def fill(store: VectorStore, chunks: list[Chunk], vectors: Vector) -> float:
    """Write everything; returns the seconds."""
    started = time.perf_counter()
    for start in range(0, len(chunks), BATCH):
        store.upsert(chunks[start : start + BATCH], vectors[start : start + BATCH])
    return time.perf_counter() - started


def measure(store: VectorStore, vectors: Vector, truth: list[set[int]]) -> tuple[float, float]:
    """Ask the questions; returns recall@10 and the median milliseconds."""
    found, spent = [], []
    for number, want in enumerate(truth):
        question = asked(vectors, number)
        started = time.perf_counter()
        hits = store.dense(question, limit=TOP)
        spent.append((time.perf_counter() - started) * 1000)
        found.append(len({h.chunk.position for h in hits} & want) / TOP)
    return sum(found) / len(found), median(spent)


def asked(vectors: Vector, number: int) -> Vector:
    """Ask between two vectors, so that no stored one is the answer by itself."""
    step = max(len(vectors) // QUESTIONS, 1)
    question = vectors[number * step] + 0.5 * vectors[number * step - 1]
    return question / np.linalg.norm(question)


def disk(folder: Path) -> float:
    """Sum up the megabytes below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def rows(
    worlds: dict[str, Settings], vectors: Vector, distances: tuple[str, ...]
) -> Iterator[list[str]]:
    """Measure every combination that a store has; the others are left out."""
    chunks = passages(len(vectors))
    questions = range(min(QUESTIONS, len(vectors)))
    truth = {d: [exact(vectors, asked(vectors, n), d) for n in questions] for d in distances}
    for (name, world), distance, (structure, quantizer) in product(
        worlds.items(), distances, KINDS
    ):
        kind = {
            "vectors_distance": distance,
            "vectors_index": structure,
            "vectors_quantizer": quantizer,
        }
        its = world.model_copy(update=kind)
        try:
            store = open_vectors(its)
        except ValueError:
            continue
        before = disk(world.data_dir)
        with store:
            seconds = fill(store, chunks, vectors)
            recall, milliseconds = measure(store, vectors, truth[distance])
        megabytes = disk(world.data_dir) - before
        with open_colours(its) as colours:
            for colour in colours.all():
                colours.drop(colour.name)
        yield [
            *(name, distance, structure, quantizer),
            *(f"{recall:.3f}", f"{milliseconds:.1f}", f"{seconds:.1f}", f"{megabytes:.1f}"),
        ]


def main(many: int) -> None:
    """Print one table for the demo's passages and one for the synthetic vectors."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        server = Settings(
            data_dir=Path(folder) / "w", weaviate_port=PORT, weaviate_grpc_port=GRPC_PORT
        )
        lance = Path(folder) / "lance"
        worlds = {"LanceDB": Settings(data_dir=lance, vectors_url=f"lancedb://{lance}/v")}
        if weaviate_binary(server):
            worlds["Weaviate"] = server
        with running(weaviate_service(server), Path(folder)):
            texts, embedded = demo_passages()
            for title, vectors, distances in (
                (f"{len(texts)} passages of the demo", embedded, DISTANCES),
                (f"{many} synthetic vectors of {SIZE} numbers", synthetic(many), ("cosine",)),
            ):
                table = Table(*COLUMNS, title=title)
                for row in rows(worlds, vectors, distances):
                    table.add_row(*row)
                    console.print(" ".join(row), style="dim")
                console.print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
