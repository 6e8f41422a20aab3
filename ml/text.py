"""Clean a document without touching its voice; ml/style.py measures that voice.

Cleaning is a list of small steps: apostrophes, punctuation, paragraphs and lists stay as they were written,
code byte for byte. Words of other people, quoted or in comments, leave the text but are kept beside it.
Nothing here knows where a document came from or goes.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from ml.boilerplate import NOTHING, Boilerplate, split_comments, without_boilerplate
from ml.characters import drop_hidden, mend_characters
from ml.redact import redact_parts
from ml.regions import Region, outside_code, regions
from ml.types import CleanDocument, Document, Kind, Rejected, digest

# Fewer words than this hold no voice to learn.
MINIMUM_WORDS: Mapping[Kind, int] = {"article": 50, "post": 5, "code": 5}

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Split prose into words; numbers and punctuation are not words."""
    return _WORD.findall(text)


def clean(
    document: Document,
    boilerplate: Boilerplate = NOTHING,
    allowed: frozenset[str] = frozenset(),
) -> CleanDocument | Rejected:
    """Clean one document, or say why nothing of it can be used."""
    text, quotes, comments = document.text, tuple[str, ...](), tuple[str, ...]()
    if document.kind != "code":
        text, quotes, comments = _author_and_others(document, boilerplate)
    parts, _ = redact_parts((document.title, text, *quotes, *comments), allowed)
    title, text, others = parts[0], parts[1], parts[2:]
    found = len(words(text))
    if found < MINIMUM_WORDS[document.kind]:
        return _too_short(document, found)
    return CleanDocument(
        id=document.id,
        revision=digest("revision", title, text),
        url=document.url,
        kind=document.kind,
        author=document.author,
        title=title,
        text=text,
        language=document.language,
        published_at=document.published_at,
        quotes=tuple(others[: len(quotes)]),
        comments=tuple(others[len(quotes) :]),
    )


def prose_of(document: CleanDocument) -> str:
    """Return the text without code blocks: what the author says, not what a machine runs."""
    return (
        document.text
        if document.kind == "code"
        else "".join(
            "\n" if region.kind == "code" else region.text
            for region in _cut(document, document.text)
        )
    )


def _too_short(document: Document, found: int) -> Rejected:
    return Rejected(
        where=document.url,
        stage="clean",
        reason="too-short",
        source=document.source,
        value=f"{found} words",
        text=document.text,
        revision=document.revision,
    )


def _author_and_others(
    document: Document, boilerplate: Boilerplate
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Separate what the author says from what is quoted and what readers wrote, without what the host adds."""
    text = outside_code(document.text, _visible, indented_code=document.kind == "article")
    said, below = split_comments(text) if document.kind == "article" else (text, "")
    cut = without_boilerplate(_cut(document, said), boilerplate, document.title)
    written = without_boilerplate(_cut(document, below), boilerplate, document.title)
    quotes = (_unquote(region.text) for region in cut if region.kind == "quote")
    comments = (*document.comments, "".join(region.text for region in written))
    return (
        _tidy([region for region in cut if region.kind != "quote"]),
        tuple(filter(None, quotes)),
        tuple(c.strip() for c in comments if words(c)),
    )


def _cut(document: Document | CleanDocument, text: str) -> list[Region]:
    return regions(text, indented_code=document.kind == "article")


def _visible(prose: str) -> str:
    return drop_hidden(mend_characters(prose))


def _unquote(text: str) -> str:
    return re.sub(r"^[ \t]*> ?", "", text, flags=re.MULTILINE).strip()


def _tidy(cut: Iterable[Region]) -> str:
    """Join regions; blank lines that others left behind, and blanks at line ends, go from the prose."""
    runs = groupby(cut, key=lambda r: r.kind == "code")
    parts = ((is_code, "".join(r.text for r in run)) for is_code, run in runs)
    joined = "".join(text if is_code else _tidy_blank_lines(text) for is_code, text in parts)
    return joined.strip("\n") + "\n"


def _tidy_blank_lines(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE))
