"""Measure how a clean document is written: its style, what it is about, how old it is, and what sort it is of.

Rates are per 1,000 words, shares between 0 and 1. The measures of vocabulary do not grow with the
length of a text: a moving type-token ratio, MTLD (McCarthy and Jarvis, 2010) and Yule's K (1944).
Everything follows from the document and the publication times of the author's other texts: nothing is
learned from a corpus, so that a row measured today is the row that was measured then.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, pstdev
from urllib.parse import urlsplit

from ml.text import prose_of, words
from ml.types import CleanDocument, FeatureRow, digest

# Rows of another version are measured anew.
MEASURES_VERSION = "2"
# Hashed categories: a new value needs no list to be kept. `collisions` shows which values share a bucket.
BUCKETS: Mapping[str, int] = {"kind": 16, "host": 64, "language": 16, "topic": 64, "heading": 128}
TITLE_WEIGHT = 3
MTLD_THRESHOLD, RATIO_WINDOW = 0.72, 100
DAY_SECONDS = 86_400.0

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
_LIST_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\S", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
_CONTRACTION = re.compile(r"n't$|'(?:ll|re|ve|d|m)$")
_VOWELS = re.compile(r"[aeiouy]+")
_PUNCTUATION = {
    "semicolon_rate": re.compile(";"),
    "exclamation_rate": re.compile("!"),
    "question_rate": re.compile(r"\?"),
    "comma_rate": re.compile(","),
    "colon_rate": re.compile(":"),
    "dash_rate": re.compile(r"[–—]|\s--?\s"),
    "parenthesis_rate": re.compile(r"\("),
    "quotation_rate": re.compile(r'["“„«]'),
    "ellipsis_rate": re.compile(r"…|\.\.\."),
}
_FUNCTION_WORDS = frozenset(
    (
        "a about after all also an and any are as at be because been before but by can could did do "
        "does each even for from had has have he her here his how i if in into is it its just like me "
        "more most much my no not now of on one only or other our out over own she so some such than "
        "that the their them then there these they this those through to too under until up very was "
        "we were what when where which while who why will with without would you your"
    ).split()
)
_GROUPS: Mapping[str, frozenset[str]] = {
    f"{name}_rate": frozenset(listed.split())
    for name, listed in {
        "determiner": "a an the this that these those each every some any all both another such",
        "preposition": "of in to for with on at from by about into through after over between against "
        "during without before under around among",
        "conjunction": "and but or nor so yet because although though while if unless until since "
        "whereas when where",
        "auxiliary": "am is are was were be been being do does did have has had will would shall should "
        "can could may might must",
        "negation": "no not never nothing nobody none neither nor nowhere cannot",
        "hedge": "maybe perhaps probably possibly almost rather quite somewhat seems seem apparently "
        "likely sometimes usually often",
        "intensifier": "very really too extremely absolutely always completely totally highly truly",
        "first_person": "i me my mine myself",
        "first_person_plural": "we us our ours ourselves",
        "second_person": "you your yours yourself yourselves",
    }.items()
}
_SHORTENED_IS = frozenset(
    "it's that's there's what's he's she's who's here's let's where's".split()
)


@dataclass(frozen=True, slots=True)
class StyleRow(FeatureRow):
    """All that is measured of a document: what the first models know, whose meaning stays, and more."""

    sentence_words_spread: float
    readability_grade: float
    question_share: float
    exclamation_share: float
    mtld: float
    yules_k: float
    determiner_rate: float
    preposition_rate: float
    conjunction_rate: float
    auxiliary_rate: float
    negation_rate: float
    hedge_rate: float
    intensifier_rate: float
    first_person_rate: float
    first_person_plural_rate: float
    second_person_rate: float
    contraction_rate: float
    colon_rate: float
    dash_rate: float
    parenthesis_rate: float
    quotation_rate: float
    ellipsis_rate: float
    paragraph_words: float
    list_share: float
    heading_share: float
    topic: str
    host_bucket: int
    language_bucket: int
    topic_bucket: int
    heading_buckets: tuple[int, ...]
    age_days: float | None
    days_since_former: float | None


def measure(document: CleanDocument, at: datetime, former: datetime | None = None) -> StyleRow:
    """Measure one clean document; `former` is when the author's text before this one was published."""
    prose = prose_of(document)
    found = words(prose)
    lowered = [w.lower() for w in found]
    sentences = [s for s in _SENTENCE_END.split(prose) if words(s)]
    per_thousand = 1000.0 / max(len(found), 1)
    topic = _keyword(document, prose)
    return StyleRow(
        document_id=document.id,
        author=document.author,
        event_timestamp=at,
        words=len(found),
        word_characters=fmean(map(len, found)) if found else 0.0,
        code_share=1.0 if document.kind == "code" else 1 - len(prose) / max(len(document.text), 1),
        topic=topic,
        kind_bucket=bucket("kind", document.kind),
        host_bucket=bucket("host", _host(document)),
        language_bucket=bucket("language", document.language),
        topic_bucket=bucket("topic", topic),
        heading_buckets=tuple(sorted({bucket("heading", w) for w in _heading_words(document)})),
        age_days=_days(document.published_at, at),
        days_since_former=_days(former, document.published_at),
        **_sentence_measures(sentences, found),
        **_vocabulary(lowered),
        **_word_rates(lowered, per_thousand),
        **{n: len(p.findall(prose)) * per_thousand for n, p in _PUNCTUATION.items()},
        **_layout(prose),
    )


def former_times(documents: Iterable[CleanDocument]) -> dict[str, datetime]:
    """Find, for each document by id, when its author's text before it was published; the first has none."""
    found, last = dict[str, datetime](), dict[str, datetime]()
    dated = ((d.published_at, d.id, d.author) for d in documents if d.published_at)
    for published, name, author in sorted(dated):
        if author in last and last[author] < published:
            found[name] = last[author]
        last[author] = published
    return found


def bucket(feature: str, value: str) -> int:
    """Hash a category into one of the feature's buckets; the same in every process and for ever."""
    return int(digest(feature, value), 16) % BUCKETS[feature]


def collisions(documents: Iterable[CleanDocument]) -> dict[str, dict[str, object]]:
    """Show, for each hashed feature, how many values fall into how many buckets, and which share one."""
    values: dict[str, set[str]] = {name: set() for name in BUCKETS}
    for document in documents:
        values["kind"].add(document.kind)
        values["host"].add(_host(document))
        values["language"].add(document.language)
        values["topic"].add(_keyword(document, prose_of(document)))
        values["heading"] |= set(_heading_words(document))
    return {name: _shared(name, found) for name, found in values.items()}


def _shared(feature: str, values: Iterable[str]) -> dict[str, object]:
    filled: dict[int, list[str]] = {}
    for value in sorted(values):
        filled.setdefault(bucket(feature, value), []).append(value)
    return {
        "values": sum(map(len, filled.values())),
        "buckets": BUCKETS[feature],
        "used": len(filled),
        "shared": {str(b): found for b, found in sorted(filled.items()) if len(found) > 1},
    }


def _sentence_measures(sentences: Sequence[str], found: Sequence[str]) -> dict[str, float]:
    lengths = [len(words(s)) for s in sentences]
    count, total = max(len(sentences), 1), max(len(found), 1)
    letters = sum(map(len, found))
    return {
        "sentence_words": len(found) / count,
        "sentence_words_spread": pstdev(lengths) if lengths else 0.0,
        "readability": _flesch(found, len(sentences)),
        # The automated readability index (Senter and Smith, 1967), in years of school.
        "readability_grade": 4.71 * letters / total + 0.5 * len(found) / count - 21.43
        if found
        else 0.0,
        "question_share": sum(s.rstrip().endswith("?") for s in sentences) / count,
        "exclamation_share": sum(s.rstrip().endswith("!") for s in sentences) / count,
    }


def _vocabulary(found: Sequence[str]) -> dict[str, float]:
    return {
        "vocabulary_richness": _moving_type_token_ratio(found),
        "mtld": (_factors(found) + _factors(found[::-1])) / 2,
        "yules_k": _yules_k(found),
    }


def _word_rates(found: Sequence[str], per_thousand: float) -> dict[str, float]:
    # A contraction counts with what it starts with: `I'm` is first person.
    found = [w.replace("’", "'") for w in found]
    starts = Counter(w.partition("'")[0] for w in found)
    contracted = sum(w in _SHORTENED_IS or bool(_CONTRACTION.search(w)) for w in found)
    rates = {n: sum(starts[w] for w in group) * per_thousand for n, group in _GROUPS.items()}
    known = sum(w in _FUNCTION_WORDS for w in found)
    return {
        **rates,
        "function_word_rate": known * per_thousand,
        "contraction_rate": contracted * per_thousand,
    }


def _layout(prose: str) -> dict[str, float]:
    lines = [line for line in prose.splitlines() if line.strip()]
    blocks = [len(words(b)) for b in re.split(r"\n\s*\n", prose) if words(b)]
    return {
        "paragraph_words": fmean(blocks) if blocks else 0.0,
        "list_share": len(_LIST_ITEM.findall(prose)) / max(len(lines), 1),
        "heading_share": len(_HEADING.findall(prose)) / max(len(lines), 1),
    }


def _heading_words(document: CleanDocument) -> list[str]:
    """List the words of the title and the headings, without those that every text has."""
    headings = "" if document.kind == "code" else " ".join(_HEADING.findall(prose_of(document)))
    return _content(words(f"{document.title} {headings}"))


def _keyword(document: CleanDocument, prose: str) -> str:
    """Name what a document is about: its most frequent word of content, those of headings counted more."""
    counted = Counter(_content(words(prose)))
    for word in _heading_words(document):
        counted[word] += TITLE_WEIGHT
    return min(counted, key=lambda w: (-counted[w], w), default="")


def _content(found: Iterable[str]) -> list[str]:
    empty = _FUNCTION_WORDS.union(*_GROUPS.values())
    lowered = (w.lower().replace("’", "'").removesuffix("'s") for w in found)
    return [w for w in lowered if len(w) > 3 and "'" not in w and w not in empty]


def _host(document: CleanDocument) -> str:
    return urlsplit(document.url).netloc


def _days(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds() / DAY_SECONDS


def _moving_type_token_ratio(found: Sequence[str]) -> float:
    """Average the share of distinct words over windows, so that long texts compare with short ones."""
    if len(found) <= RATIO_WINDOW:
        return len(set(found)) / max(len(found), 1)
    starts = range(0, len(found) - RATIO_WINDOW + 1, 10)
    return fmean(len(set(found[s : s + RATIO_WINDOW])) / RATIO_WINDOW for s in starts)


def _factors(found: Sequence[str]) -> float:
    """Return the mean length of runs whose share of distinct words stays above the threshold (MTLD)."""
    factors, seen, size = 0.0, set[str](), 0
    for word in found:
        seen.add(word)
        size += 1
        if len(seen) / size <= MTLD_THRESHOLD:
            factors, seen, size = factors + 1, set(), 0
    if size:
        factors += (1 - len(seen) / size) / (1 - MTLD_THRESHOLD)
    return len(found) / factors if factors else float(len(found))


def _yules_k(found: Sequence[str]) -> float:
    """Measure how often words repeat, whatever the length: 0 where none does."""
    squares = sum(n * n for n in Counter(found).values())
    return 1e4 * (squares - len(found)) / len(found) ** 2 if found else 0.0


def _flesch(found: Sequence[str], sentences: int) -> float:
    """Score Flesch reading ease (higher is easier), syllables counted as vowel groups."""
    if not found:
        return 0.0
    syllables = sum(max(1, len(_VOWELS.findall(w.lower().rstrip("e")))) for w in found)
    return 206.835 - 1.015 * len(found) / max(sentences, 1) - 84.6 * syllables / len(found)
