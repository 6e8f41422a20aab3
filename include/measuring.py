"""The story: measure how every document is written, and hand the rows to Feast."""

from collections.abc import Sequence
from datetime import UTC, datetime

from include.documents import Documents, open_documents
from include.features import open_features
from include.indexing import index_mark
from include.quality import refuse_features, stopped_at
from include.settings import Settings
from include.validation import ValidationFailed
from ml.style import MEASURES_VERSION, StyleRow, collisions, former_times, measure
from ml.types import CleanDocument, digest


def store_features(settings: Settings) -> dict[str, int]:
    """Measure the clean documents that changed, validate, and hand their rows to Feast.

    A document changed when its text, its time, its author's text before it or the way of measuring
    did, or when a person released it.
    """
    with open_documents(settings) as documents:
        cleaned = _originals(settings, documents)
        fetched = {d.id: d.fetched_at for d in documents.listed()}
        former, pardoned = former_times(cleaned), documents.released("feature")
        there = [c for c in cleaned if c.id in fetched]
        marks = {
            c.id: _mark(c, fetched[c.id], former.get(c.id), (c.url, c.revision) in pardoned)
            for c in there
        }
        runs = documents.runs("store_features")
        last = runs[-1] if runs else {}
        known = last.get("marks", {})
        changed = [c for c in there if marks[c.id] != known.get(c.id)]
        gone = {*known, *last.get("ids", ())} - marks.keys()
        if not changed and not gone:
            return {"rows": 0, "materialized": 0}
        rows = [measure(c, fetched[c.id], former.get(c.id)) for c in changed]
        failing = _refused(settings, documents, rows, changed, len(marks)) if rows else set()
        good = [r for r in rows if r.document_id not in failing]
        with open_features(settings) as features:
            # A document whose new text is refused loses the row of its old one.
            features.store_rows(good, sorted(gone | failing))
            materialized = features.materialize(_now(), [r.document_id for r in good])
        documents.put_run("store_features", "last", {"marks": marks}, _now())
    return {"rows": len(good), "materialized": materialized}


def feature_collisions(settings: Settings) -> dict[str, dict[str, object]]:
    """Show which values of a hashed feature share a bucket: values, buckets, buckets used, and who shares."""
    with open_documents(settings) as documents:
        return collisions(_originals(settings, documents))


def _originals(settings: Settings, documents: Documents) -> list[CleanDocument]:
    return [c for c in documents.clean(index_mark(settings)) if not c.duplicate_of]


def _refused(
    settings: Settings,
    documents: Documents,
    rows: Sequence[StyleRow],
    measured: Sequence[CleanDocument],
    among: int,
) -> set[str]:
    """Name the documents whose row is refused; each is kept with its reason."""
    pardoned = documents.released("feature")
    try:
        refused = refuse_features(settings, rows, measured, pardoned, among)
    except ValidationFailed as stop:
        documents.reject(stop.rejected, _now())
        raise
    documents.clear_rejected(stopped_at("feature"))
    documents.clear_rejected_at("feature", [c.url for c in measured])
    documents.reject(refused, _now())
    return {digest("document", r.where) for r in refused}


def _mark(document: CleanDocument, at: datetime, former: datetime | None, pardoned: bool) -> str:
    """Name all that a row follows from."""
    parts = (document.revision, digest(document.text), document.author, document.language)
    times = f"{document.published_at} {former} {at} {pardoned}"
    return digest("row", MEASURES_VERSION, *parts, times)[:16]


def _now() -> datetime:
    return datetime.now(UTC)
