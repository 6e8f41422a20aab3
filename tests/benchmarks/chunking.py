"""Seconds to cut texts into passages, beside the seconds to embed them; what does not fit the window, and what is lost.

`python tests/benchmarks/chunking.py [DIR]`: DIR holds texts of any sort; the demo's articles otherwise.
"""

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.settings import ROOT, load_settings
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.syntax import GRAMMARS
from ml.types import CleanDocument, Kind

# So many passages are embedded, spread over all; the rest would take the same time each.
EMBEDDED = 256
CODE = {".py", *GRAMMARS}


def documents(folder: Path) -> list[CleanDocument]:
    """Read the texts below a folder."""
    found = []
    for file in sorted(p for p in folder.rglob("*") if p.suffix in {".md", ".txt", *CODE}):
        kind: Kind = "code" if file.suffix in CODE else "article"
        text = file.read_text(encoding="utf-8", errors="replace")
        place = (file.as_posix(), kind, "a", file.name)
        found.append(CleanDocument(str(len(found)), "r", *place, text, "en", None))
    return found


def main(folder: Path) -> None:
    """Print one line for each size of passages."""
    settings = load_settings()
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    given = documents(folder)
    if not given:
        raise SystemExit(
            f"There is no text below {folder}: give a folder of .md, .txt or programs."
        )
    columns = (
        "tokens at most",
        "passages",
        "cutting, s",
        "embedding, s",
        "share",
        "cut off",
        "lost",
    )
    table = Table(*columns, title=f"{len(given)} texts below {folder}")
    for size in (64, settings.chunk_tokens, embedder.window):
        started = time.perf_counter()
        parts = [chunk_document(d, embedder.offsets, size, "f") for d in given]
        cutting = time.perf_counter() - started
        chunks = [c for part in parts for c in part]
        sample = chunks[:: max(1, len(chunks) // EMBEDDED)]
        started = time.perf_counter()
        embedder.encode([c.text for c in sample])
        embedding = (time.perf_counter() - started) * len(chunks) / len(sample)
        cut_off = sum(max(0, len(embedder.offsets(c.text)) - embedder.window) for c in chunks)
        lost = sum(map(lost_characters, given, parts))
        figures = (f"{cutting:.2f}", f"{embedding:.1f}", f"{cutting / embedding:.2%}")
        table.add_row(str(size), f"{len(chunks):,}", *figures, str(cut_off), str(lost))
    Console().print(table)


def lost_characters(document: CleanDocument, chunks: list) -> int:
    """Count the characters, blanks left out, that are in no passage, or not where it says."""
    left = list(document.text)
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        left[chunk.start : chunk.end] = " " * len(chunk.text)
    return sum(not c.isspace() for c in left)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "demo" / "articles")
