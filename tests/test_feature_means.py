"""An author's style is the mean over the documents that were there at the time, in whatever order they came."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from include.feature_means import author_rows, merged, with_last_times
from include.feature_store import MEANS

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(document_id: str, words: int, day: int, author: str = "ada") -> dict:
    """Measure a document on a day: every mean-able measure is its number of words."""
    moment = START + timedelta(days=day)
    named = {"document_id": document_id, "written_by": author, "event_timestamp": moment}
    return {**dict.fromkeys(MEANS, words), **named}


def words_by_day(rows: list[dict]) -> dict[int, tuple[int, float]]:
    return {(r["event_timestamp"] - START).days: (r["documents"], r["words"]) for r in rows}


def test_each_day_has_the_mean_over_what_was_there():
    rows = [row("a", 100, 0), row("b", 200, 1), row("c", 600, 2)]

    assert words_by_day(author_rows(rows)) == {0: (1, 100.0), 1: (2, 150.0), 2: (3, 300.0)}


def test_a_changed_document_counts_once_with_its_newest_measure():
    rows = [row("a", 100, 0), row("b", 200, 0), row("a", 400, 1)]

    assert words_by_day(author_rows(rows)) == {0: (2, 150.0), 1: (2, 300.0)}


def test_a_document_that_changed_hands_leaves_its_former_author():
    rows = [row("a", 100, 0), row("b", 300, 0, "bob"), row("a", 500, 1, "bob")]

    made = author_rows(rows)

    assert {r["author"] for r in made} == {"bob"}
    assert words_by_day(made) == {0: (1, 300.0), 1: (2, 400.0)}


def test_means_are_exact_in_whatever_order_documents_came():
    values = [0.1, 0.2, 0.3, 1e9, -1e9]
    forth = [row(str(i), v, 0) for i, v in enumerate(values)]

    (one,), (other,) = author_rows(forth), author_rows(forth[::-1])

    assert one["words"] == other["words"] == float(sum(map(Fraction, values)) / 5)


def test_of_two_measures_at_one_time_the_last_stays():
    assert [r["words"] for r in merged("document_id", [row("a", 1, 0), row("a", 2, 0)])] == [2]


def test_after_a_removal_the_means_without_the_document_are_the_newest():
    former = author_rows([row("a", 100, 0), row("b", 200, 5)])
    without_b = author_rows([row("a", 100, 0)])

    rows = with_last_times(without_b, former)

    assert words_by_day(rows) == {0: (1, 100.0), 5: (1, 100.0)}
