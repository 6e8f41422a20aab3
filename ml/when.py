"""Times that a question names: "in 2022", "since March", "last winter", "two years ago". UTC, and no clock here.

Only what speaks of the author's texts or thoughts is read as a time; a year that is a topic ("the
plans of 2030") is left alone. `since` is included, `until` is not.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
# Seasons are those of the north; a winter is that of the year in which it begins.
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
# The month in which each begins, and how many it lasts.
NAMED = {name: (month, 1) for month, name in enumerate(MONTHS, start=1)}
NAMED |= {name: (month, 3) for name, month in SEASONS.items()}
UNITS = ("year", "month", "week", "day")
NUMBERS = {
    **{"a": 1, "an": 1, "one": 1, "a couple of": 2, "couple of": 2, "two": 2, "three": 3},
    **{"four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12},
}
_YEAR, _MONTH, _SEASON = r"(?:19|20)\d\d", rf"(?:{'|'.join(MONTHS)})", rf"(?:{'|'.join(SEASONS)})"
_UNIT, _NUMBER = rf"(?:{'|'.join(UNITS)})", rf"(?:{'|'.join(NUMBERS)}|\d{{1,2}})"
_AGO = rf"{_NUMBER}\s+{_UNIT}s?\s+ago"
_NEAR = rf"(?:last|past|this)\s+(?:{_UNIT}|{_MONTH}|{_SEASON})"
_EDGE = r"the\s+(?:beginning|start|end)\s+of\s+"
_POINT = (
    rf"(?:{_EDGE})?(?:(?:{_MONTH}\s+(?:of\s+)?|(?:the\s+)?{_SEASON}\s+(?:of\s+)?)?{_YEAR}"
    rf"|{_AGO}|{_NEAR})|{_MONTH}"
)
_OPINION = (
    r"\b(?:think|thought|believed?|opinion|views?|feel|felt|see|saw|stand|stood|say|said"
    r"|know|knew|recommend(?:ed)?)\b"
)
# Not what only begins like it, as a post-mortem does.
_WRITING = (
    r"\b(?:wr(?:ite|ote|itten|iting)|publish(?:ed)?|post(?:s|ed)?|articles?|essays?|blog(?:s|ged)?"
    r"|tweet(?:s|ed)?|toot(?:s|ed)?)\b(?!-)"
)
_RANGE = re.compile(rf"\b(?:between|from)\s+({_POINT})\s+(?:and|to|until)\s+({_POINT})\b", re.I)
_SINCE = re.compile(rf"\b(?:since|after)\s+({_POINT})\b", re.I)
_UNTIL = re.compile(
    rf"\b(?:before|until|till|up\s+to|as\s+of|by\s+the\s+end\s+of)\s+({_POINT})\b", re.I
)
# Not "in the last two days of a migration": those are in no calendar.
_LASTING = re.compile(
    rf"\b(?:in|during|over|within|from)\s+the\s+(?:last|past)\s+({_NUMBER}\s+{_UNIT}s?|{_UNIT})\b"
    r"(?!\s+(?:of|before|until)\b)",
    re.I,
)
# Not "the last fall", which may be a climber's.
_RECENT = re.compile(
    rf"\b(?:(?:in|during|over|from)\s+)?((?:the\s+)?(?:last|past|this)\s+{_UNIT}"
    rf"|(?<!the\s)last\s+(?:{_MONTH}|{_SEASON}))\b(?!\s+of\b)",
    re.I,
)
_WITHIN = re.compile(
    rf"\b(?:(?:back\s+)?(?:in|during|from|of)\s+({_POINT})|({_AGO}|this\s+{_SEASON}))\b", re.I
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
    if found := _LASTING.search(question):
        return Period(_lasting(found[1], today), None, (found[0],))
    if found := _RECENT.search(question):
        return Period(*_point(found[1], today), (found[0],))
    return _of_texts(question, today)


def without(question: str, period: Period) -> str:
    """Take the words that named the period out of a question."""
    for words in period.words:
        question = question.replace(words, " ")
    return re.sub(r"\s+([?.!,])", r"\1", " ".join(question.split()))


def _of_texts(question: str, today: datetime) -> Period:
    """Read a time that counts only where the author's texts, or opinions, are spoken of."""
    found = _WITHIN.search(question)
    if found is None:
        return Period()
    begin, end = _point(found[1] or found[2], today)
    if re.search(_WRITING, question, re.I):
        return Period(begin, end, (found[0],))
    if re.search(_OPINION, question, re.I) and re.search(r"\b(?:I|you|your|my)\b", question):
        return Period(None, end, (found[0],))
    return Period()


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
    """Return when it begins and ends; a month alone is the last one that has begun."""
    said = re.sub(rf"^(?:{_EDGE}|the\s+)", "", words.lower()).split()
    if said[-1] == "ago":
        return _back(said[-2].rstrip("s"), _number(said[:-2]), today)
    if said[0] in ("last", "past", "this"):
        return _near(said[-1], said[0] == "this", today)
    month, lasts = next((NAMED[w] for w in said if w in NAMED), (1, 12))
    year = int(said[-1]) if said[-1].isdigit() else today.year - (month > today.month)
    return _span(year * 12 + month - 1, lasts)


def _near(name: str, this: bool, today: datetime) -> tuple[datetime, datetime]:
    """Return the unit, month or season that runs, or the last one that is over."""
    if name in UNITS:
        return _back(name, 0 if this else 1, today)
    month, lasts = NAMED[name]
    first = (today.year - (month > today.month)) * 12 + month - 1
    running = _span(first, lasts)
    return running if this or running[1] <= today else _span(first - 12, lasts)


def _back(unit: str, count: int, today: datetime) -> tuple[datetime, datetime]:
    """Return the year, month, week or day so many before the one of today."""
    if unit == "year":
        return _span((today.year - count) * 12, 12)
    if unit == "month":
        return _span(today.year * 12 + today.month - 1 - count, 1)
    days = 7 if unit == "week" else 1
    begin = _midnight(today) - timedelta(today.weekday() if unit == "week" else 0)
    return begin - timedelta(days * count), begin - timedelta(days * (count - 1))


def _lasting(words: str, today: datetime) -> datetime:
    """Return the day that is so long ago: "two years", or "year"."""
    *number, unit = words.lower().split()
    unit, count = unit.rstrip("s"), _number(number) if number else 1
    if unit in ("year", "month"):
        month = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
        begin, end = _span(month, 1)
        return begin + timedelta(min(today.day, (end - begin).days) - 1)
    return _midnight(today) - timedelta(count * (7 if unit == "week" else 1))


def _number(words: list[str]) -> int:
    named = " ".join(words)
    return NUMBERS[named] if named in NUMBERS else int(named)


def _span(first: int, lasts: int) -> tuple[datetime, datetime]:
    """Return when some months begin and end, counted from the year 0."""
    return _nth(first), _nth(first + lasts)


def _nth(month: int) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _midnight(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
