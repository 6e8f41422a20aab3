"""The part of the door to MongoDB that finds and deletes what was made of one document."""

from collections.abc import Callable, Iterable

from include.batches import ANSWERS
from include.collections import Collections
from include.records import Record
from ml.types import digest


class Erasures(Collections):
    """Forgetting: every record is found by reading, so that what is counted is what is there."""

    def kept_of(self, document_id: str) -> dict[str, int]:
        """Count what is kept of a document, by collection; the mark that it is never fetched again is not counted."""
        return {
            name: sum(1 for _ in self._collection(name).find(where, {"_id": 1}))
            for name, where in self._made_of(document_id).items()
        }

    def forget(self, document_id: str) -> dict[str, int]:
        """Delete a document and everything that was made of it in MongoDB; returns how many records of each."""
        return {
            name: self._collection(name).delete_many(where).deleted_count
            for name, where in self._made_of(document_id).items()
        }

    def texts_of(self, document_id: str) -> list[str]:
        """Return every text that is kept of a document: all revisions, and what waits or was refused."""
        return [
            text
            for name, where in self._made_of(document_id).items()
            for r in self._collection(name).find(where)
            for text in (r.get("text", ""), *r.get("quotes", ()))
            if text
        ]

    def urls_of(self, source_id: str) -> set[str]:
        """Return the URLs of everything that a source ever brought, also of what is gone, waits or was refused."""
        places = {"documents": "url", "staged": "url", "quarantined": "url", "rejected": "where"}
        return {
            r[key]
            for name, key in places.items()
            for r in self._collection(name).find({"source": source_id}, {key: 1})
        }

    def copies_of(self, document_id: str) -> list[str]:
        """Return the URLs at which the same text stands: they are documents of their own."""
        found = list(self._collection("clean").find({}, {"url": 1, "duplicate_of": 1}))
        mine = next((r for r in found if r["_id"] == document_id), {})
        original = mine.get("duplicate_of") or document_id
        same = (r for r in found if original in (r["_id"], r.get("duplicate_of")))
        return sorted(r["url"] for r in same if r["_id"] != document_id)

    def answers(self, quotes: Callable[[Record], bool]) -> list[str]:
        """Name the traces that quote something, themselves or in what readers said of them."""
        named = {str(r["_id"]) for r in self._collection("traces").find({}) if quotes(r)}
        judged = (r for r in self._collection("feedback").find({}) if quotes(r))
        return sorted(named | {str(r["trace_id"]) for r in judged})

    def forget_answers(self, trace_ids: Iterable[str]) -> None:
        """Delete traces, what readers said of them, and the same answers in batches."""
        wanted = list(trace_ids)
        self._collection(ANSWERS).delete_many({"trace": {"$in": wanted}})
        self._collection("rejected").delete_many({"stage": "feedback", "where": {"$in": wanted}})
        self._collection("feedback").delete_many({"trace_id": {"$in": wanted}})
        self._delete("traces", wanted)

    def _made_of(self, document_id: str) -> dict[str, Record]:
        """Say what belongs to a document; the document itself comes last, so that a killed deletion goes on."""
        refused = self._collection("rejected").find({}, {"where": 1})
        named = {w for r in refused if document_id in ((w := r["where"]), digest("document", w))}
        own = ("staged", "quarantined", "clean", "measured")
        return {
            "rejected": {"where": {"$in": sorted(named)}, "stage": {"$ne": "forgotten"}},
            "pages": {"document": document_id},
            "releases": {"document": document_id},
            **{name: {"_id": document_id} for name in own},
            "indexed": {"document": document_id},
            "revisions": {"document_id": document_id},
            "documents": {"_id": document_id},
        }
