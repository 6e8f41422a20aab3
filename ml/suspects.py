"""Tell, while texts pass by, which ones may be copies of each other: only these have to be held and compared.

Of every text some 700 bytes stay: hashes of its address and of its words, the bands of its MinHash signature, a
sample of its shingles. Every pair that `ml/dedup.py` would find among all texts, by words or by address,
it finds among the suspects; what means the same in other words is none of this module's business.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.dedup import SHORTEST_EXCERPT, page_of
from ml.minhash import SAMPLED, SHINGLE_WORDS, Hashes, Rows, band_keys, overlapping_rows, shingle
from ml.types import CleanDocument, digest

# The sampled shingles are looked at in so many parts, so that sorting them takes little memory.
PARTS = 8


class Suspects:
    """What is kept of the texts that passed by."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._wholes: list[Hashes] = []
        self._bands: list[Hashes] = []
        self._sampled: list[Hashes] = []
        self._owners: list[NDArray[np.uint32]] = []

    def add(self, documents: Sequence[CleanDocument]) -> None:
        """Look at some more documents."""
        shingled = shingle([d.text for d in documents])
        pages = np.array([_hash(page_of(d.url)) for d in documents], dtype=np.uint64)
        # A text without shingles agrees with nothing: its keys are its own.
        alone = np.arange(len(self._ids), len(self._ids) + len(documents), dtype=np.uint64)
        bands = np.where((shingled.counts > 0)[:, None], band_keys(shingled), alone[:, None])
        self._wholes.append(shingled.wholes)
        self._bands.append(np.column_stack([pages, bands]))
        articles = np.array([d.kind == "article" for d in documents], dtype=bool)
        long = articles & (shingled.counts + SHINGLE_WORDS - 1 >= SHORTEST_EXCERPT)
        keep = ((shingled.hashes & np.uint64(SAMPLED - 1)) == 0) & np.repeat(long, shingled.counts)
        owners = np.repeat(alone, shingled.counts)[keep]
        self._sampled.append(shingled.hashes[keep])
        self._owners.append(owners.astype(np.uint32))
        self._ids += [d.id for d in documents]

    def ids(self) -> set[str]:
        """Name the documents that share an address, their words, a band or enough of the sample with another."""
        if not self._ids:
            return set()
        found = np.zeros(len(self._ids), dtype=bool)
        found |= _met_twice(np.concatenate(self._wholes))
        for column in range(self._bands[0].shape[1]):
            found |= _met_twice(np.concatenate([bands[:, column] for bands in self._bands]))
        found[self._overlapping()] = True
        return {self._ids[row] for row in np.flatnonzero(found).tolist()}

    def _overlapping(self) -> Rows:
        sampled, owners = np.concatenate(self._sampled), np.concatenate(self._owners)
        part = (sampled // np.uint64(SAMPLED)) % np.uint64(PARTS)
        places = [np.flatnonzero(part == number) for number in range(PARTS)]
        pieces = [(sampled[p], owners[p].astype(np.int64)) for p in places]
        return np.unique(overlapping_rows(pieces, len(self._ids)))


def _hash(text: str) -> int:
    return int(digest(text)[:16], 16)


def _met_twice(values: Hashes) -> NDArray[np.bool_]:
    """Tell of each value whether it is there more than once."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    twice: NDArray[np.bool_] = counts[places] > 1
    return twice
