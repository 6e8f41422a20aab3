"""The product: one readable path from a question to a cited answer.

retrieve → rerank → compress → render → (generate, by the caller) → finish. Evidence is quoted word
for word; what the model wrote is marked as such. Below a cosine threshold the twin says that it
does not know. Nothing here opens a connection: searches and the embedder come in as arguments.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.prompts import twin_messages
from ml.types import Answer, Hit, Kind, Message, SourceRef

Vector = NDArray[np.float32]
# Sentences quoted from one chunk, and passages shown to the model: more drown a small context.
QUOTED_SENTENCES = 2
SHOWN_PASSAGES = 3
# Of one passage, that the model is shown: a small context must hold the question as well.
SHOWN_CHARACTERS = 600
# A second source is quoted only when its best sentence comes this close to the best one.
SECOND_SOURCE = 0.85


class Embeds(Protocol):
    """What the path needs of an embedder."""

    def encode(self, texts: Sequence[str]) -> Vector:
        """Embed texts into unit vectors (n, d)."""


Search = Callable[..., list[Hit]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and how to answer it; `until` asks as of a date."""

    question: str
    author: str
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None
    max_tokens: int = 96
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before the model speaks; `seconds` by step."""

    messages: tuple[Message, ...]
    sources: tuple[SourceRef, ...]
    quoted: str
    abstained: bool
    chunk_ids: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)


def prepare(
    ask: Ask,
    embedder: Embeds,
    search: Search,
    style: Mapping[str, float],
    author_name: str,
    abstain_below: float,
) -> Prepared:
    """Retrieve, rerank and compress the evidence for a question, and render the prompt."""
    started = time.monotonic()
    embedding = embedder.encode([ask.question])[0]
    hits = _retrieve(ask, embedding, search)
    found = time.monotonic()
    sentences = _rank_sentences(ask.question, embedding, hits, embedder)
    abstained = not sentences or sentences[0].cosine < abstain_below
    near = [s for s in sentences if s.cosine >= abstain_below]
    sources = () if abstained else _cite(near, hits)
    quoted = _abstention(hits) if abstained else _quote(sources)
    passages = [] if abstained else [s.quote[:SHOWN_CHARACTERS] for s in sources[:SHOWN_PASSAGES]]
    return Prepared(
        messages=twin_messages(ask.question, passages, style, author_name),
        sources=sources,
        quoted=quoted,
        abstained=abstained,
        chunk_ids=tuple(h.chunk.id for h in hits),
        seconds={"retrieve": found - started, "compress": time.monotonic() - found},
    )


def opening(prepared: Prepared) -> str:
    """Return what is said before the model speaks: the quoted evidence and the mark of what follows."""
    if prepared.abstained:
        return prepared.quoted
    return f"{prepared.quoted}\n\nIn the twin's own words (generated): "


def finish(
    prepared: Prepared, generated: str, prompt_tokens: int, completion_tokens: int
) -> Answer:
    """Put evidence and generated text together; an abstention says nothing of its own."""
    spoken = "" if prepared.abstained else generated.strip()
    return Answer(
        content=opening(prepared) + spoken,
        quoted=prepared.quoted,
        generated=spoken,
        sources=prepared.sources,
        abstained=prepared.abstained,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


@dataclass(frozen=True, slots=True)
class _Sentence:
    hit: int
    position: int
    text: str
    cosine: float
    score: float


def _retrieve(ask: Ask, embedding: Vector, search: Search) -> list[Hit]:
    filters = {"author": ask.author, "kind": ask.kind, "since": ask.since, "until": ask.until}
    return search(ask.question, embedding, limit=ask.limit, **filters)


def split_sentences(text: str) -> list[str]:
    """Cut prose into sentences that are verbatim slices; code blocks and headings are left out."""
    prose = re.sub(r"```.*?(?:```|\Z)", "\n\n", text, flags=re.DOTALL)
    prose = re.sub(r"^#{1,6} .*$", "\n", prose, flags=re.MULTILINE)
    pieces = re.split(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(*_`\[])|\n\s*\n|\n(?=[-*] )", prose)
    return [p.strip() for p in pieces if len(p.split()) >= 4]


def _rank_sentences(
    question: str, embedding: Vector, hits: Sequence[Hit], embedder: Embeds
) -> list[_Sentence]:
    """Score every sentence of the hits: its cosine, words shared with the question, its chunk's rank."""
    found = [
        (h, i, s)
        for h, hit in enumerate(hits)
        for i, s in enumerate(split_sentences(hit.chunk.text))
    ]
    if not found:
        return []
    cosines = embedder.encode([s for _, _, s in found]) @ embedding
    asked = _content_words(question)
    ranked = [
        _Sentence(h, i, s, float(c), float(c) + 0.2 * _overlap(asked, s) - 0.03 * h)
        for (h, i, s), c in zip(found, cosines, strict=True)
    ]
    return sorted(ranked, key=lambda s: (-s.score, s.hit, s.position))


def _content_words(text: str) -> set[str]:
    return {w for w in re.findall(r"[\w']+", text.lower()) if len(w) > 3}


def _overlap(asked: set[str], sentence: str) -> float:
    return len(asked & _content_words(sentence)) / len(asked) if asked else 0.0


def _cite(sentences: Sequence[_Sentence], hits: Sequence[Hit]) -> tuple[SourceRef, ...]:
    """Name each document once, by its best chunk, with that chunk's best sentences in reading order."""
    best: dict[str, int] = {}
    for sentence in sentences:
        best.setdefault(hits[sentence.hit].chunk.document_id, sentence.hit)
    return tuple(
        _reference(number, hits[index], _best_of(sentences, index))
        for number, index in enumerate(best.values(), start=1)
    )


def _best_of(sentences: Sequence[_Sentence], hit: int) -> list[_Sentence]:
    best = [s for s in sentences if s.hit == hit][:QUOTED_SENTENCES]
    return sorted(best, key=lambda s: s.position)


def _reference(number: int, hit: Hit, best: Sequence[_Sentence]) -> SourceRef:
    chunk = hit.chunk
    return SourceRef(
        number=number,
        document_id=chunk.document_id,
        chunk_id=chunk.id,
        title=chunk.title,
        url=chunk.url,
        quote=" … ".join(s.text for s in best),
        score=max(s.score for s in best),
    )


def _quote(sources: Sequence[SourceRef]) -> str:
    """Quote the best source, and the second where it comes close."""
    shown = [s for s in sources[:2] if s.score >= SECOND_SOURCE * sources[0].score]
    return "\n\n".join(f"> {' '.join(s.quote.split())} [{s.number}]" for s in shown)


def _abstention(hits: Sequence[Hit]) -> str:
    titles = list(dict.fromkeys(h.chunk.title for h in hits if h.chunk.title))[:3]
    known = f" The nearest things that I have written about: {'; '.join(titles)}." if titles else ""
    return "I have not written about that, so I would rather not guess." + known
