"""Whether cleaning kept what it must keep: code as it was written, and most of what the author said."""

import re

from ml.text import words
from ml.types import CleanDocument

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\S\n]*$", re.MULTILINE | re.DOTALL)
# What cleaning puts in the place of a secret, which may stand in code as well.
_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")


def code_is_kept(document: CleanDocument, source: str) -> bool:
    """Tell whether every code block of a clean text stands, byte for byte, in its source.

    A placeholder stands for whatever secret was there. Of a file of code, every line has to be there.
    """
    if document.kind == "code":
        blocks = [line for line in document.text.splitlines() if line.strip()]
    else:
        blocks = [match.group() for match in _FENCE.finditer(document.text)]
    return all(_stands_in(block, source) for block in blocks)


def removed_share(document: CleanDocument, source: str) -> float:
    """Return the share of a source's words that are neither in the clean text nor among its quotes: chrome."""
    before = len(words(source))
    after = len(words(document.text)) + sum(len(words(quote)) for quote in document.quotes)
    return max(0.0, 1.0 - after / before) if before else 0.0


def _stands_in(block: str, source: str) -> bool:
    if block in source:
        return True
    parts = _PLACEHOLDER.split(block)
    # Lazily, and across lines: a private key has many.
    pattern = ".*?".join(map(re.escape, parts))
    return len(parts) > 1 and re.search(pattern, source, re.DOTALL) is not None
