"""Times that a question names: "in 2022", "since March", "before June 2023", "last year". UTC, and no clock here.

Only what speaks of the author's texts or thoughts is read as a time; a year that is a topic ("the
plans of 2030") is left alone. `since` is included, `until` is not.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = rf"(?:{'|'.join(MONTHS)})"
_POINT = rf"(?:the\s+(?:beginning|start|end)\s+of\s+)?(?:{_MONTH}\s+)?(?:19|20)\d\d|{_MONTH}"
_OPINION = (
    r"\b(?:think|thought|believed?|opinion|views?|feel|felt|see|saw|stand|stood|say|said"
    r"|know|knew|recommend(?:ed)?)\b"
)
_WRITING = (
    r"\b(?:wr(?:ite|ote|itten|iting)|publish(?:ed)?|post(?:s|ed)?|articles?|essays?|blog(?:ged)?)\b"
)
_RANGE = re.compile(rf"\b(?:between|from)\s+({_POINT})\s+(?:and|to|until)\s+({_POINT})\b", re.I)
_SINCE = re.compile(rf"\b(?:since|after)\s+({_POINT})\b", re.I)
_UNTIL = re.compile(
    rf"\b(?:before|until|till|up\s+to|as\s+of|by\s+the\s+end\s+of)\s+({_POINT})\b", re.I
)
_WITHIN = re.compile(rf"\b(?:back\s+)?(?:in|during|from|of)\s+({_POINT})\b", re.I)
_RECENT = re.compile(
    r"\b(?:(?:in|during|over)\s+)?(?:the\s+)?(last|past|this)\s+(year|month)\b", re.I
)
_INCLUSIVE = ("as of", "until", "till", "up to", "by the")


@dataclass(frozen=True, slots=True)
class Period:
    """A time that a question names, and the words that named it; None is open."""

    since: datetime | None = None
    until: datetime | None = None
    words: tuple[str, ...] = ()


def read_period(question: str, today: datetime) -> Period:
    """Find the period that a question asks about; an opinion of a year is what was written up to its end."""
    if found := _RANGE.search(question):
        return Period(_point(found[1], today)[0], _point(found[2], today)[1], (found[0],))
    since, until = _SINCE.search(question), _UNTIL.search(question)
    if since or until:
        words = tuple(m[0] for m in (since, until) if m)
        return Period(_after(since, today), _before(until, today), words)
    if found := _RECENT.search(question):
        return _recent(found, today)
    found = _WITHIN.search(question)
    if found and re.search(_WRITING, question, re.I):
        return Period(*_point(found[1], today), (found[0],))
    if (
        found
        and re.search(_OPINION, question, re.I)
        and re.search(r"\b(?:I|you|your|my)\b", question)
    ):
        return Period(None, _point(found[1], today)[1], (found[0],))
    return Period()


def without(question: str, period: Period) -> str:
    """Take the words that named the period out of a question."""
    for words in period.words:
        question = question.replace(words, " ")
    return re.sub(r"\s+([?.!,])", r"\1", " ".join(question.split()))


def _after(found: re.Match[str] | None, today: datetime) -> datetime | None:
    """Return the first moment that counts: `since` begins with the point, `after` when it is over."""
    if found is None:
        return None
    begin, end = _point(found[1], today)
    return end if found[0].lower().startswith("after") else begin


def _before(found: re.Match[str] | None, today: datetime) -> datetime | None:
    if found is None:
        return None
    begin, end = _point(found[1], today)
    return end if found[0].lower().startswith(_INCLUSIVE) else begin


def _point(words: str, today: datetime) -> tuple[datetime, datetime]:
    """Return when a year or month begins and ends; a month alone is the last one that has begun."""
    year = re.search(r"(?:19|20)\d\d", words)
    month = next((n for n, m in enumerate(MONTHS, start=1) if m in words.lower()), 0)
    if month:
        named = int(year[0]) if year else today.year - (month > today.month)
        return _month(named, month), _month(named + month // 12, month % 12 + 1)
    number = int(year[0]) if year else today.year
    return _month(number, 1), _month(number + 1, 1)


def _recent(found: re.Match[str], today: datetime) -> Period:
    year, month = today.year, today.month
    this = found[1].lower() == "this"
    if found[2].lower() == "year":
        first = year if this else year - 1
        return Period(_month(first, 1), _month(first + 1, 1), (found[0],))
    if not this:
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return Period(_month(year, month), _month(year + month // 12, month % 12 + 1), (found[0],))


def _month(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)
