"""The style of an author: means over the documents that were there at each time.

A table of measurements in, plain rows out: the history of an author follows from that of the documents.
"""

from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isnan, nan
from typing import Any

from include.feature_store import MEANS
from include.feature_tables import TIME, Row, latest, rows_of

# Every float is a multiple of 2 ** -1074.
SMALLEST_BITS = 1074
NAMES = ("document_id", "written_by", TIME, *MEANS)


def author_rows(history: Any, known: Mapping[str, datetime] | None = None) -> Iterator[Row]:
    """Work out the means of each author at each time at which one of their documents was measured.

    The history is in the order of time. Sums are exact, so that the same documents give the same means
    in whatever order they came. `known` is the last time of each author that was ever told: means without a
    document that was removed are repeated at it, or they would look older than those with it.
    """
    current = set(latest(history, "document_id")["written_by"].to_pylist())
    last = dict[str, Row]()
    for row in _each_once(_running(history)):
        if row["author"] in current and row["documents"]:
            last[row["author"]] = row
            yield row
    for author, row in last.items():
        if known and author in known and known[author] > row[TIME]:
            yield {**row, TIME: known[author]}


def _running(history: Any) -> Iterator[Row]:
    """Yield the means after each measurement, of everybody whom it concerns."""
    newest: dict[str, tuple[str, array[float]]] = {}
    sums: dict[str, dict[str, int]] = {}
    for part in rows_of(history.select(NAMES)):
        for row in part:
            former = newest.get(row["document_id"])
            now = (row["written_by"], _numbers(row))
            newest[row["document_id"]] = now
            for sign, told in ((-1, former), (1, now)):
                if told:
                    _add(sums.setdefault(told[0], {}), sign, told[1])
            for author in {told[0] for told in (former, now) if told}:
                yield _mean_row(author, sums[author], row[TIME])


def _each_once(rows: Iterator[Row]) -> Iterator[Row]:
    """Keep the last of each author's rows at one time."""
    waiting = dict[str, Row]()
    for row in rows:
        if waiting and next(iter(waiting.values()))[TIME] != row[TIME]:
            yield from waiting.values()
            waiting = {}
        waiting[row["author"]] = row
    yield from waiting.values()


def _numbers(row: Row) -> "array[float]":
    """Keep the measures of a document in little memory; one that it does not have is not a number."""
    return array("d", (nan if row[name] is None else row[name] for name in MEANS))


def _add(sums: dict[str, int], sign: int, values: "array[float]") -> None:
    """Count a document in or out; one that was measured before a measure was known has none of it."""
    for name, value in zip(MEANS, values, strict=True):
        if not isnan(value):
            sums[name] = sums.get(name, 0) + sign * _exact(value)
            sums[f"{name} known"] = sums.get(f"{name} known", 0) + sign
    sums["documents"] = sums.get("documents", 0) + sign


def _exact(value: float) -> int:
    """Count a number in units of the smallest float there is: a whole number, much faster than a fraction."""
    above, below = value.as_integer_ratio()
    return above << (SMALLEST_BITS + 1 - below.bit_length())


def _mean_row(author: str, sums: Mapping[str, int], at: datetime) -> Row:
    known = {name: sums.get(f"{name} known", 0) << SMALLEST_BITS for name in MEANS}
    means = {name: sums[name] / known[name] if known[name] else None for name in MEANS}
    return {"author": author, "documents": sums["documents"], **means, TIME: at}
