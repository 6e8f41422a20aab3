"""Prove that what a sample says stands in its source: normalised containment, and the same subject.

Containment is the share of an answer's runs of five words that its source holds, whatever stands
between the words; the subject is the share of its telling words that the source knows. An answer is
grounded that passes both floors: the words of a text can be its own by chance, their runs cannot.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

import numpy as np

from ml.minhash import SHINGLE_WORDS, Hashes, Rows, shingle
from ml.types import CleanDocument, Span

# Below these, an answer is not the source's.
CONTAINED, ON_TOPIC = 0.9, 0.5
# Words of a text that say what it is about.
KEY_TERMS = 12
_LETTERS = re.compile(r"[^\W\d_]{4,}")
_EVERYWHERE = frozenset(
    "about above after again against also another because been before being below between both could does "
    "doing down during each even ever every from further have having here hers herself himself into itself "
    "just less like made make many more most much must myself never once only other ours over really same "
    "shall should since some such than that their theirs them then there these they thing things this those "
    "through under until upon very want were what when where which while whom will with within without would "
    "your yours yourself itself them".split()
)


@dataclass(frozen=True, slots=True)
class Support:
    """How much of an answer stands in its source; both are shares."""

    containment: float
    topic: float

    @property
    def grounded(self) -> bool:
        """Tell whether that is enough."""
        return self.containment >= CONTAINED and self.topic >= ON_TOPIC


NOWHERE = Support(0.0, 0.0)


def support(span: Span, answer: str, texts: Mapping[str, CleanDocument]) -> Support:
    """Measure an answer against its span of just that revision of its document."""
    source = texts.get(span.document_id)
    if source is None or source.revision != span.revision or not 0 <= span.start < span.end:
        return NOWHERE
    said = source.text[span.start : span.end]
    return Support(1.0, 1.0) if said == answer else measure_support(answer, said)


def measure_support(answer: str, source: str) -> Support:
    """Measure an answer against a text."""
    if not answer.strip():
        return NOWHERE
    ours, theirs = _words(answer), _words(source)
    length = max(min(SHINGLE_WORDS, len(ours)), 1)
    grams, known = _grams(ours, length), _grams(theirs, length)
    held = sum(g in known for g in grams) / max(len(grams), 1) if ours else float(answer in source)
    return Support(held, overlap(answer, source))


def overlap(text: str, source: str) -> float:
    """Return the share of a text's telling words that a source knows; without any, there is no other subject."""
    return _share(terms(text), terms(source))


def count_terms(parts: Iterable[str]) -> Counter[str]:
    """Count in how many parts of a text each of its telling words stands."""
    return Counter(term for part in parts for term in terms(part))


def coverage(summary: str, seen: Mapping[str, int]) -> float:
    """Return the share of what a text is about that one of its parts names; `seen` counts its words, of all parts."""
    own = terms(summary)
    # What only one other part says is a detail of it.
    others = ((t, n - (t in own)) for t, n in seen.items())
    key = [t for _, t in sorted((-n, t) for t, n in others if n > 1)[:KEY_TERMS]]
    return sum(t in own for t in key) / len(key) if key else 0.0


@lru_cache(maxsize=4096)
def terms(text: str) -> frozenset[str]:
    """Name the telling words of a text: longer than three letters, in the singular."""
    found = set(_LETTERS.findall(text.lower())) - _EVERYWHERE
    return frozenset(w[:-1] if w[-1] == "s" else w for w in found)


def best_support(answers: Sequence[str], sources: Sequence[str]) -> list[Support]:
    """Measure answers that name no source against the one of all texts that holds most of each."""
    held, asked = shingle(sources), shingle(answers)
    order = np.argsort(held.hashes, kind="stable")
    known = held.hashes[order]
    owners = np.repeat(np.arange(len(sources), dtype=np.int64), held.counts)[order]
    subjects = [terms(s) for s in sources]
    found = []
    for i, answer in enumerate(answers):
        about = terms(answer)
        place, share = _holder(asked.row(i), known, owners)
        topics = [_share(about, subjects[place])] if share else [_share(about, s) for s in subjects]
        found.append(Support(share, max(topics, default=0.0)))
    return found


def mean_support(found: Sequence[Support]) -> dict[str, float]:
    """Sum up in how many sources' words many answers stand."""
    return {
        "grounded": float(sum(s.grounded for s in found)),
        "containment": fmean(s.containment for s in found) if found else 0.0,
        "topic_overlap": fmean(s.topic for s in found) if found else 0.0,
    }


def _holder(row: Hashes, known: Hashes, owners: Rows) -> tuple[int, float]:
    """Name the source that holds most of an answer's shingles, and the share; 0 where no source holds one."""
    starts, ends = np.searchsorted(known, row), np.searchsorted(known, row, side="right")
    holders = [np.unique(owners[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]
    if not holders:
        return 0, 0.0
    counts = np.bincount(np.concatenate(holders))
    place = int(counts.argmax())
    return place, float(counts[place] / len(row))


def _share(about: Set[str], known: Set[str]) -> float:
    return len(about & known) / len(about) if about else 1.0


def _words(text: str) -> list[str]:
    return [w.lower() for w in re.findall(r"[^\W_]+", text)]


def _grams(found: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}
