"""Probes: questions whose answer is known, because each was taken from the passage that it has to find.

Every other one is a sentence, asked by meaning alone: words would hide a broken embedding. Titles
and headings are asked as readers ask, by meaning and words.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import Chunk, Hit, digest

Vector = NDArray[np.float32]

# How many passages are asked about, and among how many hits the own one has to be.
PROBES = 24
TOP = 10
KINDS = ("sentence", "title", "sentence", "heading")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Probe:
    """A question and the passage that it was taken from; a title may find any passage of its document."""

    kind: str
    question: str
    chunk: Chunk

    def rank(self, hits: Sequence[Hit]) -> int:
        """Return the place of the passage among the hits, from 1; 0 where it is not among them."""
        for place, hit in enumerate(hits, start=1):
            same_document = hit.chunk.document_id == self.chunk.document_id
            if hit.chunk.id == self.chunk.id or (self.kind == "title" and same_document):
                return place
        return 0


def choose(ids: Sequence[str], many: int = PROBES) -> list[str]:
    """Choose a sample that is the same each time, and much the same when a few ids come or go."""
    return sorted(ids, key=lambda i: digest("probe", i))[:many]


def make_probes(documents: Sequence[Sequence[Chunk]]) -> list[Probe]:
    """Take one probe from each document's passages: in turn a sentence, a title, a sentence, a heading."""
    probes = []
    for number, chunks in enumerate(documents):
        if chunks:
            chunk = chunks[number % len(chunks)]
            probes.append(_probe(KINDS[number % len(KINDS)], chunk))
    return probes


def share_found(ranks: Sequence[int]) -> float:
    """Return the share of probes that found their passage; 0 where there are none."""
    return sum(r > 0 for r in ranks) / len(ranks) if ranks else 0.0


def ask_probes(
    probes: Sequence[Probe],
    encode: Callable[[Sequence[str]], Vector],
    dense: Callable[..., list[Hit]],
    search: Callable[..., list[Hit]],
) -> list[int]:
    """Ask every probe; returns at which place each found its passage, 0 where it did not."""
    ranks = []
    for probe, vector in zip(probes, encode([p.question for p in probes]), strict=True):
        alone = probe.kind == "sentence"
        hits = dense(vector, limit=TOP) if alone else search(probe.question, vector, limit=TOP)
        ranks.append(probe.rank(hits))
    return ranks


def _probe(kind: str, chunk: Chunk) -> Probe:
    """Take the kind of question that the passage can give: code and posts have neither title nor heading."""
    told = chunk.kind == "article"
    if kind == "title" and told and chunk.title:
        return Probe(kind, chunk.title, chunk)
    if kind == "heading" and told and chunk.heading not in ("", chunk.title):
        return Probe(kind, chunk.heading, chunk)
    sentences = [s.strip() for s in _SENTENCE.split(chunk.text)]
    return Probe("sentence", max(sentences, key=len, default=chunk.text), chunk)
