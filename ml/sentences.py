"""Where the sentences of a passage are: slices of prose, without code blocks and headings."""

import re
from collections.abc import Iterator

_LEFT_OUT = re.compile(r"```.*?(?:```|\Z)|^#{1,6} [^\n]*$", re.DOTALL | re.MULTILINE)
_BOUNDARY = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(*_`\[])|\n\s*\n|\n(?=[-*] )")
# Fewer words are a label, not a sentence.
SHORTEST_WORDS = 4


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a passage: `text[start:end]` is one, word for word."""
    return [span for start, end in _prose(text) for span in _cut(text, start, end)]


def split_sentences(text: str) -> list[str]:
    """Cut a passage into its sentences."""
    return [text[a:b] for a, b in sentence_spans(text)]


def _prose(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for left_out in _LEFT_OUT.finditer(text):
        yield start, left_out.start()
        start = left_out.end()
    yield start, len(text)


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    edges = [start]
    for boundary in _BOUNDARY.finditer(text, start, end):
        edges += [boundary.start(), boundary.end()]
    edges.append(end)
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        piece = text[first:last]
        if len(piece.split()) >= SHORTEST_WORDS:
            lead = len(piece) - len(piece.lstrip())
            yield first + lead, first + len(piece.rstrip())
