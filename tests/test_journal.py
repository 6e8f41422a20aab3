"""The journal: what happened is found by its time."""

from datetime import UTC, datetime, timedelta

from builders import MOMENT

from include.documents import open_documents
from include.records import MeasuredState
from include.settings import Settings
from ml.types import Feedback, Trace, digest


def at(hours: int) -> datetime:
    return MOMENT + timedelta(hours=hours)


def test_traces_and_feedback_are_found_by_time(settings: Settings):
    trace = Trace(digest("t"), "m", MOMENT, "q", "a", ("c",), False, {"generate": 1.0})
    with open_documents(settings) as documents:
        documents.put_trace(trace)
        documents.put_feedback(Feedback(trace.id, 1, "", MOMENT))

        assert documents.traces(at(-1)) == [trace] == [documents.trace(trace.id)]
        assert documents.traces(at(1)) == []
        assert [f.score for f in documents.feedback(at(-1))] == [1]


def test_only_replicas_with_a_fresh_heartbeat_are_alive(settings: Settings):
    with open_documents(settings) as documents:
        now = datetime.now(UTC)
        state = {"model_id": "m", "status": "ready"}
        documents.put_replica("old", state, now - timedelta(minutes=1))
        documents.put_replica("new", state, now)

        assert [r["_id"] for r in documents.replicas(now - timedelta(seconds=5))] == ["new"]


def test_what_was_measured_of_a_document_is_known_until_it_is_to_be_measured_again(
    settings: Settings,
):
    states = {i: MeasuredState(f"mark {i}", MOMENT, "source", "row") for i in ("a", "b")}
    with open_documents(settings) as documents:
        documents.mark_measured(states)
        assert documents.measured() == states
        documents.unmark_measured(["a", "nobody"])
        assert documents.measured() == {"b": states["b"]}
        documents.forget("b")
        assert documents.measured() == {}
