"""Words as a search compares them: lower case, cut to a stem, without those that every text has.

Deterministic and without a word list of any language but the small one below; other languages lose
nothing but the stems. Not here: words as an author writes them (ml/text.py).
"""

import re
import unicodedata
from collections.abc import Collection, Container, Mapping
from math import log

STOPWORDS = frozenset(
    "a about after all also an and any are as at be because been before being between both but by can could did do "
    "does during each ever few for from had has have he her him his how i if in into is it its just me more most must "
    "my no not of on once one only or other our out over own same shall she should so some such than that the their "
    "them then there these they this those through to too under until up us very was we were what when where whether "
    "which while who whom whose why will with would you your".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Endings, the longest first, and what takes their place.
_ENDINGS = (
    *(("ization", "ize"), ("isation", "ise"), ("ational", "ate"), ("fulness", "ful")),
    *(("iveness", "ive"), ("ousness", "ous"), ("ingly", ""), ("ments", ""), ("edly", "")),
    *(("ment", ""), ("ings", ""), ("ing", ""), ("ies", "y"), ("ied", "y"), ("ers", "")),
    *(("er", ""), ("ed", ""), ("es", ""), ("s", "")),
)
# A stem shorter than this says too little.
SHORTEST = 3


def terms(text: str) -> list[str]:
    """Split a text into stems, in their order; letters that only look different are made equal."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return [stem(w) for w in _WORD.findall(plain) if len(w) > 1 and w not in STOPWORDS]


def stem(word: str) -> str:
    """Cut the ending off a lower-case word: profiling, profiles and profiled are one."""
    for ending, put in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
            word = word[: len(word) - len(ending)] + put
            break
    if word.endswith("e") and len(word) > SHORTEST + 1:
        word = word[:-1]
    doubled = len(word) > SHORTEST and word[-1] == word[-2] and word[-1] not in "aeioulsz"
    return word[:-1] if doubled else word


def rarity(term: str, counts: Mapping[str, int], total: int) -> float:
    """Weigh a term by how few of `total` texts have it (the idf of BM25); an unknown one weighs most."""
    found = counts.get(term, 0)
    return log(1.0 + (max(total, 1) - found + 0.5) / (found + 0.5))


def weigh(asked: Collection[str], counts: Mapping[str, int], total: int) -> dict[str, float]:
    """Weigh each term of a question by its rarity."""
    return {t: rarity(t, counts, total) for t in asked}


def covered(weights: Mapping[str, float], said: Container[str]) -> float:
    """Return the share of the weighed terms that a text has: 0 to 1."""
    whole = sum(weights.values())
    return sum(w for t, w in weights.items() if t in said) / whole if whole else 0.0
