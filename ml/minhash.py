"""Texts as sets of word 5-grams, in numpy: hashed, sketched, and paired up where they may be alike.

Nothing here loops over words or hashes in Python. A shingle is the 64-bit hash of five words in a row;
the shingles of all texts stand in one flat array. Sources: Broder, "On the resemblance and containment
of documents", 1997; for the bands, Leskovec et al., "Mining of Massive Datasets", chapter 3.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]

SHINGLE_WORDS = 5
# 20 bands of 6 rows miss a pair of similarity .8 once in 440 times, one of .9 never.
BANDS, ROWS = 20, 6
# One shingle in so many stands for its text where parts of texts are compared …
SAMPLED = 8
# … and so many of them must be shared before two texts are looked at.
SHARED = 3
# A crowd: of so many texts with one key, each is compared with the first ones only, or none is.
CROWD = 32
# Characters that are hashed at once: what fits the processor's cache is fastest.
BLOCK = 1 << 17
# Any odd number will do as the base of a polynomial over 64 bits; this one comes from the golden ratio.
BASE = 0x9E3779B97F4A7C15
SEED = 7


@dataclass(frozen=True, slots=True)
class Shingled:
    """The shingles of n texts: those of text i are `hashes[starts[i]:starts[i + 1]]`, doublets included.

    `wholes[i]` is a hash of all words of text i in their order.
    """

    hashes: Hashes
    starts: Rows
    wholes: Hashes

    @property
    def counts(self) -> Rows:
        """Return how many shingles each text has, shape (n,)."""
        return np.diff(self.starts)

    def row(self, i: int) -> Hashes:
        """Return the shingles of one text, sorted, each once."""
        return np.unique(self.hashes[self.starts[i] : self.starts[i + 1]])

    def of(self, rows: Rows) -> "Shingled":
        """Return those of some texts, in the order of `rows`."""
        if np.array_equal(rows, np.arange(len(self.wholes))):
            return self  # most often all are wanted, and a copy of all takes as much memory again
        counts = self.counts[rows]
        starts = _starts(counts)
        places = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], counts)
        return Shingled(self.hashes[places], starts, self.wholes[rows])


def shingle(texts: Sequence[str]) -> Shingled:
    """Hash the word 5-grams of texts; case and what stands between words, or joins them, do not count."""
    parts = [_shingle_block(block) for block in _blocks(texts)]
    counts, hashes, wholes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Shingled(hashes, _starts(counts), wholes)


def alike(shingled: Shingled) -> Rows:
    """Pair up the texts (m, 2) whose MinHash signatures agree in at least one band, the lower row first."""
    from rensa import RMinHashLSH

    table = RMinHashLSH(0.8, BANDS * ROWS, BANDS)
    flags = table.query_duplicate_flags_matrix_one_shot(_sketch(shingled))
    # Most texts agree with no other: only the signatures of the rest leave the library, which takes time.
    rows = np.flatnonzero(np.array(flags, dtype=bool) & (shingled.counts > 0))
    if not len(rows):
        return np.zeros((0, 2), dtype=np.int64)
    keys = band_keys(shingled.of(rows))
    left, right = _same_key(keys.T.ravel(), np.tile(rows, BANDS))
    return _each_once(left, right, len(shingled.wholes), 1)


def band_keys(shingled: Shingled) -> Hashes:
    """Hash the bands of the texts' MinHash signatures, shape (n, BANDS): in one that agrees, texts may be alike."""
    signatures = np.array(_sketch(shingled).to_rows(), dtype=np.uint64)
    bands: Hashes = signatures.reshape(-1, BANDS, ROWS) @ _powers(ROWS)[0]
    return _mix(np.add(bands, np.arange(BANDS, dtype=np.uint64), dtype=np.uint64))


def overlapping(shingled: Shingled) -> Rows:
    """Pair up the texts (m, 2) of which one may hold a good part of the other: they share rare shingles."""
    sampled = np.flatnonzero((shingled.hashes & np.uint64(SAMPLED - 1)) == 0)
    owners = np.searchsorted(shingled.starts, sampled, side="right") - 1
    return overlapping_rows([(shingled.hashes[sampled], owners)], len(shingled.wholes))


def overlapping_rows(sampled: Iterable[tuple[Hashes, Rows]], count: int) -> Rows:
    """Pair up (m, 2) the owners of sampled shingles, `count` at most, who share enough of them.

    The sample may come in parts, if all that are equal are in one part.
    """
    found = [_same_key(hashes, owners, CROWD) for hashes, owners in sampled]
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    return _each_once(left, right, count, SHARED)


def shared(one: Hashes, other: Hashes) -> int:
    """Count what two rows of shingles have in common."""
    return int(np.intersect1d(one, other, assume_unique=True).size)


def _sketch(shingled: Shingled) -> Any:
    """Return the library's matrix of signatures, BANDS × ROWS numbers for each text."""
    from rensa import RMinHash

    starts = shingled.starts.astype(np.uint64)
    return RMinHash.digest_matrix_from_flat_token_hashes(
        shingled.hashes, starts, BANDS * ROWS, SEED
    )


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    yield block


@cache
def _characters() -> tuple[NDArray[np.uint32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Give every character its small form; tell which belong to words, and which are capitals."""
    every = np.arange(0x110000, dtype="<u4").view("<U1")
    small = np.char.lower(every).astype("<U1").view("<u4")
    return small, np.char.isalnum(every), np.char.isupper(every)


@cache
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """Return the first powers of the base, and of its inverse, modulo 2^64."""
    bases = (BASE, pow(BASE, -1, 1 << 64))
    powers, inverse = (np.cumprod(np.full(count, b, np.uint64), dtype=np.uint64) for b in bases)
    return powers, inverse


def _shingle_block(texts: list[str]) -> tuple[Rows, Hashes, Hashes]:
    """Hash texts: how many shingles each has, all shingles, and each text as a whole."""
    codes, inside, capital = _codes("\n" + "\n".join([*texts, ""]))
    # A capital after a small letter begins a word: pages lose the breaks between their lines ("courseWhat").
    joined = inside[1:] & inside[:-1] & ~(capital[1:] & ~capital[:-1])
    begins = np.flatnonzero(inside[1:] & ~joined) + 1
    ends = np.flatnonzero(inside[:-1] & ~joined) + 1
    words = _hash_slices(codes, begins, ends)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    firsts = np.searchsorted(begins, _starts(lengths))
    wholes = _hash_slices(words, firsts[:-1], firsts[1:])
    counts = np.maximum(np.diff(firsts) - SHINGLE_WORDS + 1, 0)
    starts = np.arange(counts.sum()) + np.repeat(firsts[:-1] - _starts(counts)[:-1], counts)
    return counts, _hash_slices(words, starts, starts + SHINGLE_WORDS), wholes


def _hash_slices(values: NDArray[Any], begins: Rows, ends: Rows) -> Hashes:
    """Hash slices of one array by differences of one running polynomial, brought to a common power."""
    size = 1 << max(len(values), BLOCK).bit_length()
    powers, inverse = _powers(size)
    running = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * powers[: len(values)], out=running[1:])
    return _mix(
        (running[ends] - running[begins]) * inverse[begins] + (ends - begins).astype(np.uint64)
    )


def _mix(hashes: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _codes(text: str) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the characters of a text, in small letters, as numbers; which are in words, which were capitals."""
    small, inside, capital = _characters()
    if text.isascii():
        plain = text.encode("ascii")
        masks = (plain.translate(table[:256].tobytes()) for table in (inside, capital))
        in_word, was_capital = (np.frombuffer(mask, np.bool_) for mask in masks)
        return np.frombuffer(plain.lower(), np.uint8), in_word, was_capital
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return small[codes], inside[codes], capital[codes]


def _starts(counts: Rows) -> Rows:
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def _each_once(left: Rows, right: Rows, count: int, least: int) -> Rows:
    """Name each pair of different texts once, if it was met at least so many times."""
    pairs, times = np.unique(left * count + right, return_counts=True)
    pairs = np.column_stack(np.divmod(pairs, count))[times >= least]
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _same_key(keys: Hashes, owners: Rows, most: int = 0) -> tuple[Rows, Rows]:
    """Pair up the owners of equal keys; of a crowd all with its first ones, or none if more than `most`."""
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, int)
    sizes = np.diff(np.r_[begins, len(keys)])
    wanted = (sizes > 1) & (sizes <= (most or len(keys)))
    begins, sizes = begins[wanted], sizes[wanted]
    found: list[tuple[Rows, Rows]] = [(np.zeros(0, np.int64),) * 2]
    for rank in range(min(CROWD, int(sizes.max(initial=1)) - 1)):
        left = sizes > rank + 1
        counts = sizes[left] - rank - 1
        firsts = begins[left] + rank
        steps = np.arange(counts.sum()) - np.repeat(_starts(counts)[:-1], counts)
        found.append(
            (np.repeat(owners[firsts], counts), owners[np.repeat(firsts, counts) + steps + 1])
        )
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    return left, right
