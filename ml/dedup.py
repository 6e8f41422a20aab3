"""Find copies, and name the one of each that counts.

Five levels, the surest first: `exact` (the same words), `url` (one page under two addresses, at least half
of it the same), `near` (MinHash bands, then the exact Jaccard similarity), `excerpt` (an article most of which
is in a longer one by the same author, as in a cross-post), `semantic` (the cosine of embeddings; only where
vectors are given). A copy is folded into a document that it was itself compared with, so that a chain of small
changes never joins two texts that differ; and by age, length and address alone, so that the order of input
never matters. Source: Broder, "On the resemblance and containment of documents", 1997.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import urlsplit

import numpy as np

from ml.minhash import CROWD, SHINGLE_WORDS, Hashes, Shingled, alike, overlapping, shared, shingle
from ml.semantic import Vectors, same_meaning
from ml.types import CleanDocument, Kind

# Texts shorter than this share shingles by chance; only exact copies of them count.
SHORTEST_WORDS = 30
# What is shorter and stands in a longer text is a quotation, not a cross-post.
SHORTEST_EXCERPT = 200
# One page under two addresses may have been edited between two looks at it.
SAME_PAGE = 0.5
_FAR_FUTURE = datetime.max.replace(tzinfo=UTC)
_LETTERS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on two texts are copies: Jaccard similarity, contained share, cosine. 0: not looked for."""

    near: float
    excerpt: float = 0.0
    semantic: float = 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two documents that were compared. `similarity` is what the level measures: see the module.

    An `excerpt` is on the left, what holds it on the right; otherwise the older document is on the left.
    """

    left: str
    right: str
    how: str
    similarity: float


def find_pairs(
    documents: Sequence[CleanDocument], limits: Limits, vectors: Mapping[str, Vectors] | None = None
) -> list[Pair]:
    """List the pairs of copies; of texts with the same words, only the oldest is compared with others.

    `vectors` are unit vectors by document id; documents without one have no semantic copies.
    """
    ordered = sorted(documents, key=_age)
    shingled = shingle([d.text for d in ordered])
    groups = _same_words(ordered, shingled)
    pairs = [Pair(g[0].id, d.id, "exact", 1.0) for g in groups for d in g[1:]]
    places = {d.id: i for i, d in enumerate(ordered)}
    rows = np.array([places[g[0].id] for g in groups], dtype=np.int64)
    compared = _Compared([g[0] for g in groups], shingled.of(rows))
    found = [*compared.of_one_page(), *compared.near(limits.near)]
    if limits.excerpt:
        found += compared.excerpts(limits.excerpt)
    if limits.semantic and vectors:
        found += _semantic([g[0] for g in groups], vectors, limits.semantic)
    return pairs + _surest(found)


def mark_duplicates(
    documents: Sequence[CleanDocument],
    limits: Limits,
    vectors: Mapping[str, Vectors] | None = None,
) -> list[CleanDocument]:
    """Return the documents, each copy naming its canonical document, how it was found, and the similarity."""
    pairs = find_pairs(documents, limits, vectors)
    canonical = _fold(documents, pairs)
    return [_marked(d, canonical.get(d.id)) for d in documents]


def why_canonical(copy: CleanDocument, canonical: CleanDocument) -> str:
    """Say in words why this one of two stands for both."""
    if copy.duplicate_how == "excerpt" or _age(copy) < _age(canonical):
        return "it says more, and what says more is kept"
    if copy.published_at and canonical.published_at and copy.published_at > canonical.published_at:
        return "it was published first"
    if copy.published_at != canonical.published_at:
        return "it has a date, the other has none"
    if len(copy.url) != len(canonical.url):
        return "both have the same date, and its address is shorter"
    return "date and length of address are the same, and its address comes first"


def _marked(document: CleanDocument, pair: Pair | None) -> CleanDocument:
    """Name the right document of a pair as the canonical one of the left."""
    return replace(
        document,
        duplicate_of=pair.right if pair else "",
        duplicate_how=pair.how if pair else "",
        duplicate_similarity=round(pair.similarity, 4) if pair else 0.0,
    )


def _same_words(
    documents: Sequence[CleanDocument], shingled: Shingled
) -> list[list[CleanDocument]]:
    """Group the documents by their words; what has no words, by its characters."""
    groups: dict[tuple[int, str], list[CleanDocument]] = {}
    twice = _met_twice(shingled.wholes)
    for document, whole in zip(documents, shingled.wholes.tolist(), strict=True):
        # The hash of the words finds the groups; the letters themselves settle them.
        words = _letters(document.text) if whole in twice else ""
        groups.setdefault((whole, words), []).append(document)
    return list(groups.values())


def _met_twice(hashes: Hashes) -> set[int]:
    values, counts = np.unique(hashes, return_counts=True)
    return set(values[counts > 1].tolist())


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(text.lower())) or text.strip()


class _Compared:
    """Documents with their shingles, by age; no two have the same words."""

    def __init__(self, documents: Sequence[CleanDocument], shingled: Shingled) -> None:
        self.documents = documents
        self.shingled = shingled
        self.words = shingled.counts + SHINGLE_WORDS - 1
        self._rows: dict[int, Hashes] = {}

    def of_one_page(self) -> Iterator[Pair]:
        """Pair up what was found under two addresses of one page."""
        pages: dict[str, list[int]] = defaultdict(list)
        for i, document in enumerate(self.documents):
            pages[page_of(document.url)].append(i)
        for rows in pages.values():
            # What is told apart by its query alone, as in some blogs, is not one page: the texts decide.
            for i, j in ((i, j) for at, j in enumerate(rows) for i in rows[: min(at, CROWD)]):
                if (similarity := self._jaccard(i, j)) >= SAME_PAGE:
                    yield self._pair(i, j, "url", similarity)

    def near(self, threshold: float) -> Iterator[Pair]:
        """Pair up what is alike as a whole."""
        rows = np.flatnonzero(self.words >= SHORTEST_WORDS)
        for i, j in rows[alike(self.shingled.of(rows))].tolist():
            if (similarity := self._jaccard(i, j)) >= threshold:
                yield self._pair(i, j, "near", similarity)

    def excerpts(self, threshold: float) -> Iterator[Pair]:
        """Pair up articles of one author of which one holds most of the other, the shorter one first."""
        articles = np.array([d.kind == "article" for d in self.documents], dtype=bool)
        rows = np.flatnonzero(articles & (self.words >= SHORTEST_EXCERPT))
        for i, j in rows[overlapping(self.shingled.of(rows))].tolist():
            if self.documents[i].author != self.documents[j].author:
                continue
            long, short = sorted((i, j), key=lambda k: _fullness(self.documents[k]))
            contained = shared(self._row(short), self._row(long)) / self._row(short).size
            if contained >= threshold:
                yield self._pair(short, long, "excerpt", contained)

    def _pair(self, i: int, j: int, how: str, similarity: float) -> Pair:
        return Pair(self.documents[i].id, self.documents[j].id, how, similarity)

    def _row(self, i: int) -> Hashes:
        if i not in self._rows:
            self._rows[i] = self.shingled.row(i)
        return self._rows[i]

    def _jaccard(self, i: int, j: int) -> float:
        one, other = self._row(i), self._row(j)
        common = shared(one, other)
        return common / max(one.size + other.size - common, 1)


def page_of(url: str) -> str:
    """Reduce an address to what names the page: no scheme, no www, no query, no slash at the end."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.") if parts.netloc else ""
    return host + re.sub(r"(/index\.html?|/amp)?/*$", "", parts.path)


def _semantic(
    documents: Sequence[CleanDocument], vectors: Mapping[str, Vectors], threshold: float
) -> Iterator[Pair]:
    """Pair up documents of one kind whose vectors point the same way."""
    for kind in get_args(Kind):
        ids = [d.id for d in documents if d.kind == kind and d.id in vectors]
        if len(ids) > 1:
            pairs, cosines = same_meaning(np.stack([vectors[i] for i in ids]), threshold)
            for (i, j), cosine in zip(pairs.tolist(), cosines.tolist(), strict=True):
                yield Pair(ids[i], ids[j], "semantic", min(cosine, 1.0))


def _surest(pairs: Iterable[Pair]) -> list[Pair]:
    """Keep the first pair of each two documents."""
    first: dict[frozenset[str], Pair] = {}
    for pair in pairs:
        first.setdefault(frozenset((pair.left, pair.right)), pair)
    return list(first.values())


def _fold(documents: Sequence[CleanDocument], pairs: Sequence[Pair]) -> dict[str, Pair]:
    """Fold copies into canonical documents; returns for each copy the pair of it and its canonical document.

    The oldest is canonical; but of an article and its excerpts the fullest, so that nothing said is lost.
    """
    first = {p.right: p.left for p in pairs if p.how == "exact"}
    by_age = [d.id for d in sorted(documents, key=_age) if d.id not in first]
    by_fullness = [d.id for d in sorted(documents, key=_fullness)]
    compared = _edges(pairs)
    whole, excerpts = (_edges(p for p in pairs if (p.how == "excerpt") is x) for x in (False, True))
    folded = _lead(by_age, whole)
    leaders = set(by_age) - folded.keys()
    held = _lead([i for i in by_fullness if i in leaders], excerpts)
    # Copies of an excerpt follow it into its holder where they were compared with that one themselves.
    moved = [i for i in by_age if folded.get(i) in held]
    follow = {i: h for i in moved if (h := held[folded[i]]) in compared[i]}
    left = _lead([i for i in moved if i not in follow], whole)
    stayed = {i: c for i, c in folded.items() if i not in set(moved)}
    canonical = stayed | held | follow | left
    named = {i: replace(compared[i][c], left=i, right=c) for i, c in canonical.items()}
    same = {i: replace(named.get(f, Pair(i, f, "exact", 1.0)), left=i) for i, f in first.items()}
    return named | same


def _edges(pairs: Iterable[Pair]) -> dict[str, dict[str, Pair]]:
    """Name the neighbours of each document, with the pair that joins them; an exact copy is none."""
    edges: dict[str, dict[str, Pair]] = defaultdict(dict)
    for pair in pairs:
        if pair.how != "exact":
            edges[pair.left][pair.right] = edges[pair.right][pair.left] = pair
    return edges


def _lead(order: Sequence[str], edges: Mapping[str, Mapping[str, Pair]]) -> dict[str, str]:
    """Let each document that no earlier one took lead its neighbours; returns the leader of each that was taken."""
    among = set(order)
    leader: dict[str, str] = {}
    for one in order:
        if one not in leader:
            taken = (i for i in edges.get(one, ()) if i in among and i not in leader)
            leader |= dict.fromkeys(taken, one)
    return leader


def _age(document: CleanDocument) -> tuple[datetime, int, str]:
    return document.published_at or _FAR_FUTURE, len(document.url), document.url


def _fullness(document: CleanDocument) -> tuple[int, datetime, int, str]:
    return -len(document.text), *_age(document)
