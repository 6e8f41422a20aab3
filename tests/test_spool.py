"""The spool: records that wait on disk come back as they were, as often as they are asked for."""

from dataclasses import replace

from builders import MOMENT, cleaned

from include.records import from_record, to_record
from include.spool import Spool
from ml.types import CleanDocument


def test_what_is_added_comes_back_in_its_order_with_its_times_and_as_often_as_asked_for() -> None:
    documents = [
        replace(cleaned(url=f"https://e.org/{n}/"), quotes=("a", "b"), published_at=when)
        for n, when in enumerate((MOMENT, None, MOMENT))
    ]
    with Spool() as spool:
        for document in documents:
            spool.add(to_record(document))

        assert [from_record(CleanDocument, r) for r in spool] == documents
        assert list(spool) == list(spool)


def test_a_spool_without_records_is_empty() -> None:
    with Spool() as spool:
        assert list(spool) == []
