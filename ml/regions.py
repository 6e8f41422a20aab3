"""Cut a Markdown text into what is said, what is code and what is quoted, line by line, losing nothing.

A CommonMark parser says which lines are which, so fences of any length, fences in lists, code by
indentation and quotations with lazy lines are right. Regions joined give the text again, byte for byte.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# The parser's own idea of a line: `str.splitlines` knows more ends than Markdown does.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
# A call-out that looks like a quotation but is the author's own.
_ALERT = re.compile(r"[ \t]*>[ \t]*\[!\w+\]")
_PREFORMATTED = re.compile(r"\s*<(?:pre|textarea)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Region:
    """Some whole lines of a text: prose, a block of code, or a quotation."""

    kind: Literal["prose", "code", "quote"]
    text: str


def regions(text: str, *, indented_code: bool = True) -> list[Region]:
    """Cut a text; without `indented_code`, as in posts, which are no Markdown, only fences make code."""
    lines = [m.group() for m in _LINE.finditer(text)]
    found: list[Region] = []
    done = 0
    for kind, start, end in _marked(text, lines, indented_code):
        if start < done:
            continue
        found += _prose(lines[done:start])
        found.append(Region(kind, "".join(lines[start:end])))
        done = end
    return found + _prose(lines[done:])


def outside_code(text: str, change: Callable[[str], str], *, indented_code: bool = True) -> str:
    """Apply a change to everything but code, which stays byte for byte."""
    cut = regions(text, indented_code=indented_code)
    return "".join(r.text if r.kind == "code" else change(r.text) for r in cut)


def _prose(lines: list[str]) -> list[Region]:
    return [Region("prose", "".join(lines))] if lines else []


def _marked(
    text: str, lines: list[str], indented_code: bool
) -> Iterator[tuple[Literal["code", "quote"], int, int]]:
    """List the code and quotations with their first line and the line after; outer ones come first."""
    for token in _parser(indented_code).parse(text):
        if not token.map:
            continue
        start, end = token.map[0], min(token.map[1], len(lines))
        raw = token.type == "html_block" and _PREFORMATTED.match(token.content)
        if raw or token.type in ("fence", "code_block"):
            yield "code", start, end
        elif token.type == "blockquote_open" and not _ALERT.match(lines[start]):
            yield "quote", start, _without_blank_end(lines, start, end)


def _without_blank_end(lines: list[str], start: int, end: int) -> int:
    while end > start and not lines[end - 1].strip():
        end -= 1
    return end


@lru_cache(maxsize=2)
def _parser(indented_code: bool) -> "MarkdownIt":
    """Make a parser that looks for blocks only."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser if indented_code else parser.disable("code")
