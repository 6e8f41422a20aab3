"""Measure whether a text says what the passages say that it was shown: support of each sentence, deterministic.

Two signs are put together: how many of a sentence's content words one passage holds, and how near the two are in
meaning. What they are worth is learned from the author's own texts, where the truth is known: a sentence with its
voice ironed flat and a third of its words exchanged is still supported by its passage, and is not by another one.
So a score is a probability. Source of the measure's form: Es et al., "RAGAS: Automated Evaluation of Retrieval
Augmented Generation", 2023, with these signs in the place of a judging model.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ml.flatten import flatten
from ml.likeness import FUNCTION_WORDS, calibration_error, separation
from ml.sentences import split_sentences
from ml.text import words

Vector = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vector]
# Known pairs that the measure is learned from; each costs three embeddings of a sentence or two.
KNOWN, FEWEST_KNOWN = 24, 6
# A sentence of fewer content words says nothing that could be supported.
FEWEST_WORDS = 3
SILENCE = 0.5
_PASSING = frozenset(FUNCTION_WORDS)


@dataclass(frozen=True, slots=True)
class Support:
    """A learned measure: weights of overlap, nearness and a constant; `separation` and `error` say how good it is."""

    overlap: float
    nearness: float
    constant: float
    separation: float = 0.5
    error: float = 0.0

    def chance(self, overlap: float, nearness: float) -> float:
        """Return the probability that a sentence with these signs is supported."""
        z = self.overlap * overlap + self.nearness * nearness + self.constant
        return float(1 / (1 + np.exp(-z)))


# What a dozen articles taught, for whoever has too few texts, or texts too much alike, to learn from.
USUAL = Support(overlap=6.9, nearness=3.0, constant=-4.9)


def learn_support(documents: Sequence[Sequence[str]], encode: Encode) -> Support:
    """Learn the measure from documents, each a list of its passages; where they teach nothing, take the usual one."""
    from sklearn.linear_model import LogisticRegression

    known = _known(documents)[:KNOWN]
    if len(known) < FEWEST_KNOWN:
        return USUAL
    vectors = iter(encode([text for triple in known for text in triple]))
    signs, truth = [], []
    for sentence, own, other in known:
        said, mine, theirs = next(vectors), next(vectors), next(vectors)
        signs += [
            (overlap(sentence, own), float(said @ mine)),
            (overlap(sentence, other), float(said @ theirs)),
        ]
        truth += [True, False]
    model = LogisticRegression(C=10.0).fit(signs, truth)
    found = model.predict_proba(signs)[:, 1].tolist()
    (of_overlap, of_nearness), constant = model.coef_[0], model.intercept_[0]
    if min(of_overlap, of_nearness) <= 0:
        return USUAL
    return Support(
        float(of_overlap),
        float(of_nearness),
        float(constant),
        separation(found, truth),
        calibration_error(found, truth),
    )


def measure_support(said: str, passages: Sequence[str], support: Support, encode: Encode) -> float:
    """Return how much of what is said the passages support: mean probability over its sentences.

    A text that claims nothing is even odds, so that silence neither helps nor hurts; without passages all else is 0.
    """
    sentences = claims_of(said)
    if not sentences or not passages:
        return 0.0 if sentences else SILENCE
    vectors = encode([*sentences, *passages])
    near = vectors[: len(sentences)] @ vectors[len(sentences) :].T
    return fmean(
        max(support.chance(overlap(s, p), float(near[i, j])) for j, p in enumerate(passages))
        for i, s in enumerate(sentences)
    )


def claims_of(said: str) -> list[str]:
    """Cut a text into the sentences that say something; one without a full stop counts as a whole."""
    found = [s for s in re.split(r"(?<=[.!?])\s+|\n+", said) if len(_content(s)) >= FEWEST_WORDS]
    return found or ([said] if len(_content(said)) >= FEWEST_WORDS else [])


def overlap(sentence: str, passage: str) -> float:
    """Return the share of a sentence's content words that a passage holds."""
    asked = _content(sentence)
    return len(asked & _content(passage)) / len(asked) if asked else 0.0


def context_precision(shown: Sequence[str], relevant: Iterable[str]) -> float:
    """Return how high the relevant ones stand among the passages shown: their average precision; 0 without any."""
    wanted = set(relevant)
    places: list[float] = []
    for place, name in enumerate(shown, start=1):
        if name in wanted:
            places.append((len(places) + 1) / place)
    return fmean(places) if places else 0.0


def context_recall(reference: str, shown: Sequence[str]) -> float:
    """Return the share of a reference's sentences that stand, word for word, in what was found."""
    sentences = split_sentences(reference)
    flat = [" ".join(text.split()) for text in shown]
    found = [any(" ".join(s.split()) in text for text in flat) for s in sentences]
    return sum(found) / len(found) if found else 0.0


def _content(text: str) -> set[str]:
    return {w.lower() for w in words(text)} - _PASSING


def _known(documents: Sequence[Sequence[str]]) -> list[tuple[str, str, str]]:
    """List (reworded sentence, its passage, another passage): half of the others are of the same document."""
    quotes = [(d, q) for d, found in enumerate(documents) for text in found if (q := _quote(text))]
    known = []
    for place, (document, sentences) in enumerate(quotes):
        same = [q for d, q in quotes if d == document and q != sentences]
        others = [q for d, q in quotes if d != document]
        near_or_far = same or others if place % 2 else others or same
        if near_or_far:
            other = near_or_far[place % len(near_or_far)]
            said = _reworded(sentences[0], other[0])
            known.append((said, " ".join(sentences), " ".join(other)))
    return known


def _quote(text: str) -> list[str]:
    """Take two sentences of a passage, as long as what the answer path shows."""
    return [s for s in split_sentences(text) if len(_content(s)) >= 2 * FEWEST_WORDS][:2]


def _reworded(sentence: str, strange: str) -> str:
    """Say a sentence in other words: blander ones, and every third replaced by one from elsewhere."""
    foreign = strange.split()
    words_of = (flatten(sentence) or sentence).split()
    return " ".join(
        foreign[i % len(foreign)] if i % 3 == 2 else word for i, word in enumerate(words_of)
    )
