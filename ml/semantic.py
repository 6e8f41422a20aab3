"""Find texts that mean the same: every cosine of unit vectors that reaches a threshold, exactly.

Short vectors, whose products are never below the cosines, say which pairs can be alike; the cosines of these
are computed. The matrix of all products is never there as a whole: one block of it is made, looked at and
dropped. Up to some 50,000 vectors this is faster than building an approximate index, and it misses nothing.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

# Rows and columns of one block of products, which takes 16 MB.
DOWN, ACROSS = 1_024, 4_096
# Numbers of a short vector: fewer cost less, and let more pairs through.
SHORT = 96
# Vectors that say which directions are the longest.
SAMPLE = 4_096
# What rounding in float32 may take from a product.
SLACK = 1e-4

Vectors = NDArray[np.float32]


class Meanings:
    """What texts mean, while they pass by: of each a unit vector stays, by its id."""

    def __init__(self) -> None:
        self._vectors: dict[str, Vectors] = {}

    def add(self, vectors: Mapping[str, Vectors]) -> None:
        """Look at some more texts."""
        self._vectors |= vectors

    def ids(self, threshold: float) -> set[str]:
        """Name the texts that are near enough to another; a hair's breadth below counts as well."""
        names = list(self._vectors)
        if len(names) < 2:
            return set()
        pairs, _ = same_meaning(np.stack([*self._vectors.values()]), threshold - SLACK)
        return {names[row] for row in np.unique(pairs).tolist()}

    def of(self, names: Collection[str]) -> dict[str, Vectors]:
        """Return the vectors of some texts."""
        return {name: vector for name, vector in self._vectors.items() if name in names}


def same_meaning(vectors: Vectors, threshold: float) -> tuple[NDArray[np.int64], Vectors]:
    """Pair up the rows (m, 2) of unit vectors (n, d) whose cosine reaches the threshold, with their cosines (m,)."""
    from threadpoolctl import threadpool_limits

    # Of thin matrices a second thread makes little more than waiting; on a busy machine it takes three times as long.
    with threadpool_limits(1):
        found = list(_candidates(_shortened(vectors), threshold - SLACK))
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *found])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    parts = np.array_split(pairs, len(pairs) // DOWN + 1)
    cosines = np.concatenate([_cosines(vectors, part) for part in parts])
    return pairs[cosines >= threshold], cosines[cosines >= threshold]


def mean_vector(vectors: Vectors) -> Vectors:
    """Return the direction (d,) of several vectors (n, d) together, as a unit vector."""
    total = vectors.sum(axis=0)
    unit: Vectors = total / max(float(np.linalg.norm(total)), 1e-12)
    return unit


def _cosines(vectors: Vectors, pairs: NDArray[np.int64]) -> Vectors:
    cosines: Vectors = np.einsum("id,id->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return cosines


def _shortened(vectors: Vectors) -> Vectors:
    """Turn vectors (n, d) into short ones (n, s + 1) whose products are never below those of the whole ones.

    The first s numbers are the coordinates in the directions in which the vectors are longest, the last one is the
    length of the rest: two rests have at most the product of their lengths in common (Cauchy and Schwarz).
    """
    if vectors.shape[1] <= SHORT:
        return vectors
    some = vectors[:: len(vectors) // SAMPLE + 1]
    _, directions = np.linalg.eigh(some.T @ some)
    kept = vectors @ directions[:, -SHORT:]
    squares = (np.einsum("id,id->i", v, v) for v in (vectors, kept))
    rest = np.maximum(np.subtract(*squares), 0)
    return np.column_stack([kept, np.sqrt(rest)])


def _candidates(vectors: Vectors, least: float) -> Iterator[NDArray[np.int64]]:
    """Pair up the rows whose product is not below the least, the lower row first."""
    # One piece of memory for all blocks: to ask for it anew takes as long as to fill it.
    space = np.empty((DOWN, ACROSS), dtype=np.float32)
    for top in range(0, len(vectors), DOWN):
        rows = vectors[top : top + DOWN]
        for left in range(top, len(vectors), ACROSS):
            columns = vectors[left : left + ACROSS].T
            products = np.matmul(rows, columns, out=space[: len(rows), : columns.shape[1]])
            down, across = np.divmod(np.flatnonzero(products >= least), products.shape[1])
            pairs = np.column_stack([down + top, across + left])
            yield pairs[pairs[:, 0] < pairs[:, 1]]
