"""An author's style is the mean over the documents that were there at the time, in whatever order they came."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pyarrow

from include.feature_means import author_rows
from include.feature_store import MEANS

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(document_id: str, words: float | None, day: int, author: str = "ada") -> dict:
    """Measure a document on a day: every mean-able measure is its number of words."""
    moment = START + timedelta(days=day)
    named = {"document_id": document_id, "written_by": author, "event_timestamp": moment}
    return {**dict.fromkeys(MEANS, words), **named}


def means(rows: list[dict], known: dict[str, datetime] | None = None) -> list[dict]:
    """Work out the means of a history."""
    typed = pyarrow.schema(
        [("document_id", pyarrow.string()), ("written_by", pyarrow.string())]
        + [(name, pyarrow.float64()) for name in MEANS]
        + [("event_timestamp", pyarrow.timestamp("us", tz="UTC"))]
    )
    return list(author_rows(pyarrow.Table.from_pylist(rows, schema=typed), known))


def words_by_day(rows: list[dict]) -> dict[int, tuple[int, float]]:
    return {(r["event_timestamp"] - START).days: (r["documents"], r["words"]) for r in rows}


def test_each_day_has_the_mean_over_what_was_there():
    rows = [row("a", 100, 0), row("b", 200, 1), row("c", 600, 2)]

    assert words_by_day(means(rows)) == {0: (1, 100.0), 1: (2, 150.0), 2: (3, 300.0)}


def test_a_changed_document_counts_once_with_its_newest_measure():
    rows = [row("a", 100, 0), row("b", 200, 0), row("a", 400, 1)]

    assert words_by_day(means(rows)) == {0: (2, 150.0), 1: (2, 300.0)}


def test_a_document_of_which_a_measure_was_not_known_has_no_part_in_its_mean():
    rows = [row("a", 100, 0), row("b", None, 0)]

    assert words_by_day(means(rows)) == {0: (2, 100.0)}
    assert words_by_day(means(rows[1:])) == {0: (1, None)}


def test_a_document_that_changed_hands_leaves_its_former_author():
    rows = [row("a", 100, 0), row("b", 300, 0, "bob"), row("a", 500, 1, "bob")]

    made = means(rows)

    assert {r["author"] for r in made} == {"bob"}
    assert words_by_day(made) == {0: (1, 300.0), 1: (2, 400.0)}


def test_means_are_exact_in_whatever_order_documents_came():
    values = [0.1, 0.2, 0.3, 1e9, -1e9]
    forth = [row(str(i), v, 0) for i, v in enumerate(values)]

    (one,), (other,) = means(forth), means(forth[::-1])

    assert one["words"] == other["words"] == float(sum(map(Fraction, values)) / 5)


def test_after_a_removal_the_means_without_the_document_are_the_newest():
    known = {"ada": START + timedelta(days=5), "nobody": START}

    assert words_by_day(means([row("a", 100, 0)], known)) == {0: (1, 100.0), 5: (1, 100.0)}
