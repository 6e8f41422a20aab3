"""What is to be forgotten, and how to recognise it: by its ids and addresses, or by what it says.

Pure but for the documents' own record of it. Where to look is told in `include/erasure.py`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape

from include.documents import Documents
from include.features import Features
from include.settings import Settings
from include.vectors import VectorStore

# A sentence that is shorter than this may be anybody's.
SENTENCE_WORDS, SENTENCE_CHARACTERS = 6, 40
_BLANK = re.compile(r"\\[nrt]")
_CODED = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Doors:
    """The open systems of one world."""

    settings: Settings
    documents: Documents
    vectors: VectorStore
    features: Features


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to go: by its ids, and by what it says where nobody kept an id."""

    urls: frozenset[str]
    ids: frozenset[str]
    chunk_ids: frozenset[str]
    sentences: tuple[str, ...]
    at: datetime
    # The sentences as words, by the first few of them; those with fewer words are looked for as they are.
    starts: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One place; `what` is for people."""

    name: str
    what: str
    find: Callable[[Doors, Wanted], int]
    erase: Callable[[Doors, Wanted], object]


def look_for(
    documents: Documents, urls: frozenset[str], ids: frozenset[str], at: datetime
) -> Wanted:
    """Learn from what is kept how to recognise documents elsewhere."""
    texts = [text for i in ids for text in documents.texts_of(i)]
    chunks = frozenset(documents.indexed_chunks(ids))
    found = sorted({s for text in texts for s in sentences(text)})
    starts: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {}
    for words in map(_words, found):
        start = words[:SENTENCE_WORDS]
        starts[start] = (*starts.get(start, ()), words)
    short = tuple(s for s in found if len(_words(s)) < SENTENCE_WORDS)
    return Wanted(urls, ids, chunks, short, at, starts)


def sentences(text: str) -> Iterator[str]:
    """Yield what is long enough to be recognised elsewhere, blanks made equal."""
    for part in re.split(r"(?<=[.!?:;])\s+|\n+", text):
        said = _plain(part)
        if len(said) >= SENTENCE_CHARACTERS and len(said.split()) >= SENTENCE_WORDS:
            yield said


def _plain(text: str) -> str:
    return " ".join(text.split())


def quotes(wanted: Wanted, *texts: str) -> bool:
    """Tell whether a text names one of the documents or repeats a sentence of it."""
    said = " ".join(texts)
    return any(url in said for url in wanted.urls) or says(wanted, said)


def says(wanted: Wanted, text: str) -> bool:
    """Tell whether a text repeats a sentence, however it is written: as Markdown, HTML or JSON."""
    words = _words(text)
    shifted = (words[n:] for n in range(SENTENCE_WORDS))
    for place, start in enumerate(zip(*shifted, strict=False)):
        for whole in wanted.starts.get(start, ()):
            if words[place : place + len(whole)] == whole:
                return True
    said = _plain(text) if wanted.sentences else ""
    return any(s in said for s in wanted.sentences)


def _words(text: str) -> tuple[str, ...]:
    """Take the words of a text out of whatever marks them up."""
    plain = _CODED.sub(lambda code: chr(int(code[1], 16)), _BLANK.sub(" ", unescape(text)))
    return tuple(re.findall(r"\w+", plain.casefold()))
