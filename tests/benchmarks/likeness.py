"""How well the likeness judge tells authors apart on articles that it never saw: AUC, calibration, and by which signs.

    python tests/benchmarks/likeness.py [DIR] [--folds 5]

DIR holds JSON files of articles, each with its author's name, address and text; without one the demo's two invented
authors are told apart. Texts are cleaned as the platform
cleans them: each host's boilerplate is learned and removed, readers' comments and quotations set aside, copies and
cross-posts left out. Folds are of whole documents, so no document is on both sides. Each author in turn is the one
whose voice is verified.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from include.settings import ROOT, Settings
from ml.boilerplate import NOTHING, host_of, learn_boilerplate
from ml.dedup import Limits, mark_duplicates
from ml.likeness import FUNCTION_WORDS, calibration_error, learn_likeness, passages, separation
from ml.text import clean, prose_of
from ml.types import CleanDocument, Document

SEED = 7
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def read_articles(folder: Path) -> list[Document]:
    """Read every article of the folder's JSON files that names its author."""
    rows = [r for f in sorted(folder.glob("*.json")) for r in _rows(f)]
    return [
        Document(
            url=row["link"],
            kind="article",
            author=row["author_full_name"],
            title=(row["content"].get("Title") or ""),
            text=row["content"]["Content"],
            language="en",
            source="pages",
            published_at=None,
            fetched_at=MOMENT,
        )
        for row in rows
    ]


def demo_articles() -> list[Document]:
    """Read the demo's articles, an author's in each folder."""
    files = sorted((ROOT / "demo" / "articles").glob("*/*.md"))
    return [
        Document(
            url=f"https://{f.parent.name}.example/{f.stem}/",
            kind="article",
            author=f.parent.name,
            title=f.stem,
            text=f.read_text(encoding="utf-8").split("---\n", 2)[-1],
            language="en",
            source="demo",
            published_at=None,
            fetched_at=MOMENT,
        )
        for f in files
    ]


def _rows(file: Path) -> list[dict]:
    found = json.loads(file.read_text(encoding="utf-8"))
    rows = found if isinstance(found, list) else []
    return [r for r in rows if isinstance(r.get("content"), dict) and "author_full_name" in r]


def originals(documents: Sequence[Document]) -> tuple[list[CleanDocument], int]:
    """Clean the articles and leave out copies; of a text that stands under two names, both. Returns how many went."""
    learned = learn_boilerplate(documents)
    made = [clean(d, learned.get(host_of(d.url), NOTHING)) for d in documents]
    kept = [m for m in made if isinstance(m, CleanDocument)]
    settings = Settings()
    limits = Limits(near=settings.near_duplicate, excerpt=settings.excerpt_duplicate)
    marked = mark_duplicates(kept, limits)
    copies = [d for d in marked if d.duplicate_of]
    writers = {d.id: d.author for d in marked}
    gone = {d.id for d in copies}
    gone |= {d.duplicate_of for d in copies if writers[d.duplicate_of] != d.author}
    return [d for d in marked if d.id not in gone], len(gone)


def as_it_is(document: CleanDocument) -> str:
    """Return the prose as the platform judges it."""
    return prose_of(document)


def without_markup(document: CleanDocument) -> str:
    """Return the prose without what a host's editor leaves: links, images, emphasis, headings, lists."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", prose_of(document))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"^\s*(?:#{1,6}|[-*+]|\d+\.)\s+", "", text, flags=re.MULTILINE)
    return re.sub(r"[*_`|>#]+", "", text)


def without_subject(document: CleanDocument) -> str:
    """Return the prose with every word but function words masked: what is left is manner, not matter."""
    known = set(FUNCTION_WORDS)
    return re.sub(
        r"[^\W\d_]+",
        lambda m: m.group() if m.group().lower() in known else "x" * min(len(m.group()), 6),
        without_markup(document),
    )


def held_out(
    documents: Sequence[CleanDocument],
    author: str,
    read: Callable[[CleanDocument], str],
    folds: int,
) -> tuple[list[float], list[bool], list[float], list[bool]]:
    """Score every passage, and every document by its mean, with a judge that saw none of its document."""
    order = np.random.default_rng(SEED).permutation(len(documents))
    scores: list[float] = []
    own: list[bool] = []
    means: list[float] = []
    whole: list[bool] = []
    for fold in range(folds):
        asked = set(order[fold::folds].tolist())
        seen = [d for i, d in enumerate(documents) if i not in asked]
        judge = learn_likeness(
            [read(d) for d in seen if d.author == author],
            [read(d) for d in seen if d.author != author],
            SEED,
        )
        for document in (documents[i] for i in asked):
            found = [judge(p) for p in passages([read(document)])]
            scores += found
            own += [document.author == author] * len(found)
            means += [float(np.mean(found))] if found else []
            whole += [document.author == author] if found else []
    return scores, own, means, whole


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    found = read_articles(given.folder) if given.folder else demo_articles()
    documents, left_out = originals(found)
    title = f"{len(documents)} articles, {left_out} copies and cross-posts left out, {given.folds} folds of documents"
    table = Table(title=title)
    for column in (
        *("text", "author", "passages", "AUC, passages", "documents", "AUC, documents"),
        *("calibration error", "seconds"),
    ):
        table.add_column(column)
    for read in (as_it_is, without_markup, without_subject):
        for author in sorted({d.author for d in documents}):
            started = time.monotonic()
            scores, own, means, whole = held_out(documents, author, read, given.folds)
            table.add_row(
                *(read.__name__.replace("_", " "), author, f"{sum(own)} of {len(own)}"),
                *(f"{separation(scores, own):.4f}", f"{sum(whole)} of {len(whole)}"),
                *(f"{separation(means, whole):.4f}", f"{calibration_error(scores, own):.3f}"),
                f"{time.monotonic() - started:.0f}",
            )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
