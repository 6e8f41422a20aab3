"""Order what was found by how well it answers: a small model over what a passage and a question have in common.

The model is four weights, learned from the corpus itself (ml/ranker.py), with the counts of its words;
without any it falls back on weights that were learned on another corpus. It is plain values, kept as
JSON. Any other judge of a question and a passage, a cross-encoder for one, may take its place.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.terms import covered, terms, weigh
from ml.types import Chunk, Hit

# What a passage is judged by, in the order of the weights.
FEATURES = ("cosine", "words", "covered", "length")
# Learned from the headings of 71 technical articles; a corpus of one's own brings better ones.
WEIGHTS = (7.1, 3.6, 0.7, 0.35)
# BM25, with the usual constants; divided, so that scores are of the size of the other features.
SATURATION, LENGTH_SHARE, WORDS_SCALE = 1.2, 0.75, 36.0
# Terms of a passage whose length is nothing special.
USUAL_TERMS = 70.0
# A passage that only words found is less like the question than the last one that its meaning found.
UNSEEN_COSINE = 0.02
# Of reciprocal rank fusion, as usual.
RANK_CONSTANT = 60.0

# Where half of the questions have an answer, and how fast that changes: fitted to the development half of the
# questions of tests/benchmarks/rag.py, for the weights above. Another embedder wants other ones.
MIDDLE, STEEPNESS = 3.2, 4.0

Scores = Callable[[str, Sequence[Chunk]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found; `cosine` is None where only its words found it. Higher scores are better.

    `fused` is what the searches' orders alone make of it, `chance` how likely it is that the passage answers at
    all, which means the same in every corpus. `shared` is what others may have written.
    """

    chunk: Chunk
    cosine: float | None
    fused: float = 0.0
    score: float = 0.0
    chance: float = 0.0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was learned of one index: weights by feature, and in how many of `passages` a term occurs.

    `fingerprint` names the index. Terms of a single document are not among the counts.
    """

    fingerprint: str = ""
    weights: tuple[float, ...] = WEIGHTS
    passages: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    pairs: int = 0


class Ranker:
    """A ranking with the terms of the passages that it has read: `KEPT` of them at most, for speed alone."""

    KEPT = 4_096

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking
        self._read: dict[str, Counter[str]] = {}

    def rank(self, question: str, found: Sequence[Found]) -> list[Found]:
        """Return the passages, best first, with their scores."""
        if not found:
            return []
        features = self.features(question, found)
        scores = features @ np.asarray(self.ranking.weights)
        usual = STEEPNESS * (features @ np.asarray(WEIGHTS) - MIDDLE)
        chances = 1.0 / (1.0 + np.exp(-usual))
        rated = [replace(f, chance=float(c)) for f, c in zip(found, chances, strict=True)]
        return best_first(rated, [float(s) for s in scores])

    def features(self, question: str, found: Sequence[Found]) -> NDArray[np.float64]:
        """Measure passages against a question: (n, features), each of the size of 1."""
        read = [self._terms(f.chunk) for f in found]
        weights = weigh(set(terms(question)), *self._counts(read))
        low = min((f.cosine for f in found if f.cosine is not None), default=0.0) - UNSEEN_COSINE
        rows = [
            (
                low if passage.cosine is None else passage.cosine,
                bm25(weights, said) / WORDS_SCALE,
                covered(weights, said),
                min(said.total() / USUAL_TERMS, 2.0),
            )
            for passage, said in zip(found, read, strict=True)
        ]
        return np.array(rows, dtype=np.float64).reshape(len(found), len(FEATURES))

    def coverage(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return, for each text, the share of the question's terms that it has, each by its rarity."""
        said = [set(terms(t)) for t in texts]
        counts = self.ranking.counts or count_terms(said)
        weights = weigh(set(terms(question)), counts, self.ranking.passages or len(said))
        return [covered(weights, s) for s in said]

    def _counts(self, read: Sequence[Counter[str]]) -> tuple[Mapping[str, int], int]:
        """Return the corpus's counts; without them, those of what was found."""
        if self.ranking.passages:
            return self.ranking.counts, self.ranking.passages
        return count_terms(read), len(read)

    def _terms(self, chunk: Chunk) -> Counter[str]:
        if chunk.id not in self._read:
            if len(self._read) >= self.KEPT:
                self._read.clear()
            self._read[chunk.id] = Counter(terms(chunk.text))
        return self._read[chunk.id]


def best_first(found: Sequence[Found], scores: Sequence[float]) -> list[Found]:
    """Give passages their scores and sort them; equal ones by id, so that nothing depends on chance."""
    scored = [replace(f, score=s) for f, s in zip(found, scores, strict=True)]
    return sorted(scored, key=lambda f: (-f.score, f.chunk.id))


def bm25(weights: Mapping[str, float], said: Counter[str]) -> float:
    """Score how much a text says of the weighed terms."""
    long = SATURATION * (1.0 - LENGTH_SHARE + LENGTH_SHARE * said.total() / USUAL_TERMS)
    return sum(
        weight * n * (SATURATION + 1.0) / (n + long)
        for term, weight in weights.items()
        if (n := said.get(term, 0))
    )


def count_terms(texts: Iterable[Iterable[str]]) -> dict[str, int]:
    """Count in how many texts each term occurs."""
    counted: Counter[str] = Counter()
    for said in texts:
        counted.update(set(said))
    return dict(counted)


def join(dense: Sequence[Sequence[Hit]], words: Sequence[Sequence[Hit]]) -> list[Found]:
    """Put together what searches by meaning found, with cosines, and what words found, fused by reciprocal ranks."""
    chunks: dict[str, Chunk] = {}
    cosines: dict[str, float] = {}
    fused: dict[str, float] = defaultdict(float)
    for place, hits in enumerate([*dense, *words]):
        for rank, hit in enumerate(hits, start=1):
            name = hit.chunk.id
            chunks[name] = hit.chunk
            fused[name] += 1.0 / (RANK_CONSTANT + rank)
            if place < len(dense):
                cosines[name] = max(hit.score, cosines.get(name, -1.0))
    return [Found(chunk, cosines.get(i), fused[i]) for i, chunk in chunks.items()]


def to_values(ranking: Ranking) -> dict[str, object]:
    """Turn a ranking into what is kept as JSON; the weights have names."""
    weights = dict(zip(FEATURES, ranking.weights, strict=True))
    return {**asdict(ranking), "weights": weights}


def from_values(values: Mapping[str, Any]) -> Ranking:
    """Read a ranking; ValueError where its weights are not for the features that are measured here."""
    if tuple(values["weights"]) != FEATURES:
        raise ValueError(
            f"A ranking has weights for {', '.join(values['weights'])}, but {', '.join(FEATURES)} are measured. "
            "Run fit_ranking again."
        )
    weights = tuple(float(w) for w in values["weights"].values())
    return Ranking(**{**values, "weights": weights})
