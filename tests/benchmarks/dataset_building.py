"""Building a dataset: megabytes of clean text a second, step by step, from documents to proven samples on the disk.

`python tests/benchmarks/dataset_building.py [MEGABYTES | PAGES.json]`: texts are made by chance from the words of the
demo's articles, or read from a file as `cleaning.py` reads them. Great Expectations' own page of results is left
out: it takes some seconds whatever the size. Seconds are the clock's, and the processors', which count on a busy
machine.
"""

import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from cleaning import demo_pages, read_pages

from include.sample_quality import sample_rows
from include.samples import write_samples
from include.settings import Settings
from ml.boilerplate import NOTHING, host_of, learn_boilerplate
from ml.examples import make_examples
from ml.negatives import length_bias, make_preferences
from ml.sample_pictures import draw_samples
from ml.splits import decontaminate, find_kin, split_documents
from ml.text import clean
from ml.types import CleanDocument, Document, digest

MEGABYTES = 8.0
STYLE = {"sentence_words": 20.0, "semicolon_rate": 3.0, "exclamation_rate": 0.0}
Times = list[tuple[str, float, float]]


def clean_pages(pages: list[Document]) -> list[CleanDocument]:
    """Clean pages as the platform does."""
    learned = learn_boilerplate(pages)
    results = [clean(p, learned.get(host_of(p.url), NOTHING)) for p in pages]
    return [r for r in results if isinstance(r, CleanDocument)]


def shuffled(documents: list[CleanDocument], megabytes: float) -> list[CleanDocument]:
    """Make new articles until there are so many megabytes: paragraphs whose sentences were mixed word by word."""
    chance, made, size = random.Random(7), list[CleanDocument](), 0
    words = [w for d in documents for w in d.text.split() if w.isalpha()]
    while size < megabytes * 1e6:
        number, source = len(made), documents[len(made) % len(documents)]
        text = "\n\n".join(_mixed(block, words, chance) for block in source.text.split("\n\n"))
        url = f"https://made.example/{number}/"
        day = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        made.append(replace(source, id=digest(url), url=url, text=text, published_at=day))
        size += len(text.encode())
    return made


def _mixed(block: str, words: list[str], chance: random.Random) -> str:
    """Put other words for the words of a block; marks, lines and what makes it code, a list or a heading stay."""
    return re.sub(r"[A-Za-z]{3,}", lambda m: chance.choice(words), block)


@contextmanager
def timed(times: Times, name: str) -> Iterator[None]:
    """Note how long a step takes."""
    clock, processors = time.perf_counter(), time.process_time()
    yield
    times.append((name, time.perf_counter() - clock, time.process_time() - processors))


def build(documents: list[CleanDocument]) -> tuple[Times, str]:
    """Do what build_dataset does with clean documents; returns the times, and what came of it."""
    times: Times = []
    settings = Settings()
    with timed(times, "split by kinship and time"):
        splits = split_documents(documents, 0.15)
    with timed(times, "draft and render"):
        made = make_examples(documents, splits, STYLE, "Maren Oduya")
    with timed(times, "drop what leaks"):
        examples = decontaminate(made, settings.leak_words)
    with timed(times, "pair with flat texts"):
        pairs = make_preferences(examples)
    with timed(times, "measure every sample anew"):
        rows = sample_rows(settings, documents, examples, pairs)
    with timed(times, "write Parquet"), tempfile.TemporaryDirectory() as folder:
        write_samples(Path(folder), examples, pairs)
    with timed(times, "draw"):
        draw_samples(examples, pairs)
    bias, bad = length_bias(pairs), sum(not r["grounded"] or bool(r["leaked"]) for r in rows)
    families = len(documents) - len(set(find_kin(documents).values()))
    return times, (
        f"{len(documents)} documents ({families} kin of others), {len(examples)} samples, {len(made) - len(examples)} "
        f"leaks dropped, {len(pairs)} pairs, {bad} bad rows; by length {bias.accuracy:.1%} of pairs are told, mean "
        f"difference {bias.difference:+.2%}"
    )


def main() -> None:
    """Print the table."""
    given = sys.argv[1] if len(sys.argv) > 1 else str(MEGABYTES)
    if given.replace(".", "", 1).isdigit():
        documents = shuffled(clean_pages(demo_pages()), float(given))
    else:
        documents = clean_pages(read_pages(Path(given)))
    size = sum(len(d.text.encode()) for d in documents) / 1e6
    build(documents[:4])  # what is loaded once, is loaded
    times, said = build(documents)
    whole = ("all", sum(t[1] for t in times), sum(t[2] for t in times))
    table = Table("step", "s clock", "s processors", "MB/s by clock", "MB/s by processors")
    for name, clock, spent in (*times, whole):
        table.add_row(
            name, f"{clock:.2f}", f"{spent:.2f}", f"{size / clock:.1f}", f"{size / spent:.1f}"
        )
    Console().print(table)
    Console().print(f"{size:.2f} MB: {said}")


if __name__ == "__main__":
    main()
