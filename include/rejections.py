"""The part of the door to MongoDB that keeps what was turned away, with its reasons, and who let what pass."""

from collections.abc import Iterable
from datetime import datetime

from include.collections import Collections
from include.records import Release, from_record, in_parts, to_record
from ml.types import Document, Rejected, digest


class Rejections(Collections):
    """What was turned away, at which stage and why."""

    def reject(self, items: Iterable[Rejected], at: datetime) -> int:
        """Keep what was turned away, with its reason; the same rejection twice is one."""
        return self._replace("rejected", {r.id: {**to_record(r), "at": at} for r in items})

    def rejected(self, stage: str | None = None) -> list[Rejected]:
        """List what was turned away, at one stage or at all."""
        records = self._all("rejected")
        return [from_record(Rejected, r) for r in records if stage in (None, r["stage"])]

    def judged(self, stage: str) -> set[tuple[str, str]]:
        """Return place and judge of what was turned away at a stage."""
        found = self._all("rejected", ("where", "stage", "judged_by"))
        return {(r["where"], r.get("judged_by", "")) for r in found if r["stage"] == stage}

    def clear_rejected(self, stage: str, source: str | None = None) -> int:
        """Let the rejections of a stage go, of one source or of all."""
        wanted = {"stage": stage} if source is None else {"stage": stage, "source": source}
        return self._collection("rejected").delete_many(wanted).deleted_count

    def clear_rejected_at(self, stage: str, places: Iterable[str]) -> None:
        """Let the rejections of what is judged again go."""
        for part in in_parts(places):
            self._collection("rejected").delete_many({"stage": stage, "where": {"$in": part}})

    def quarantine(self, documents: Iterable[Document]) -> int:
        """Keep refused documents whole, so that they can be judged again without being fetched again."""
        records = {d.id: {**to_record(d), "revision": d.revision} for d in documents}
        return self._replace("quarantined", records)

    def quarantined(self) -> list[Document]:
        """List the documents that were refused before they were stored."""
        return [from_record(Document, r) for r in self._all("quarantined")]

    def unquarantine(self, ids: Iterable[str]) -> None:
        """Let go of documents that are judged again."""
        self._delete("quarantined", ids)

    def release(self, releases: Iterable[Release]) -> int:
        """Let revisions pass a stage that refused them; the same release twice is one."""
        named = {digest("release", r.stage, r.url, r.revision): r for r in releases}
        document = {i: digest("document", r.url) for i, r in named.items()}
        records = {i: {**to_record(r), "document": document[i]} for i, r in named.items()}
        return self._replace("releases", records)

    def releases(self) -> list[Release]:
        """List who let what pass, oldest first."""
        return sorted(
            (from_record(Release, r) for r in self._all("releases")), key=lambda r: (r.at, r.url)
        )

    def released(self, stage: str) -> frozenset[tuple[str, str]]:
        """Return URL and revision of what may pass a stage although it fails there."""
        return frozenset((r.url, r.revision) for r in self.releases() if r.stage == stage)
