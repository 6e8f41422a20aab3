"""Nouns in a database's plain form, and which of two looks at a document is the newer one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from builders import MOMENT, cleaned, document

from include.records import (
    BATCH,
    IndexState,
    from_record,
    hide_password,
    in_parts,
    is_newer,
    kept_time,
    says_the_same,
    to_record,
)
from ml.types import CleanDocument, Document, Rejected

LATER = timedelta(minutes=1)


def stored(**values: object) -> dict[str, object]:
    """Make the record of the document that `document()` makes."""
    return {**to_record(document()), "revision": document().revision, **values}


def test_a_noun_comes_back_from_its_record_without_what_is_not_its_own() -> None:
    quoted = replace(cleaned(), quotes=("one", "two"))

    record = to_record(quoted)

    assert record["quotes"] == ["one", "two"]
    assert from_record(CleanDocument, {**record, "_id": 7, "fingerprint": "f"}) == quoted
    assert from_record(IndexState, {"revision": "r", "fingerprint": "f", "chunk_ids": ["c"]}) == (
        IndexState("r", "f", ("c",))
    )
    assert from_record(Rejected, {"where": "w", "stage": "raw", "reason": "r", "at": MOMENT}) == (
        Rejected("w", "raw", "r")
    )


def test_a_time_is_kept_in_utc_to_the_millisecond() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 987_654, tzinfo=timezone(timedelta(hours=2)))

    assert kept_time(moment) == datetime(2026, 3, 1, 10, 0, 0, 987_000, tzinfo=UTC)
    assert kept_time(kept_time(moment)) == kept_time(moment)


@pytest.mark.parametrize(
    ("fetched_at", "before", "newer"),
    [
        (MOMENT, None, True),
        (MOMENT, stored(), True),
        (MOMENT - LATER, stored(), False),
        (MOMENT + LATER, stored(gone_at=MOMENT + LATER), True),
        (MOMENT, stored(gone_at=MOMENT + LATER), False),
    ],
)
def test_an_older_look_is_not_newer_and_a_tombstone_counts_as_a_look(fetched_at, before, newer):
    looked: Document = replace(document(), fetched_at=fetched_at)

    assert is_newer(looked, before) is newer


def test_a_text_that_is_gone_or_changed_does_not_say_the_same() -> None:
    assert says_the_same(document(), stored())
    assert not says_the_same(document(), None)
    assert not says_the_same(document(), stored(gone_at=MOMENT))
    assert not says_the_same(document("another text"), stored())


def test_a_password_is_never_shown() -> None:
    assert hide_password("mongodb://me:s3cret@db:27017/x") == "mongodb://me:…@db:27017/x"
    assert hide_password("mongodb://127.0.0.1:27017") == "mongodb://127.0.0.1:27017"


def test_many_ids_are_split_in_order_without_loss() -> None:
    ids = [f"{n:05d}" for n in range(2 * BATCH + 1)]

    parts = in_parts(reversed(ids))

    assert [len(part) for part in parts] == [BATCH, BATCH, 1]
    assert [i for part in parts for i in part] == ids
    assert in_parts([]) == []
