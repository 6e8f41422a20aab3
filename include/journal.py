"""The part of the door to MongoDB that keeps what happened: questions, judgements, replicas, measurements, runs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from include.collections import Collections
from include.records import MeasuredState, Record, from_record, to_record
from ml.canary import Outcome
from ml.types import Feedback, Trace, digest


class Journal(Collections):
    """What happened, and when."""

    def put_trace(self, trace: Trace) -> None:
        """Keep what happened for one question."""
        self._replace("traces", {trace.id: to_record(trace)})

    def trace(self, trace_id: str) -> Trace | None:
        """Find a trace."""
        record = self._collection("traces").find_one({"_id": trace_id})
        return from_record(Trace, record) if record else None

    def traces(self, since: datetime) -> list[Trace]:
        """List the traces since a moment."""
        found = self._collection("traces").find({"asked_at": {"$gte": since}})
        return [from_record(Trace, r) for r in found]

    def traces_of(self, chunk_ids: Iterable[str]) -> list[Trace]:
        """List the answers for which one of these chunks was found."""
        found = self._collection("traces").find({"chunk_ids": {"$in": sorted(chunk_ids)}})
        return [from_record(Trace, r) for r in found]

    def latest_traces(self, most: int) -> list[Trace]:
        """List the newest traces, the newest first."""
        found = self._collection("traces").find({}).sort("asked_at", -1).limit(most)
        return [from_record(Trace, r) for r in found]

    def put_feedback(self, feedback: Feedback) -> None:
        """Keep a judgement; a second one of the same answer by the same key replaces the first."""
        name = digest("feedback", feedback.trace_id, feedback.by)
        self._replace("feedback", {name: to_record(feedback)})

    def feedback_on(self, trace_ids: Iterable[str]) -> list[Feedback]:
        """List the judgements of some answers."""
        found = self._collection("feedback").find({"trace_id": {"$in": sorted(trace_ids)}})
        return [from_record(Feedback, r) for r in found]

    def judgements(self) -> tuple[list[Feedback], dict[str, Trace]]:
        """Return all judgements, the oldest first, and by id the answers that they are of, or that those replaced."""
        given = [from_record(Feedback, r) for r in self._all("feedback")]
        traces = self._traces({f.trace_id for f in given})
        replaced = {str(t.how.get("instead_of", "")) for t in traces.values()} - {""}
        traces |= self._traces(replaced - traces.keys())
        return sorted(given, key=lambda f: (f.given_at, f.trace_id, f.by)), traces

    def _traces(self, ids: Iterable[str]) -> dict[str, Trace]:
        return {r["_id"]: from_record(Trace, r) for r in self._find("traces", ids)}

    def feedback(self, since: datetime) -> list[Feedback]:
        """List the judgements since a moment."""
        found = self._collection("feedback").find({"given_at": {"$gte": since}})
        return [from_record(Feedback, r) for r in found]

    def spend(self, key: str, day: date, tokens: int) -> int:
        """Add tokens to what an API key has spent on a day; returns the sum, in one step for all replicas."""
        name = digest("spent", key, day.isoformat())
        found = self._collection("spent").find_one_and_update(
            {"_id": name},
            {"$inc": {"tokens": tokens}, "$set": {"key": key, "day": day.isoformat()}},
            upsert=True,
            return_document=True,
        )
        return int(found["tokens"]) if found else tokens

    def put_replica(self, replica: str, state: Mapping[str, str], at: datetime) -> None:
        """Keep the heartbeat of a serving replica."""
        self._replace("replicas", {replica: {**state, "at": at}})

    def replicas(self, newer_than: datetime) -> list[Record]:
        """List the replicas whose heart still beats."""
        return list(self._collection("replicas").find({"at": {"$gte": newer_than}}))

    def begin_trial(self, candidate: str) -> None:
        """Forget what came of an earlier trial of a candidate."""
        self._collection("outcomes").delete_many({"trial": candidate})

    def put_outcome(self, candidate: str, outcome: Outcome, at: datetime) -> None:
        """Keep what came of one request during the trial of a candidate."""
        self._replace("outcomes", {uuid4().hex: {"trial": candidate, **asdict(outcome), "at": at}})

    def outcomes(self, candidate: str) -> list[Outcome]:
        """List what came of the requests during the trial of a candidate."""
        found = self._collection("outcomes").find({"trial": candidate})
        return [from_record(Outcome, r) for r in found]

    def measured(self) -> dict[str, MeasuredState]:
        """Return what was measured of each document, by id."""
        return {r["_id"]: from_record(MeasuredState, r) for r in self._all("measured")}

    def mark_measured(self, states: Mapping[str, MeasuredState]) -> None:
        """Say what was measured of documents; written after the rows themselves."""
        self._replace("measured", {i: asdict(state) for i, state in states.items()})

    def unmark_measured(self, ids: Iterable[str]) -> None:
        """Say that documents are no longer measured, or have to be measured again."""
        self._delete("measured", ids)

    def put_run(self, verb: str, key: str, payload: Mapping[str, Any], at: datetime) -> None:
        """Keep a small record of what a verb did."""
        self._replace("runs", {digest(verb, key): {"verb": verb, **payload, "at": at}})

    def runs(self, verb: str) -> list[Record]:
        """List the records of a verb, oldest first."""
        found = self._collection("runs").find({"verb": verb})
        return sorted(found, key=lambda r: r["at"])
