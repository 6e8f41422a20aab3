"""Documents a second and peak memory of the feature pipeline over a growing corpus of invented documents.

`python tests/benchmarks/scale.py [SIZES…] [--stages clean,chunk,embed,measure] [--engine local]`

Every stage of every size runs in a process of its own, whose peak memory is taken from the system. CPU
seconds are that process's alone, wall seconds count the database's work too. `clean` is `clean_documents`
with its validation and the search for copies; `chunk` is chunking alone; `embed` is `index_chunks`, chunking
included, with the real embedder; `measure` is `store_features`. Stages that are not named are not run.
"""

import argparse
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.cleaning import clean_documents
from include.documents import open_documents
from include.engine import Work, run_batches
from include.indexing import index_chunks, index_mark
from include.measuring import store_features
from include.running import running
from include.services import mongo_service
from include.settings import Settings
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.types import Document

STAGES = ("clean", "chunk", "embed", "measure")
BATCH = 64
# Words of a document: half of them have fewer than this; few are much longer.
MEDIAN_WORDS, SPREAD = 350, 0.7
VOCABULARY = 20_000
COPIED = 0.05
HOSTS = 4
FOOTER = "Subscribe to get every new post by mail.\n\nThanks for reading, and see you next week on this page."
SMALL = "the of and to in a is that it was for on are as with they at be this from have or by one but not".split()
START = datetime(2015, 1, 1, tzinfo=UTC)


def documents(count: int) -> Iterator[Document]:
    """Invent articles, always the same ones; one in twenty is a near copy of one of the last."""
    chance = random.Random(7)
    vocabulary = [_word(chance) for _ in range(VOCABULARY)]
    recent: list[str] = []
    for number in range(count):
        copied = recent and chance.random() < COPIED
        text = _changed(chance, chance.choice(recent)) if copied else _article(chance, vocabulary)
        recent = [text, *recent[:50]]
        host = f"blog{number % HOSTS}.example"
        published = START + timedelta(hours=number)
        yield Document(
            f"https://{host}/{number}/",
            "article",
            "somebody",
            f"Number {number}",
            f"{text}\n\n{FOOTER}\n",
            "en",
            "scale",
            published,
            published,
        )


def _word(chance: random.Random) -> str:
    syllables = chance.choices("ba co de fi gu la me no pi ra so tu ve wi".split(), k=3)
    return "".join(syllables[: chance.randint(2, 3)]) + chance.choice("nrstl")


def _article(chance: random.Random, vocabulary: Sequence[str]) -> str:
    left = min(max(int(MEDIAN_WORDS * chance.lognormvariate(0, SPREAD)), 80), 5_000)
    paragraphs = []
    while left > 0:
        sentences = [_sentence(chance, vocabulary) for _ in range(chance.randint(2, 6))]
        paragraphs.append(" ".join(sentences))
        left -= len(paragraphs[-1].split())
    return "\n\n".join(paragraphs)


def _sentence(chance: random.Random, vocabulary: Sequence[str]) -> str:
    said = [
        chance.choice(SMALL if chance.random() < 0.4 else vocabulary)
        for _ in range(chance.randint(7, 22))
    ]
    return " ".join(said).capitalize() + "."


def _changed(chance: random.Random, text: str) -> str:
    words = text.split(" ")
    words[chance.randrange(len(words))] = "otherwise"
    return " ".join(words)


def load(settings: Settings, count: int) -> int:
    """Store the documents, as ingestion would."""
    made = documents(count)
    with open_documents(settings) as store:
        while part := list(islice(made, 1_000)):
            store.put(part)
    return count


def chunk(settings: Settings) -> int:
    """Chunk every clean original, as `index_chunks` does, and throw the chunks away."""
    with open_documents(settings) as store:
        ids = list(store.original_revisions(index_mark(settings)))
    return sum(run_batches(settings, _chunking, ids, BATCH))


def _chunking(settings: Settings) -> Work[int]:
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    size = min(settings.chunk_tokens, embedder.window)

    def work(ids: Sequence[str]) -> list[int]:
        with open_documents(settings) as store:
            found = store.read_clean(ids)
        return [len(chunk_document(d, embedder.offsets, size, "scale")) for d in found]

    return work


def measured(settings: Settings, stage: str) -> tuple[float, float, float, object]:
    """Run one stage in this process; returns wall seconds, CPU seconds, peak MB, and what it said."""
    verb = {
        "clean": clean_documents,
        "chunk": chunk,
        "embed": index_chunks,
        "measure": store_features,
    }[stage]
    started, worked = time.perf_counter(), time.process_time()
    said = verb(settings)
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    return wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, said


def alone(function: object, *given: object) -> object:
    """Call a function in a fresh process, which ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *given).result()


def run_size(count: int, stages: Sequence[str], ray_address: str) -> dict[str, tuple]:
    """Run the stages over so many documents in a world of its own."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        world = Settings(
            data_dir=Path(folder) / "data",
            mongo_port=27900 + os.getpid() % 90,
            vectors_url=f"lancedb://{folder}/vectors",
            ray_address=ray_address,
            # Invented words mean nothing, so a probe finds its passage by luck.
            probe_share=0.0,
        )
        world.data_dir.mkdir()
        with running(mongo_service(world), Path(folder)):
            alone(load, world, count)
            return {stage: alone(measured, world, stage) for stage in stages}


def main() -> None:
    """Print a table: each stage at each size, beside what linear growth from the smallest size would be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--stages", default="clean,chunk")
    parser.add_argument("--engine", default="", help="what TWIN_RAY_ADDRESS would say")
    given = parser.parse_args()
    stages = [s for s in STAGES if s in given.stages.split(",")]
    columns = "documents|wall s|CPU s|docs/s|wall ÷ linear|CPU ÷ linear|peak MB|memory ÷ first"
    where = given.engine or "this process"
    table = Table("stage", *columns.split("|"), title=f"Invented articles, engine: {where}")
    first: dict[str, tuple] = {}
    for count in sorted(given.sizes):
        for stage, (wall, cpu, peak, said) in run_size(count, stages, given.engine).items():
            size, *base, least = first.setdefault(stage, (count, wall, cpu, peak))
            over = [f"{t * size / (b * count):.2f}" for t, b in zip((wall, cpu), base, strict=True)]
            row = (f"{count:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{count / wall:.0f}", *over)
            table.add_row(stage, *row, f"{peak:.0f}", f"{peak / least:.2f}")
            Console(stderr=True).print(stage, count, said, f"{wall:.1f} s", f"{peak:.0f} MB")
    table.caption = f"stages not run: {', '.join(s for s in STAGES if s not in stages) or 'none'}"
    Console().print(table)


if __name__ == "__main__":
    main()
