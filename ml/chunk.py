"""Cut a clean document into passages that fit the embedder's window, by what the text is.

Markdown is cut at headings, then between paragraphs, lists and code fences; programs between
definitions, then within them (ml/syntax.py); a post stays whole. What is still too long is cut
between sentences or lines, at last between words. A passage is a slice of the text, every character
that is not blank is in exactly one. A document is read by the tokenizer once.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from ml.syntax import cut_points
from ml.types import Chunk, CleanDocument, digest

Offsets = Callable[[str], list[tuple[int, int]]]

_BLOCK = re.compile(
    r"^(```|~~~).*?^\1[^\n]*$|^#{1,6} [^\n]*|^[^\s=+*>|-][^\n]*\n(?:={3,}|-{3,})[^\S\n]*$"
    r"|\S(?:(?!\n[^\S\n]*\n|\n(?:```|~~~|#{1,6} )).)*",
    re.S | re.M,
)
_HEADING = re.compile(r"(#{1,6}) (.*)")
_UNDERLINED = re.compile(r"([^=+*>|-][^\n]*)\n(=|-){3,}\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])[\"')\]”’]*\s+|\n")
_LINE_END = re.compile(r"\n")
# What every tokenizer takes for the end of a word; controls are blanks to Python, and nothing to most of them.
_BLANK = re.compile(r"[ \t\r\n]")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A slice of the text that should stay together; `starts` says that a new passage begins here."""

    start: int
    end: int
    heading: str
    starts: bool


class _Tokens:
    """The tokens of one text: how many of them a slice touches, and where it may be cut."""

    def __init__(self, text: str, offsets: Offsets, most: int) -> None:
        self.text = text
        self.most = most
        self._offsets = offsets
        spans = offsets(text)
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def fit(self, start: int, end: int) -> bool:
        """Tell whether a slice has at most as many tokens as fit the window.

        Part of a word has other tokens alone than within it, and may have more of them: it is read again.
        """
        first, after = bisect_left(self._ends, start + 1), bisect_left(self._starts, end)
        if after - first > self.most:
            return False
        if self._parts_word(start) or self._parts_word(end):
            return len(self._offsets(self.text[start:end])) <= self.most
        return True

    def cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut a slice into pieces that fit: between words, or within one that is too long itself."""
        while not self.fit(start, end):
            middle = self._last_cut(start, end)
            yield start, middle
            start = middle
        yield start, end

    def _last_cut(self, start: int, end: int) -> int:
        first = bisect_left(self._ends, start + 1)
        last = min(first + self.most, bisect_left(self._starts, end) - 1)
        tokens = range(last, first, -1)
        words = (i for i in tokens if not self._parts_word(self._starts[i]))
        for token in chain(words, tokens):
            at = self._starts[token]
            if at > start and self.fit(start, at):
                return at
        return start + 1

    def _parts_word(self, at: int) -> bool:
        """Tell whether a cut may lie within a word: where no blank is; what else is between tokens they leave out."""
        after = bisect_left(self._starts, at)
        if after == 0:
            return False
        ended = self._ends[after - 1]
        if after == len(self._starts):
            return ended > at
        return ended > at or not _BLANK.search(self.text, ended, self._starts[after])


def chunk_document(
    document: CleanDocument, offsets: Offsets, max_tokens: int, fingerprint: str
) -> list[Chunk]:
    """Cut one document; `offsets` gives the character span of every token of a text."""
    tokens = _Tokens(document.text, offsets, max_tokens)
    small = [p for piece in _pieces(document, tokens) for p in _shrink(document, piece, tokens)]
    return [
        _chunk(document, position, passage, fingerprint)
        for position, passage in enumerate(_merge(small, tokens))
    ]


def _chunk(document: CleanDocument, position: int, piece: _Piece, fingerprint: str) -> Chunk:
    return Chunk(
        id=digest("chunk", document.id, document.revision, fingerprint, str(position)),
        document_id=document.id,
        revision=document.revision,
        position=position,
        text=document.text[piece.start : piece.end],
        heading=piece.heading,
        start=piece.start,
        end=piece.end,
        author=document.author,
        kind=document.kind,
        title=document.title,
        url=document.url,
        published_at=document.published_at,
    )


def _pieces(document: CleanDocument, tokens: _Tokens) -> Iterator[_Piece]:
    """Cut a document where its kind allows."""
    match document.kind:
        case "article":
            return _markdown_pieces(document.text, document.title)
        case "code":
            return _code_pieces(document.text, document.title, tokens)
        case "post":
            return iter(_trim(document.text, 0, len(document.text), document.title, starts=True))


def _markdown_pieces(text: str, title: str) -> Iterator[_Piece]:
    path: list[tuple[int, str]] = []
    for match in _BLOCK.finditer(text):
        heading = _heading(match.group())
        if heading:
            path = [*(p for p in path if p[0] < heading[0]), heading]
        where = " > ".join([title, *(name for _, name in path)])
        yield from _trim(text, match.start(), match.end(), where, starts=heading is not None)


def _heading(block: str) -> tuple[int, str] | None:
    """Return the level and name of a heading, in either of Markdown's two forms."""
    if found := _HEADING.match(block):
        return len(found.group(1)), found.group(2).strip()
    if found := _UNDERLINED.fullmatch(block):
        return 1 if found.group(2) == "=" else 2, found.group(1).strip()
    return None


def _code_pieces(text: str, title: str, tokens: _Tokens) -> Iterator[_Piece]:
    cuts = cut_points(text, title, tokens.fit)
    cuts = cuts or [m.end() for m in re.finditer(r"\n[^\S\n]*\n+", text)]
    for start, end in pairwise(sorted({0, *cuts, len(text)})):
        yield from _trim(text, start, end, title, starts=False)


def _trim(text: str, start: int, end: int, heading: str, *, starts: bool) -> list[_Piece]:
    """Take blanks off both ends; nothing is left of a blank slice."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return [_Piece(start, end, heading, starts)] if start < end else []


def _shrink(document: CleanDocument, piece: _Piece, tokens: _Tokens) -> list[_Piece]:
    """Cut a piece that is too long between sentences or lines, and a sentence that is too long between words."""
    if tokens.fit(piece.start, piece.end):
        return [piece]
    rule = _LINE_END if document.kind == "code" else _SENTENCE_END
    ends = [m.end() for m in rule.finditer(document.text, piece.start, piece.end)]
    small: list[_Piece] = []
    for start, end in pairwise(sorted({piece.start, *ends, piece.end})):
        for cut in tokens.cut(start, end):
            first = piece.starts and not small
            small += _trim(document.text, *cut, piece.heading, starts=first)
    return small


def _merge(pieces: Sequence[_Piece], tokens: _Tokens) -> list[_Piece]:
    """Join neighbours under one heading as long as they fit."""
    merged: list[_Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and not piece.starts and tokens.fit(last.start, piece.end):
            merged[-1] = _Piece(last.start, piece.end, last.heading, last.starts)
        else:
            merged.append(piece)
    return merged
