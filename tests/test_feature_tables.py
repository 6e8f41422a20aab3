"""A history as a table: the last of what was said twice, the latest of each, and the digest of a row."""

from datetime import UTC, datetime, timedelta

import pyarrow
import pytest

from include import feature_tables as tables

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = pyarrow.schema(
    [
        *(("key", pyarrow.string()), ("words", pyarrow.float64())),
        ("buckets", pyarrow.list_(pyarrow.int64())),
        ("event_timestamp", pyarrow.timestamp("us", tz="UTC")),
    ]
)


def row(key: str, words: float | None, day: int) -> dict:
    """Measure something on a day."""
    moment = START + timedelta(days=day)
    return {"key": key, "words": words, "buckets": [3, 9], "event_timestamp": moment}


def table(*rows: dict) -> pyarrow.Table:
    return tables.table_of(rows, SCHEMA)


def said(found: pyarrow.Table) -> list[tuple]:
    return [(r["key"], r["words"]) for r in found.to_pylist()]


def test_of_two_measures_at_one_time_the_last_stays_and_time_gives_the_order() -> None:
    found = tables.merged(table(row("b", 9, 5), row("a", 1, 0), row("a", 2, 0)), "key")

    assert said(found) == [("a", 2), ("b", 9)]


def test_the_latest_row_of_each_key_is_found_up_to_a_time() -> None:
    given = table(row("a", 1, 0), row("b", 2, 1), row("a", 3, 2))

    assert said(tables.latest(given, "key")) == [("a", 3), ("b", 2)]
    assert said(tables.latest(given, "key", START)) == [("a", 1)]


def test_rows_of_some_keys_are_left_out_or_kept_or_cut_at_a_time() -> None:
    given = table(row("a", 1, 0), row("b", 2, 1), row("a", 3, 2))

    assert said(tables.without(given, "key", {"a"})) == [("b", 2)]
    assert said(tables.only(given, "key", {"b", "c"})) == [("b", 2)]
    assert said(tables.no_later(given, "key", {"a": START})) == [("a", 1), ("b", 2)]


def test_a_column_that_was_declared_later_is_empty() -> None:
    old = table(row("a", 1, 0)).drop_columns(["words"])

    assert tables.fitted(old, SCHEMA).to_pylist() == [row("a", None, 0)]


def test_more_rows_than_fit_a_batch_keep_their_order() -> None:
    given = [row(f"{n:05}", n, 0) for n in range(2 * tables.BATCH + 1)]

    parts = list(tables.rows_of(table(*given)))

    assert [r for part in parts for r in part] == given
    assert max(map(len, parts)) <= tables.BATCH


def test_two_tables_differ_in_the_keys_of_which_they_do_not_say_the_same() -> None:
    one, other = table(row("a", 1, 0), row("b", 2, 0)), table(row("a", 1, 0), row("b", 3, 0))

    assert tables.differing(one, one, "key") == set()
    assert tables.differing(one, other, "key") == {"b"}


@pytest.mark.parametrize("other", [row("a", 2, 0), row("b", 1, 0), row("a", 1, 1)])
def test_a_digest_tells_rows_apart_and_not_how_a_number_is_kept(other: dict) -> None:
    (kept,) = table(row("a", 1, 0)).to_pylist()

    assert tables.row_digest(kept) == tables.row_digest(row("a", 1, 0))
    assert tables.row_digest(kept) != tables.row_digest(other)
