"""Keep of the found passages the sentences that matter, inside a budget of tokens.

A sentence counts by the rare words that it shares with the question, and by its neighbours: an answer
often stands beside the sentence that names its subject. Its meaning counts too where sentences are
embedded, which takes longer than everything else before the first token.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.injection import speaks_to_a_model
from ml.rerank import Found, Ranker
from ml.sentences import sentence_spans
from ml.types import Chunk

Count = Callable[[str], int]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
# Sentences of one passage at most, and what a neighbour's worth adds to a sentence.
SENTENCES, NEIGHBOUR = 4, 0.4
# What shared words are worth beside the cosine of a sentence.
WORDS = 0.3


@dataclass(frozen=True, slots=True)
class Extract:
    """What is kept of a passage: slices of its text in reading order."""

    found: Found
    spans: tuple[tuple[int, int], ...]

    @property
    def quote(self) -> str:
        """Join the slices; what was left out between them is an ellipsis."""
        return " … ".join(self.found.chunk.text[a:b] for a, b in self.spans)


def compress(
    question: str,
    found: Sequence[Found],
    ranker: Ranker,
    count: Count,
    budget: int,
    embed: Embed | None = None,
) -> list[Extract]:
    """Extract the sentences that matter of each passage, best passage first, as many as the budget holds.

    The first sentence is always kept, however long. `embed` gives sentences, and the question, their meaning.
    """
    spans = [_spans(f.chunk) for f in found]
    texts = [[f.chunk.text[a:b] for a, b in s] for f, s in zip(found, spans, strict=True)]
    worth = _worth(question, texts, ranker, embed)
    kept: list[Extract] = []
    for place, passage in enumerate(found):
        order = sorted(range(len(worth[place])), key=lambda i: (-worth[place][i], i))[:SENTENCES]
        chosen: list[int] = []
        for sentence in order:
            cost = count(texts[place][sentence])
            if cost <= budget or not (kept or chosen):
                chosen.append(sentence)
                budget -= cost
        if chosen:
            slices = [spans[place][i] for i in sorted(chosen)]
            kept.append(Extract(passage, tuple(_joined(passage.chunk.text, slices))))
    return kept


def whole(found: Sequence[Found], count: Count, budget: int) -> list[Extract]:
    """Keep whole passages, best first, as many as the budget holds, and the first one in any case.

    One with a sentence to a model is left out.
    """
    kept: list[Extract] = []
    for passage in (f for f in found if not speaks_to_a_model(f.chunk.text)):
        budget -= count(passage.chunk.text)
        if budget < 0 and kept:
            break
        kept.append(Extract(passage, ((0, len(passage.chunk.text)),)))
    return kept


def _spans(chunk: Chunk) -> list[tuple[int, int]]:
    """Find the sentences of a passage but for those to a model; one without any, such as a program, is taken whole."""
    spans = sentence_spans(chunk.text) or [(0, len(chunk.text))]
    return [(a, b) for a, b in spans if not speaks_to_a_model(chunk.text[a:b])]


def _joined(text: str, slices: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Make one slice of those between which nothing was left out."""
    start, end = slices[0]
    for first, last in slices[1:]:
        if text[end:first].strip():
            yield start, end
            start = first
        end = last
    yield start, end


def _worth(
    question: str, texts: Sequence[Sequence[str]], ranker: Ranker, embed: Embed | None
) -> list[list[float]]:
    flat = [t for passage in texts for t in passage]
    shared = np.asarray(ranker.coverage(question, flat), dtype=np.float64)
    if embed is not None and flat:
        vectors = embed([question, *flat])
        shared = WORDS * shared + vectors[1:] @ vectors[0]
    parts = np.split(shared, np.cumsum([len(p) for p in texts])[:-1]) if texts else []
    return [_with_neighbours(part) for part in parts]


def _with_neighbours(worth: NDArray[np.float64]) -> list[float]:
    padded = np.concatenate([[0.0], worth, [0.0]])
    return [float(w) for w in worth + NEIGHBOUR * (padded[:-2] + padded[2:])]
