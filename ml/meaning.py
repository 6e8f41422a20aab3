"""Whether what is learned says in other words what the test says: told by embeddings, with one limit for all of it.

What stands in a document is compared by the passages that it touches and, where these are close, by itself. What
stands in none, as a model's answer and a reader's edit, is always compared by itself, with the test's answers as well.
Not here: who embeds (include/passages.py), and runs of words (ml/splits.py).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.negatives import FLATTENED
from ml.types import Chunk, Example, Preference, Span

Vectors = NDArray[np.float32]
# Texts with the document that each stands in, if any, to the unit vectors (k, d) of the k passages of each.
Embed = Callable[[Sequence[tuple[str, str]]], Sequence[Vectors]]
# A text may be so much nearer to the test than its source: of 150 flat ones of the demo's articles, .09 at most.
NEARLY = 0.1
# Rows of a block of cosines: all of them together would fill the memory.
ROWS = 1_024


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages of documents with their unit vectors (n, d)."""

    chunks: Sequence[Chunk]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Meaning:
    """All passages of the documents that samples are made of, who embeds other texts, and the cosine of a leak."""

    passages: Passages
    embed: Embed
    limit: float

    def leaks(self, examples: Sequence[Example], preferences: Sequence[Preference]) -> set[str]:
        """Name the training samples, pairs among them, that mean what a passage of a test answer means."""
        tests = [e for e in examples if e.split == "test"]
        ours = _touched(self.passages.chunks, [e.span for e in tests])
        found = near(self.passages, ours, self.limit)
        paired = [p for p in preferences if p.split == "train"]
        flat = [p for p in paired if p.how == FLATTENED]
        trained: list[Example | Preference] = [e for e in examples if e.split == "train"]
        wrong = {s.id for s in (*trained, *flat) if _among(found, s.span)}
        # Where its source is close, a text is looked at itself; elsewhere only what no source speaks for.
        close = near(self.passages, ours, self.limit - NEARLY)
        said = [
            (e.id, (e.span.document_id, e.messages[-1].content))
            for e in examples
            if e.split == "train" and _among(close, e.span) and e.id not in wrong
        ]
        said += [
            (p.id, ("", text))
            for p in paired
            if (p.how != FLATTENED or _among(close, p.span)) and p.id not in wrong
            for text in (p.chosen, p.rejected)
        ]
        return wrong | self._said_again(self.passages.vectors[ours], tests, said)

    def _said_again(
        self, ours: Vectors, tests: Sequence[Example], said: Sequence[tuple[str, tuple[str, str]]]
    ) -> set[str]:
        """Name what says, by its text, what a passage of ours, or a whole answer of the test, means."""
        if not (tests and said):
            return set()
        answers = self.embed([(e.span.document_id, e.messages[-1].content) for e in tests])
        tested = np.concatenate([ours, *answers])
        texts = self.embed([text for _, text in said])
        return {
            name
            for (name, _), vectors in zip(said, texts, strict=True)
            if reaching(vectors, tested, self.limit).size
        }


def near(passages: Passages, ours: Sequence[int], limit: float) -> dict[str, list[Chunk]]:
    """Find the passages of other documents whose cosine to one of ours is too high, by document."""
    found: dict[str, list[Chunk]] = defaultdict(list)
    mine = {passages.chunks[i].document_id for i in ours}
    for i in reaching(passages.vectors, passages.vectors[list(ours)], limit).tolist():
        if (chunk := passages.chunks[i]).document_id not in mine:
            found[chunk.document_id].append(chunk)
    return found


def reaching(vectors: Vectors, tested: Vectors, limit: float) -> NDArray[np.int64]:
    """Name the rows of unit vectors (n, d) whose cosine to one of the tested ones (m, d) reaches the limit."""
    if not len(tested):
        return np.zeros(0, np.int64)
    blocks = (vectors[top : top + ROWS] @ tested.T for top in range(0, len(vectors), ROWS))
    best = [block.max(axis=1) for block in blocks]
    return np.flatnonzero(np.concatenate([np.zeros(0, np.float32), *best]) >= limit)


def _touched(chunks: Sequence[Chunk], spans: Iterable[Span]) -> list[int]:
    by_document: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_document[span.document_id].append(span)
    return [
        i
        for i, chunk in enumerate(chunks)
        if any(_overlap(chunk, span) for span in by_document.get(chunk.document_id, ()))
    ]


def _among(found: Mapping[str, Sequence[Chunk]], span: Span) -> bool:
    return any(_overlap(chunk, span) for chunk in found.get(span.document_id, ()))


def _overlap(chunk: Chunk, span: Span) -> bool:
    same = chunk.document_id == span.document_id
    return same and chunk.start < span.end and span.start < chunk.end
