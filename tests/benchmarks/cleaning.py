"""Real pages, cleaned: how fast, what was taken out as the host's or the readers', and which pages are copies.

`python tests/benchmarks/cleaning.py [PAGES.json]`: a list of {"link", "content": {"Title", "Content"}}, or JSON
lines of {"url", "title", "text"}; without a file, the demo's articles are measured.
"""

import json
import sys
import time
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.settings import ROOT
from ml.boilerplate import NOTHING, host_of, learn_boilerplate
from ml.minhash import shared, shingle
from ml.text import clean
from ml.types import CleanDocument, Document

# What the chrome of newsletters and blogs says; a clean page says none of it.
CHROME = (
    "share this post|copy link|subscribe sign in|subscribesign in|ready for more|collection notice|start writing|"
    "javascript to run|sign up to discover|text to speech|open in app|no posts|expand full comment|liked by"
).split("|")
THRESHOLD = 0.8


def read_pages(file: Path) -> list[Document]:
    """Read pages from a file in either form."""
    text, moment = file.read_text(encoding="utf-8"), datetime(2024, 1, 1, tzinfo=UTC)
    rows = json.loads(text) if text.startswith("[") else [json.loads(x) for x in text.splitlines()]
    flat = [{**row, **row.get("content", {})} for row in rows]
    return [
        Document(
            url=row.get("link") or row["url"],
            kind="article",
            author="author",
            title=row.get("Title") or row.get("title") or "",
            text=row.get("Content") or row["text"],
            language="en",
            source="pages",
            published_at=None,
            fetched_at=moment,
        )
        for row in flat
    ]


def demo_pages() -> list[Document]:
    """Read the demo's articles as they are written."""
    files = sorted((ROOT / "demo" / "articles").rglob("*.md"))
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        Document(
            f"https://demo.example/{f.stem}/",
            "article",
            "a",
            f.stem,
            f.read_text(),
            "en",
            "demo",
            None,
            moment,
        )
        for f in files
    ]


def main() -> None:
    """Clean the pages, twice in time and once in words."""
    pages = read_pages(Path(sys.argv[1])) if len(sys.argv) > 1 else demo_pages()
    size = sum(len(p.text.encode()) for p in pages) / 1e6
    started = time.perf_counter()
    learned = learn_boilerplate(pages)
    learning = time.perf_counter() - started
    started = time.perf_counter()
    results = [clean(p, learned.get(host_of(p.url), NOTHING)) for p in pages]
    cleaning = time.perf_counter() - started
    cleaned = [r for r in results if isinstance(r, CleanDocument)]
    print_chrome(pages, cleaned)
    print_pairs(cleaned)
    Console().print(
        f"{len(cleaned)} of {len(pages)} pages kept, {size:.2f} MB: learning {size / learning:.1f} MB/s, "
        f"cleaning {size / cleaning:.2f} MB/s; readers' comments on {sum(bool(c.comments) for c in cleaned)} pages"
    )


def print_chrome(pages: list[Document], cleaned: list[CleanDocument]) -> None:
    """Count the pages that say a phrase of the chrome, before and after."""
    table = Table("chrome", "pages before", "pages after")
    for phrase in CHROME:
        before = sum(phrase in " ".join(p.text.lower().split()) for p in pages)
        after = sum(phrase in " ".join(c.text.lower().split()) for c in cleaned)
        table.add_row(phrase, str(before), str(after))
    Console().print(table)


def print_pairs(cleaned: list[CleanDocument]) -> None:
    """Show the closest pairs: how alike they are, and how much of the shorter one stands in the longer."""
    shingled = shingle([c.text for c in cleaned])
    sets = [(c, shingled.row(i)) for i, c in enumerate(cleaned)]
    found = []
    for (one, a), (other, b) in combinations(sets, 2):
        if common := shared(a, b):
            inside = common / min(len(a), len(b))
            found.append(
                (
                    common / (len(a) + len(b) - common),
                    inside,
                    one.title[:40],
                    other.title[:40],
                    len(a),
                    len(b),
                )
            )
    table = Table(
        "Jaccard",
        "containment",
        "one",
        "other",
        "shingles",
        title=f"closest pairs (copies from {THRESHOLD})",
    )
    for jaccard, inside, one, other, a, b in sorted(found, reverse=True)[:10]:
        table.add_row(f"{jaccard:.3f}", f"{inside:.3f}", one, other, f"{a} / {b}")
    Console().print(table)


if __name__ == "__main__":
    main()
