"""Learn how to order passages from the corpus itself: a heading asks, the other passages of its section answer.

Passages with the heading itself in them are left out of its question, so that words and meaning have
to show what they are worth elsewhere. A logistic regression over differences from the other candidates,
by Newton's method: seconds on a CPU, and the same every time.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.rerank import WEIGHTS, Found, Ranker, Ranking
from ml.terms import terms
from ml.types import Chunk, digest

Vector = NDArray[np.float32]
# Questions that are made of headings at most; more make nothing better.
MOST_PAIRS = 200
# Fewer than this teach less than another corpus already has.
FEWEST_PAIRS = 30
# Passages put forward by meaning and by words for each of them.
CANDIDATES = 40
# How strongly weights are held to those of another corpus, for each row of measurements; few headings move them little.
TRUST = 0.1
# Newton's method: steps at most, and when the weights stand still.
STEPS, STILL = 50, 1e-6


@dataclass(frozen=True, slots=True)
class Asked:
    """A question made of a heading, and the places of the passages that answer it."""

    question: str
    answers: frozenset[int]


def mine_pairs(
    chunks: Sequence[Chunk], most: int = MOST_PAIRS, without: Collection[str] = ()
) -> list[Asked]:
    """Make questions of headings whose section goes on in another passage; the choice is the same every time.

    The documents `without` which to learn answer, but do not ask.
    """
    sections: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, chunk in enumerate(chunks):
        if chunk.heading and chunk.kind == "article" and chunk.document_id not in without:
            sections[chunk.document_id, chunk.heading].append(place)
    made = []
    for (document, heading), places in sections.items():
        last = heading.split(" > ")[-1]
        answers = frozenset(p for p in places if last not in chunks[p].text)
        if answers and len(set(terms(last))) >= 2:
            made.append((digest("pair", document, heading), Asked(last, answers)))
    return [asked for _, asked in sorted(made, key=lambda m: m[0])[:most]]


def fit_ranking(
    base: Ranking,
    chunks: Sequence[Chunk],
    vectors: Vector,
    encode: Callable[[Sequence[str]], Vector],
    without: Collection[str] = (),
) -> Ranking:
    """Learn the weights for a corpus whose counts `base` has; where it teaches too little, those of another stay.

    What the headings of the documents `without` which to learn would teach is not learned.
    """
    asked = mine_pairs(chunks, without=without)
    if len(asked) < FEWEST_PAIRS:
        return base
    ranker, rows, answers = Ranker(base), [], []
    words = _Words(ranker, chunks)
    for pair, embedding in zip(asked, encode([a.question for a in asked]), strict=True):
        places, found = _candidates(pair, vectors @ embedding, words, chunks)
        right = np.array([p in pair.answers for p in places])
        if right.any() and not right.all():
            measured = ranker.features(pair.question, found)
            rows.append(measured - measured.mean(axis=0))
            answers.append(right)
    if len(rows) < FEWEST_PAIRS:
        return base
    weights = fit_logistic(np.vstack(rows), np.concatenate(answers))
    return replace(base, weights=tuple(round(float(w), 4) for w in weights), pairs=len(rows))


def fit_logistic(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit weights without an intercept, by damped Newton steps; both classes count the same."""
    share, size = right.mean(), rows.std(axis=0) + 1e-9
    usual, ridge = np.asarray(WEIGHTS) * size, TRUST * len(rows)
    scaled, weights = rows / size, usual
    importance = np.where(right, 0.5 / share, 0.5 / (1.0 - share))
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(scaled @ weights, -30.0, 30.0)))
        slope = scaled.T @ (importance * (chance - right)) + ridge * (weights - usual)
        curve = (scaled * (importance * chance * (1.0 - chance))[:, None]).T @ scaled
        step = np.linalg.solve(curve + ridge * np.eye(len(weights)), slope)
        # A long first step may overshoot where the classes are far apart.
        weights = weights - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < STILL:
            break
    found: NDArray[np.float64] = weights / size
    return found


class _Words:
    """Which passages have a term: what a store's search by words does, for a corpus in memory."""

    def __init__(self, ranker: Ranker, chunks: Sequence[Chunk]) -> None:
        self._ranker, self._chunks = ranker, chunks
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, chunk in enumerate(chunks):
            for term in set(terms(chunk.text)):
                self._places[term].append(place)

    def best(self, question: str, most: int) -> list[int]:
        """Return the places of the passages that share the rarest terms with a question."""
        total, scores = len(self._chunks), np.zeros(len(self._chunks))
        for term in set(terms(question)):
            places = self._places.get(term, [])
            scores[places] += np.log(1.0 + (total - len(places) + 0.5) / (len(places) + 0.5))
        order = np.argsort(-scores, kind="stable")[:most]
        return [int(p) for p in order if scores[p] > 0]


def _candidates(
    pair: Asked, cosines: NDArray[np.float32], words: _Words, chunks: Sequence[Chunk]
) -> tuple[list[int], list[Found]]:
    """Find what a search would put forward for a question, without passages that hold it word for word."""
    dense = [int(p) for p in np.argsort(-cosines, kind="stable")[:CANDIDATES]]
    both = dict.fromkeys([*dense, *words.best(pair.question, CANDIDATES)])
    places = [p for p in both if pair.question not in chunks[p].text]
    known = set(dense)
    return places, [Found(chunks[p], float(cosines[p]) if p in known else None) for p in places]
