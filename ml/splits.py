"""Split documents so that nothing of the test is ever learned: by kinship, by time, and what leaks all the same.

Documents that share passages are kin, and kin stand on one side. Samples for training that share a run
of words with the test, ask what it asks, or say it in other words (as the embeddings of passages tell),
are left out. Not here: which texts are copies (ml/dedup.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from ml.answer import Search
from ml.meaning import Meaning, Passages, near
from ml.minhash import SHINGLE_WORDS, Hashes, Rows, Shingled, overlapping_rows, shared, shingle
from ml.types import CleanDocument, Example, Hit, Preference

Split = Literal["train", "test"]
# Documents are kin that share this part of the shorter one's runs of so many words, or so many of them.
KIN_RUN, KIN_SHARE, KIN_RUNS = 12, 0.1, 40
# Of what is wanted for the test, a family may be this many times as large.
LARGEST_FAMILY = 2
# An odd number spreads sums of hashes over all 64 bits.
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def find_kin(documents: Sequence[CleanDocument]) -> dict[str, str]:
    """Name the family of each document, by one of its members; most documents are alone in theirs.

    Runs of twelve words are compared: what is shorter is an author's way of speaking, and makes nobody kin.
    """
    return kin_of({d.id: d.text for d in documents})


def kin_of(texts: Mapping[str, str]) -> dict[str, str]:
    """Name the family of each text by one of its members, as `find_kin` does of documents."""
    ordered = sorted(texts)
    runs, owners = _runs(shingle([texts[i] for i in ordered]), KIN_RUN)
    cuts = np.searchsorted(owners, np.arange(1, len(ordered)))
    alike = overlapping_rows([(runs, owners)], len(ordered))
    found = np.split(runs, cuts)
    rows = {i: np.unique(found[i]) for i in np.unique(alike).tolist()}
    head = list(range(len(ordered)))
    for i, j in alike.tolist():
        common = shared(rows[i], rows[j])
        if common >= KIN_RUNS or common >= KIN_SHARE * min(rows[i].size, rows[j].size):
            head[_root(head, j)] = _root(head, i)
    return {name: ordered[_root(head, i)] for i, name in enumerate(ordered)}


def split_documents(
    documents: Sequence[CleanDocument],
    test_share: float,
    tested: Collection[str] = (),
    trained: Collection[str] = (),
) -> dict[str, Split]:
    """Put the newest documents of each kind into the test split; at least one of a kind that has four.

    Kin go together. What an earlier version `tested` stays held out, and what it `trained` on, or kin of
    that, is not tested while there is anything else: an older model is never asked what it learned by heart.
    """
    families = _families(documents)
    known = {
        f: _history([d.id for d in members], tested, trained) for f, members in families.items()
    }
    splits: dict[str, Split] = {d.id: "train" for d in documents}
    for kind in sorted({d.kind for d in documents}):
        of_kind = {f: sum(d.kind == kind for d in members) for f, members in families.items()}
        total = sum(of_kind.values())
        wanted = max(round(test_share * total), 1) if total >= 4 else 0
        # A family that would overfill the test by itself is better learned.
        of_kind = {f: n for f, n in of_kind.items() if 0 < n <= LARGEST_FAMILY * wanted}
        wanted -= sum(d.kind == kind and splits[d.id] == "test" for d in documents)
        free = [f for f in of_kind if splits[families[f][0].id] == "train"]
        for family in _choose(free, known, families, of_kind, wanted):
            splits |= dict.fromkeys((d.id for d in families[family]), "test")
    return splits


def decontaminate(
    examples: Sequence[Example], leak_words: int, meaning: Meaning | None = None
) -> list[Example]:
    """Drop training samples that hold what the test says or asks, word for word or by meaning."""
    wrong = find_leaks(examples, (), leak_words, meaning)
    return [e for e in examples if e.id not in wrong]


def find_leaks(
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    leak_words: int,
    meaning: Meaning | None = None,
) -> set[str]:
    """Name the training samples, pairs among them, that hold what a test answer says, or ask what the test asks.

    They share a run of words with it or, where `meaning` is given, say it in other words.
    """
    tests = [e for e in examples if e.split == "test"]
    trained: dict[str, tuple[str, str]] = {
        e.id: (e.messages[-2].content, e.messages[-1].content)
        for e in examples
        if e.split == "train"
    }
    for pair in preferences:
        if pair.split == "train":
            trained[pair.id] = (pair.messages[-1].content, f"{pair.chosen}\n{pair.rejected}")
    asked = {e.messages[-2].content for e in tests}
    said = repeats(
        [f"{question}\n{answer}" for question, answer in trained.values()],
        [e.messages[-1].content for e in tests],
        leak_words,
    )
    wrong = meaning.leaks(examples, preferences) if meaning else set()
    return wrong | {
        i for (i, (question, _)), repeats in zip(trained.items(), said, strict=True)
        if repeats or question in asked
    }  # fmt: skip


def crossed(documents: Sequence[CleanDocument], examples: Iterable[Example]) -> set[str]:
    """Name the documents whose family has samples on both sides of the split."""
    kin = find_kin(documents)
    sides: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        sides[kin.get(example.span.document_id, "")].add(example.split)
    return {i for i, family in kin.items() if len(sides[family]) > 1}


def held_out(examples: Iterable[Example]) -> frozenset[str]:
    """Name the documents that the test is made of: what is judged on them must not retrieve them."""
    return frozenset(e.span.document_id for e in examples if e.split == "test")


def leaking_passages(
    passages: Passages, tested: Mapping[str, str], leak_words: int, leak_cosine: float
) -> frozenset[str]:
    """Name the passages that hold what some documents say, given by id: their own, and others' that repeat it.

    Others repeat it by a run of words, or by meaning.
    """
    chunks = passages.chunks
    own = [i for i, c in enumerate(chunks) if c.document_id in tested]
    again = repeats([c.text for c in chunks], list(tested.values()), leak_words)
    alike = near(passages, own, leak_cosine) if leak_cosine else {}
    return frozenset(
        {chunks[i].id for i in own}
        | {c.id for c, repeated in zip(chunks, again, strict=True) if repeated}
        | {c.id for found in alike.values() for c in found}
    )


def without(search: Search, hidden: Collection[str]) -> Search:
    """Make a search that does not find some passages: what an answer is judged on is not handed to it."""

    def find(*asked: object, limit: int, **filters: object) -> list[Hit]:
        most = limit
        while True:
            hits = search(*asked, limit=most, **filters)
            kept = [hit for hit in hits if hit.chunk.id not in hidden]
            if len(kept) >= limit or len(hits) < most:
                return kept[:limit]
            most *= 4

    return find


def _root(head: list[int], i: int) -> int:
    while head[i] != i:
        head[i] = head[head[i]]
        i = head[i]
    return i


def _families(documents: Sequence[CleanDocument]) -> dict[str, list[CleanDocument]]:
    families: dict[str, list[CleanDocument]] = defaultdict(list)
    kin = find_kin(documents)
    for document in documents:
        families[kin[document.id]].append(document)
    return dict(families)


def _history(ids: Sequence[str], tested: Collection[str], trained: Collection[str]) -> str:
    """Tell what became of a family before; what was learned of it cannot be unlearned."""
    if any(i in trained for i in ids):
        return "trained"
    return "tested" if any(i in tested for i in ids) else "new"


def _choose(
    free: Sequence[str],
    known: Mapping[str, str],
    families: Mapping[str, Sequence[CleanDocument]],
    sizes: Mapping[str, int],
    wanted: int,
) -> list[str]:
    """Choose families until enough is held out: those tested before, then new ones, the newest first."""
    rank = {"tested": 0, "new": 1, "trained": 2}
    newest = sorted(free, key=lambda f: max(map(_age, families[f])), reverse=True)
    chosen = list[str]()
    for family in sorted(newest, key=lambda f: rank[known[f]]):
        # What was learned is tested only where there is nothing else at all.
        if wanted <= 0 or (known[family] == "trained" and chosen):
            break
        chosen.append(family)
        wanted -= sizes[family]
    return chosen


def _age(document: CleanDocument) -> tuple[bool, datetime, str]:
    return document.published_at is not None, document.published_at or _LONG_AGO, document.id


def repeats(texts: Sequence[str], tested: Sequence[str], leak_words: int) -> list[bool]:
    """Tell of each text whether so many words in a row, five at least, stand in a tested one."""
    ours, owners = _runs(shingle(texts), leak_words)
    known = np.sort(_runs(shingle(tested), leak_words)[0])
    # Like np.isin, which sorts both sides.
    places = np.searchsorted(known, ours)
    held = np.append(known, known[-1:])[places] == ours if len(known) else np.zeros(len(ours), bool)
    found = np.bincount(owners[held], minlength=len(texts))
    return [bool(n) for n in found.tolist()]


def _runs(shingled: Shingled, count: int) -> tuple[Hashes, Rows]:
    """Hash all runs of so many words; also name the text of each. A long run is told by the short ones in it."""
    last = max(count - SHINGLE_WORDS, 0)
    owners = np.repeat(np.arange(len(shingled.counts), dtype=np.int64), shingled.counts)
    begins = np.arange(max(len(owners) - last, 0))
    begins = begins[owners[begins] == owners[begins + last]]
    runs = np.zeros(len(begins), dtype=np.uint64)
    for offset in (*range(0, last, SHINGLE_WORDS), last):
        runs = runs * MULTIPLIER + shingled.hashes[begins + offset]
    return runs, owners[begins]
