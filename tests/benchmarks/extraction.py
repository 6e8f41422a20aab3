"""Article bodies against hand-made truth: precision, recall and F1 of words, beside plain trafilatura.

`python tests/benchmarks/extraction.py [PLACE]` (`make bench-extraction DIR=…`): a folder of NAME.html with NAME.txt (or
NAME.md), or a file of JSON lines of {"html", "expected"}; without it, the demo's site and the saved pages.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from demo.site import load_pages, render
from include.crawlers.article import read_article
from include.settings import ROOT

SAVED = ROOT / "tests" / "saved" / "extraction"
Truth = tuple[str, str, str]


def main() -> None:
    """Print a row for each page, then the mean and the worst of both."""
    pages = list(read_truth(Path(sys.argv[1])) if len(sys.argv) > 1 else own_truth())
    if not pages:
        sys.exit(
            f"No page with its truth in {sys.argv[1]}: NAME.html beside NAME.txt, or JSON lines of html, expected."
        )
    table = Table(
        "page",
        "words",
        "precision",
        "recall",
        "F1",
        "trafilatura P",
        "R",
        "F1",
        title=f"{len(pages)} pages",
    )
    ours, theirs = [], []
    for name, html, expected in pages:
        mine, plain = score(extract(html), expected), score(extract_plainly(html), expected)
        ours.append(mine[2])
        theirs.append(plain[2])
        figures = [f"{x:.3f}" for x in (*mine, *plain)]
        table.add_row(name, str(len(tokens(expected))), *figures)
    Console().print(table)
    for name, scores in (("ours", ours), ("trafilatura", theirs)):
        Console().print(f"{name}: mean F1 {fmean(scores):.4f}, worst {min(scores):.4f}")
    Console().print(
        f"ratio of what is missing to F1 1: {(1 - fmean(ours)) / max(1 - fmean(theirs), 1e-9):.2f}"
    )


def read_truth(place: Path) -> Iterator[Truth]:
    """Read pages with their truth: (name, html, expected text)."""
    if place.is_file():
        for number, line in enumerate(place.read_text(encoding="utf-8").splitlines(), 1):
            row = json.loads(line)
            yield row.get("name") or row.get("url") or str(number), row["html"], row["expected"]
        return
    for page in sorted(place.glob("*.html")):
        truths = [page.with_suffix(s) for s in (".txt", ".md") if page.with_suffix(s).exists()]
        if truths:
            yield page.stem, page.read_text(encoding="utf-8"), truths[0].read_text(encoding="utf-8")


def own_truth() -> Iterator[Truth]:
    """Take the demo's site, whose truth is the Markdown that its authors wrote, and the saved pages."""
    pages = load_pages(2)
    for path, page in pages.items():
        written = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", page.body)
        yield path, render(page, pages, "https://demo.example"), written
    yield from read_truth(SAVED)


def extract(html: str) -> str:
    """Extract as the platform does."""
    return read_article(html, "https://page.example/a/").text


def extract_plainly(html: str) -> str:
    """Extract as trafilatura does, at its best for this: Markdown, without comments."""
    from trafilatura import extract

    return (
        extract(html, include_comments=False, include_tables=True, output_format="markdown") or ""
    )


def tokens(text: str) -> list[str]:
    """Split a text into words and numbers; Markdown's marks are none."""
    return re.findall(r"\w+", text.casefold())


def score(found: str, expected: str) -> tuple[float, float, float]:
    """Compare bags of words: precision, recall, F1."""
    ours, truth = Counter(tokens(found)), Counter(tokens(expected))
    common = (ours & truth).total()
    precision, recall = common / max(ours.total(), 1), common / max(truth.total(), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


if __name__ == "__main__":
    main()
