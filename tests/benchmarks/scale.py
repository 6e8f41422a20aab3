"""Documents a second and peak memory of the feature pipeline over a growing corpus of invented documents.

`python tests/benchmarks/scale.py [SIZES…] [--stages clean,chunk,embed,measure,report] [--engines here,local]
[--words 350] [--keep FOLDER] [--semantic 0.9]`

Every stage of every size runs in a process of its own, after a warm-up in which it loads what it needs: what is
counted is the work. CPU seconds and memory are those of that process and of all that it starts (Ray's are
among them), without the database; wall seconds count the database's work too. `clean` is `clean_documents` with its
validation and the search for copies; `chunk` is chunking alone; `embed` is `index_chunks`, chunking included, with the
real embedder; `measure` is `store_features`, history and online store included; `report` is `report_duplicates`;
`reconcile` is `reconcile_stores`. Stages that are not named are not run. With FOLDER the worlds are kept, and a later
run goes on where one ended.
"""

import argparse
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from multiprocessing import get_context
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from include.cleaning import clean_documents
from include.documents import open_documents
from include.duplicates import report_duplicates
from include.features import open_features
from include.indexing import index_chunks, index_mark, store_digest
from include.measuring import store_features
from include.reconciling import reconcile_stores
from include.running import running
from include.services import mongo_service
from include.settings import Settings
from include.validation import validate
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.types import Document

STAGES = ("clean", "chunk", "embed", "measure", "report", "reconcile")
# Without the embedding, whose time says more about the model than about the platform.
USUAL = ("clean", "chunk", "measure", "report")
ENGINES = {"here": "", "local": "local"}
# Words of a document: half of them have fewer than this; few are much longer.
MEDIAN_WORDS, SPREAD = 350, 0.7
FEWEST, MOST = 80, 5_000
VOCABULARY = 20_000
COPIED = 0.05
HOSTS = 4
FOOTER = "Subscribe to get every new post by mail.\n\nThanks for reading, and see you next week on this page."
SMALL = "the of and to in a is that it was for on are as with they at be this from have or by one but not".split()
START = datetime(2015, 1, 1, tzinfo=UTC)
LOOKS_EACH_SECOND = 5
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Spent:
    """What one stage took, and what came of it."""

    wall: float
    cpu: float
    peak: float
    above: float
    digest: str
    said: object


def documents(count: int, words: int) -> Iterator[Document]:
    """Invent articles, always the same ones; one in twenty is a near copy of one of the last."""
    chance = random.Random(7)
    vocabulary = [_word(chance) for _ in range(VOCABULARY)]
    recent: list[str] = []
    for number in range(count):
        copied = recent and chance.random() < COPIED
        text = (
            _changed(chance, chance.choice(recent))
            if copied
            else _article(chance, vocabulary, words)
        )
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


def _article(chance: random.Random, vocabulary: Sequence[str], words: int) -> str:
    left = min(max(int(words * chance.lognormvariate(0, SPREAD)), FEWEST), MOST)
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


def load(settings: Settings, count: int, words: int) -> int:
    """Store the documents, as ingestion would."""
    made = documents(count, words)
    with open_documents(settings) as store:
        while part := list(islice(made, 1_000)):
            store.put(part)
    return count


def chunk(settings: Settings) -> int:
    """Chunk every clean original, as `index_chunks` does, and throw the chunks away."""
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    size = min(settings.chunk_tokens, embedder.window)
    with open_documents(settings) as store:
        found = store.stream_clean(list(store.original_revisions(index_mark(settings))))
        return sum(len(chunk_document(d, embedder.offsets, size, "scale")) for d in found)


VERBS = {
    "clean": clean_documents,
    "chunk": chunk,
    "embed": index_chunks,
    "measure": store_features,
    "report": report_duplicates,
    "reconcile": reconcile_stores,
}


class Watch:
    """Looks at this process and its descendants: CPU seconds of all that ever were, and the most memory at once."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, float], float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.peak = 0.0
        self._look()
        self.start = self.peak
        self._before = sum(self._seconds.values())
        self._thread.start()

    def end(self) -> float:
        """Look for the last time; returns the CPU seconds since the beginning."""
        self._ended.set()
        self._thread.join()
        self._look()
        return sum(self._seconds.values()) - self._before

    def _look_on(self) -> None:
        while not self._ended.wait(1 / LOOKS_EACH_SECOND):
            self._look()

    def _look(self) -> None:
        mine, held = psutil.Process(), 0
        for process in (mine, *mine.children(recursive=True)):
            try:
                times, memory = process.cpu_times(), process.memory_info()
                self._seconds[process.pid, process.create_time()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
            # What Ray's processes share is counted once, as the memory of the file behind it.
            held += memory.rss - (memory.shared if process != mine else 0)
        self.peak = max(self.peak, held / MEGABYTE)


def measured(settings: Settings, stage: str) -> Spent:
    """Run one stage in this process."""
    warm_up(settings, stage)
    watch, started = Watch(), time.perf_counter()
    said = VERBS[stage](settings)
    wall, cpu = time.perf_counter() - started, watch.end()
    above = watch.peak - watch.start
    return Spent(wall, cpu, watch.peak, above, store_digest(settings)[:8], said)


def warm_up(settings: Settings, stage: str) -> None:
    """Load what the stage needs, in a world of its own."""
    load_embedder(settings.embedder, settings.cache_dir).encode(["Nothing is written here."])
    with tempfile.TemporaryDirectory() as folder:
        away = Settings(data_dir=Path(folder))
        if stage in ("clean", "measure"):
            validate(away, "chunk", [{"id": "nobody"}], batch="warm-up")
        if stage in ("measure", "reconcile"):
            open_features(away).close()


def alone(function: object, *given: object) -> object:
    """Call a function in a fresh process, which ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *given).result()


def run_size(count: int, stages: Sequence[str], engine: str, given: argparse.Namespace) -> Iterator:
    """Run the stages over so many documents in a world of its own; yields each with what it took."""
    kept = nullcontext(f"{given.keep}/{engine}-{count}") if given.keep else None
    with kept or tempfile.TemporaryDirectory(prefix="scale-") as folder:
        world = Settings(
            data_dir=Path(folder) / "data",
            mongo_port=27900 + os.getpid() % 90,
            vectors_url=f"lancedb://{folder}/vectors",
            ray_address=ENGINES[engine],
            semantic_duplicate=given.semantic,
            # Invented words mean nothing, so a probe finds its passage by luck.
            probe_share=0.0,
        )
        fresh = not world.data_dir.exists()
        world.data_dir.mkdir(parents=True, exist_ok=True)
        with running(mongo_service(world), Path(folder)):
            if fresh:
                alone(load, world, count, given.words)
            for stage in stages:
                yield stage, alone(measured, world, stage)


def main() -> None:
    """Print a table: each stage at each size, beside what linear growth from the smallest size would be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=[500, 2_000])
    parser.add_argument("--stages", default=",".join(USUAL))
    parser.add_argument("--engines", default="here", help="here, local (a Ray of its own), or both")
    parser.add_argument("--words", type=int, default=MEDIAN_WORDS, help="of half the documents")
    parser.add_argument("--keep", default="")
    parser.add_argument("--semantic", type=float, default=0.0)
    given = parser.parse_args()
    stages = [s for s in STAGES if s in given.stages.split(",")]
    columns = "documents|wall s|CPU s|docs a CPU s|wall ÷ linear|CPU ÷ linear|peak MB|÷ first|above start, MB|digest"
    table = Table("engine", "stage", *columns.split("|"), title="Invented articles")
    first: dict[tuple[str, str], tuple[int, Spent]] = {}
    for engine, count in product(given.engines.split(","), sorted(given.sizes)):
        # Chunking alone is no verb that Ray runs; there it is a part of `embed`.
        run = [s for s in stages if engine == "here" or s != "chunk"]
        for stage, took in run_size(count, run, engine, given):
            size, base = first.setdefault((engine, stage), (count, took))
            grown = count / size
            over = (took.wall / base.wall / grown, took.cpu / base.cpu / grown)
            figures = (f"{took.wall:.1f}", f"{took.cpu:.1f}", f"{count / took.cpu:.0f}")
            memory = (f"{took.peak:.0f}", f"{took.peak / base.peak:.2f}", f"{took.above:.0f}")
            row = (
                engine,
                stage,
                f"{count:,}",
                *figures,
                *(f"{o:.2f}" for o in over),
                *memory,
                took.digest,
            )
            table.add_row(*row)
            Console(stderr=True, width=200).print(" ".join(row), str(took.said)[:300])
    left = ", ".join(s for s in STAGES if s not in stages) or "none"
    table.caption = (
        f"promised: time at most 1.10 of linear, memory at most 2; stages not run: {left}"
    )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
