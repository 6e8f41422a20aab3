"""The style of an author: means over the documents that were there at each time.

Plain rows in, plain rows out: the history of an author follows from that of the documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from include.feature_store import MEANS, Row

# Every float is a multiple of 2 ** -1074.
SMALLEST_BITS = 1074


def merged(key: str, rows: Iterable[Row]) -> list[Row]:
    """Keep the last row of each key and time, in the order of time."""
    found = {(row["event_timestamp"], row[key]): row for row in rows}
    return [found[name] for name in sorted(found)]


def author_rows(rows: Sequence[Row]) -> list[Row]:
    """Work out the means of each author at each time at which one of their documents was measured.

    Sums are exact, so that the same documents give the same means in whatever order they came.
    """
    latest: dict[str, Row] = {}
    sums: dict[str, dict[str, int]] = {}
    made: dict[tuple[datetime, str], Row] = {}
    for row in rows:
        former = latest.get(row["document_id"])
        for sign, change in ((-1, former), (1, row)):
            if change:
                _add(sums.setdefault(change["written_by"], {}), sign, change)
        latest[row["document_id"]] = row
        for author in {change["written_by"] for change in (former, row) if change}:
            made[row["event_timestamp"], author] = _mean_row(author, sums[author], row)
    current = {row["written_by"] for row in latest.values()}
    return [row for row in made.values() if row["author"] in current and row["documents"]]


def _add(sums: dict[str, int], sign: int, row: Row) -> None:
    """Count a document in or out; one that was measured before a measure was known has none of it."""
    for name in MEANS:
        if (value := row.get(name)) is not None:
            sums[name] = sums.get(name, 0) + sign * _exact(value)
            sums[f"{name} known"] = sums.get(f"{name} known", 0) + sign
    sums["documents"] = sums.get("documents", 0) + sign


def _exact(value: float) -> int:
    """Count a number in units of the smallest float there is: a whole number, much faster than a fraction."""
    above, below = value.as_integer_ratio()
    return above << (SMALLEST_BITS + 1 - below.bit_length())


def _mean_row(author: str, sums: Mapping[str, int], row: Row) -> Row:
    known = {name: sums.get(f"{name} known", 0) << SMALLEST_BITS for name in MEANS}
    means = {name: sums[name] / known[name] if known[name] else None for name in MEANS}
    return {
        "author": author,
        "documents": sums["documents"],
        **means,
        "event_timestamp": row["event_timestamp"],
    }


def with_last_times(rows: Sequence[Row], former: Sequence[Row]) -> list[Row]:
    """Repeat an author's last means at the last time known, after its document was removed.

    Otherwise the means without that document would look older than those with it.
    """
    last = {row["author"]: row for row in rows}
    times = {row["author"]: row["event_timestamp"] for row in former}
    late = [
        {**row, "event_timestamp": times[author]}
        for author, row in last.items()
        if author in times and times[author] > row["event_timestamp"]
    ]
    return merged("author", [*rows, *late])
