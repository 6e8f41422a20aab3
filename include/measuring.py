"""The story: measure how every document is written, and hand the rows to Feast.

Texts are read and measured some at a time; of all documents at once only what is known without their texts
is held. What was measured is kept by document in MongoDB, with a digest of its row, so that a second run
measures what changed, and `reconcile_stores` finds what Feast lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from include.documents import Documents, open_documents
from include.engine import Work, run_batches
from include.features import digest_of, open_features
from include.indexing import index_mark, source_digest
from include.quality import refuse_features, stopped_at
from include.records import MeasuredState, from_record, to_record
from include.settings import Settings
from include.spool import Spool
from include.trust import shared_documents
from include.validation import ValidationFailed
from ml.style import MEASURES_VERSION, StyleRow, collisions, former_times, measure
from ml.types import CleanDocument, digest

# Documents that a worker reads and measures at a time.
MEASURE_BATCH = 64
# Who wrote a text of a shared source, as far as style goes: nobody's habits are learned from it.
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class _Measured:
    """One document's row, and what it was measured on."""

    row: StyleRow
    source: str


def store_features(settings: Settings) -> dict[str, int]:
    """Measure the clean documents that changed, validate, and hand their rows to Feast.

    A document changed when its text, its time, its author's text before it or the way of measuring
    did, or when a person released it.
    """
    with open_documents(settings) as documents, Spool() as rows:
        wanted, made = _wanted(settings, documents)
        before = documents.measured()
        known = {i: state.mark for i, state in before.items()}
        changed = [i for i, state in wanted.items() if state.mark != known.get(i)]
        gone = known.keys() - wanted.keys()
        if not changed and not gone:
            return {"rows": 0, "materialized": 0}
        states = dict[str, MeasuredState]()
        for each in run_batches(settings, made, changed, MEASURE_BATCH):
            i = each.row.document_id
            states[i] = replace(wanted[i], source=each.source, row=digest_of(each.row))
            rows.add(to_record(each.row))
        failing = _refused(settings, documents, rows, changed, len(wanted)) if states else set()
        good = [i for i in changed if i not in failing]
        with open_features(settings) as features:
            # A document whose new text is refused loses the row of its old one.
            features.store_rows(_rows(rows, failing), gone | failing)
            materialized = features.materialize(_now(), good)
        refused = {i: replace(states[i], row="") for i in failing}
        documents.mark_measured(states | refused)
        documents.unmark_measured(gone)
    return {"rows": len(good), "materialized": materialized}


def feature_collisions(settings: Settings) -> dict[str, dict[str, object]]:
    """Show which values of a hashed feature share a bucket: values, buckets, buckets used, and who shares."""
    with open_documents(settings) as documents:
        ids = list(documents.original_revisions(index_mark(settings)))
        return collisions(documents.stream_clean(ids))


def _wanted(
    settings: Settings, documents: Documents
) -> tuple[dict[str, MeasuredState], "partial[Work[_Measured]]"]:
    """Name all that every row has to follow from, and how rows are made."""
    shared = shared_documents(settings, documents)
    originals = (c for c in documents.outlines(index_mark(settings)) if not c.duplicate_of)
    outlines = [_as_written(c, shared) for c in originals]
    fetched = {d.id: d.fetched_at for d in documents.listed()}
    former, pardoned = former_times(outlines), documents.released("feature")
    states = {
        c.id: MeasuredState(
            _mark(c, fetched[c.id], former.get(c.id), (c.url, c.revision) in pardoned),
            fetched[c.id],
        )
        for c in outlines
        if c.id in fetched
    }
    return states, partial(_measurer, fetched, former, shared)


def _measurer(
    fetched: Mapping[str, datetime],
    former: Mapping[str, datetime],
    shared: frozenset[str],
    settings: Settings,
) -> Work[_Measured]:
    """Make the work of the batch engine that measures clean documents by id."""

    def work(ids: Sequence[str]) -> list[_Measured]:
        with open_documents(settings) as documents:
            found = documents.read_clean(ids)
        rows = (measure(_as_written(d, shared), fetched[d.id], former.get(d.id)) for d in found)
        return [_Measured(r, source_digest(d)) for r, d in zip(rows, found, strict=True)]

    return work


def _as_written(document: CleanDocument, shared: frozenset[str]) -> CleanDocument:
    return replace(document, author=OTHERS) if document.id in shared else document


def _rows(spooled: Spool, failing: set[str]) -> Iterable[StyleRow]:
    return (from_record(StyleRow, r) for r in spooled if r["document_id"] not in failing)


def _refused(
    settings: Settings, documents: Documents, rows: Spool, measured: Sequence[str], among: int
) -> set[str]:
    """Name the documents whose row is refused; each is kept with its reason."""
    pardoned = documents.released("feature")
    try:
        refused = refuse_features(
            settings, _rows(rows, set()), documents.read_clean, among, pardoned
        )
    except ValidationFailed as stop:
        documents.reject(stop.rejected, _now())
        raise
    urls = {d.id: d.url for d in documents.listed()}
    documents.clear_rejected(stopped_at("feature"))
    documents.clear_rejected_at("feature", [urls[i] for i in measured])
    documents.reject(refused, _now())
    return {digest("document", r.where) for r in refused}


def _mark(document: CleanDocument, at: datetime, former: datetime | None, pardoned: bool) -> str:
    """Name all that a row follows from."""
    parts = (document.revision, document.kind, document.author, document.language)
    times = f"{document.published_at} {former} {at} {pardoned}"
    return digest("row", MEASURES_VERSION, *parts, times)[:16]


def _now() -> datetime:
    return datetime.now(UTC)
