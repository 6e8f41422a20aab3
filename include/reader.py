"""One colour of the index with its own embedder: they are never mixed. Its scores by meaning are cosines."""

import math
from dataclasses import dataclass, replace
from typing import Unpack

from include.colours import Distance
from include.vectors import Only, Vector, VectorStore
from ml.embed import Embedder
from ml.types import Hit


@dataclass(frozen=True, slots=True)
class Reader:
    """A colour that is open; `fingerprint` is empty where it was written without a name."""

    vectors: VectorStore
    embedder: Embedder
    fingerprint: str
    distance: Distance = "cosine"

    def dense(self, embedding: Vector, *, limit: int, **only: Unpack[Only]) -> list[Hit]:
        """Search by meaning; whatever the index compares by, the scores are cosines."""
        hits = self.vectors.dense(embedding, limit=limit, **only)
        return [replace(h, score=as_cosine(h.score, self.distance, len(embedding))) for h in hits]


def as_cosine(score: float, distance: Distance, dimensions: int) -> float:
    """Turn the score of a search by meaning into a cosine of unit vectors; of Manhattan distances nearly so."""
    if distance in ("cosine", "dot"):
        return score
    if distance == "l2":
        return 1.0 + score / 2.0
    # The differences of many numbers are spread like a bell: the mean size is √(2/π) of the root mean square.
    return 1.0 - score**2 * math.pi / (4.0 * dimensions)
