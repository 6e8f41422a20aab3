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


def test_every_key_judges_an_answer_for_itself_and_once(settings: Settings):
    first = Trace("a1", "m", MOMENT, "q", "a", (), False, {})
    again = Trace("b2", "m", at(1), "q", "a", (), False, {}, {"instead_of": "a1"})
    said = [Feedback("b2", s, "", at(s), by=k) for s, k in ((1, "ann"), (-1, "bob"), (0, "ann"))]
    with open_documents(settings) as documents:
        for trace in (first, again):
            documents.put_trace(trace)
        for one in said:
            documents.put_feedback(one)

        assert documents.latest_traces(1) == [again]
        assert {(f.by, f.score) for f in documents.feedback_on(["b2"])} == {("ann", 0), ("bob", -1)}
        given, traces = documents.judgements()
        assert [(f.by, f.score) for f in given] == [("bob", -1), ("ann", 0)]
        assert traces == {"a1": first, "b2": again}
