"""The story: clean what changed, find copies, keep what is refused with its reason.

Each clean document names what it follows from: its revision, what was learned of its host, the addresses
that may stay, the suite. When one of these changes, the documents it concerns are cleaned again, so that
the order in which pages arrive does not matter.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from include.documents import Documents, open_documents
from include.duplicates import find_copies
from include.embedding_cache import forget_documents, open_embedder
from include.engine import Work, run_batches
from include.indexing import index_mark
from include.quality import (
    Row,
    clean_row,
    passage_rows,
    refuse_chunks,
    refuse_cleaned,
    stopped_at,
)
from include.records import DocumentState, from_record, to_record
from include.settings import Settings
from include.sources import load_sources
from include.spool import Spool
from include.suites import SUITES
from include.trust import shared_documents
from include.validation import ValidationFailed
from ml.boilerplate import LEARNED_AS, NOTHING, Boilerplate, host_of, learn_boilerplate
from ml.chunk import chunk_document
from ml.text import MINIMUM_WORDS, clean
from ml.types import CleanDocument, Document, Rejected, digest

# The stages of which the suites judge here.
STAGES = ("clean", "chunk")
# A clean document, or why there is none, and what was measured on it and on each of its passages.
Cleaned = tuple[CleanDocument | Rejected, Row, list[Row]]
# Documents that a worker reads and cleans at a time.
CLEAN_BATCH = 64


def clean_documents(settings: Settings) -> dict[str, int]:
    """Clean what changed, find copies among everything, and drop what is no longer there."""
    fingerprint, allowed = index_mark(settings), _allowed(settings)
    with open_documents(settings) as documents, Spool() as fresh:
        mark, active = documents.mark(), documents.listed()
        hosts = _known_marks(documents, mark)
        learned = _learn(documents, active) if hosts is None else {}
        hosts = {h: b.mark for h, b in learned.items()} if hosts is None else hosts
        origins = _origins(active, hosts, allowed)
        before = documents.clean_states(fingerprint)
        kept = [i for i, state in before.items() if origins.get(i) == state.origin]
        settled = {*kept, *_still_refused(documents, origins, active)}
        changed = [d for d in active if d.id not in settled]
        learned = _learn(documents, active) if changed and not learned else learned
        make = partial(_cleaner, learned, allowed, fingerprint)
        refused = _clean_changed(settings, documents, make, changed, len(active), origins, fresh)
        copies = find_copies(partial(_read, documents, kept, fresh, refused), settings)
        moved = {i for i in copies if copies[i] != before.get(i)}
        cleaned = _read(documents, kept, fresh, refused, moved)
        documents.put_clean((replace(c, **asdict(copies[c.id])) for c in cleaned), fingerprint)
        removed = before.keys() - copies.keys()
        documents.remove_clean(removed)
        forget_documents(settings, removed)
        told = {"mark": mark, "learned_as": LEARNED_AS, "hosts": [list(h) for h in hosts.items()]}
        documents.put_run("clean_documents", "last", told, _now())
    return {
        "cleaned": len(copies) - len(kept),
        "rejected": len(refused),
        "duplicates": sum(bool(state.duplicate_of) for state in copies.values()),
        "removed": len(removed),
    }


def clean_originals(settings: Settings) -> list[CleanDocument]:
    """List the clean documents that may be learned from, by id: no copies, and none that others may have written."""
    with open_documents(settings) as documents:
        shared = shared_documents(settings, documents)
        found = documents.clean(index_mark(settings))
    return [d for d in found if not d.duplicate_of and d.id not in shared]


def _now() -> datetime:
    return datetime.now(UTC)


def _allowed(settings: Settings) -> frozenset[str]:
    """List the authors' own addresses, which may stay in their texts."""
    return frozenset(e for s in load_sources(settings) for e in s.author.emails)


def _learn(documents: Documents, active: Iterable[DocumentState]) -> dict[str, Boilerplate]:
    return learn_boilerplate(documents.stream([d.id for d in active if d.kind == "article"]))


def _host(document: Document | DocumentState) -> str:
    """Name whose boilerplate a document may hold; posts and code hold nobody's."""
    return host_of(document.url) if document.kind == "article" else ""


def _known_marks(documents: Documents, mark: str) -> dict[str, str] | None:
    """Name what the last run learned of each host; None where a document has changed since."""
    runs = documents.runs("clean_documents")
    last = runs[-1] if runs else {}
    same = (last.get("mark"), last.get("learned_as")) == (mark, LEARNED_AS)
    return {host: learned for host, learned in last["hosts"]} if same else None


def _origins(
    active: Iterable[DocumentState], hosts: Mapping[str, str], allowed: frozenset[str]
) -> dict[str, str]:
    """Name, for each document, everything that its clean form, or its refusal, follows from."""
    suites = repr((SUITES["clean"], SUITES["chunk"]))
    rules = digest("rules", suites, repr(dict(MINIMUM_WORDS)), *sorted(allowed))
    return {
        d.id: digest("origin", d.revision, hosts.get(_host(d), NOTHING.mark), rules) for d in active
    }


def _still_refused(
    documents: Documents, origins: Mapping[str, str], active: Iterable[DocumentState]
) -> set[str]:
    """Name the documents that cleaning refused in just this state, by just these rules."""
    refused = {found for stage in STAGES for found in documents.judged(stage)}
    return {d.id for d in active if (d.url, origins[d.id]) in refused}


def _note_refused(
    documents: Documents, judged: Sequence[DocumentState], bad: Iterable[Rejected]
) -> None:
    """Keep what is refused now in the place of what was refused before."""
    for stage in STAGES:
        documents.clear_rejected(stopped_at(stage))
        documents.clear_rejected_at(stage, (d.url for d in judged))
    documents.reject(bad, _now())


def _clean_changed(
    settings: Settings,
    documents: Documents,
    make: Callable[[Settings], Work[Cleaned]],
    changed: Sequence[DocumentState],
    among: int,
    origins: Mapping[str, str],
    fresh: Spool,
) -> set[str]:
    """Put what cleaning makes into the spool and keep what is refused; returns the ids of the latter."""
    bad: list[Rejected] = []
    texts, chunks = documents.released("clean"), documents.released("chunk")
    with Spool() as rows, Spool() as passages:
        for made, row, its in run_batches(settings, make, [d.id for d in changed], CLEAN_BATCH):
            if isinstance(made, Rejected):
                bad.append(made)
                continue
            fresh.add(to_record(replace(made, origin=origins[made.id])))
            rows.add(row)
            for passage in its:
                passages.add(passage)
        try:
            bad += refuse_cleaned(settings, rows, documents.read, among, texts)
            bad += refuse_chunks(settings, passages, documents.read, among, chunks)
        except ValidationFailed as stop:
            documents.reject(stop.rejected, _now())
            raise
    bad = [replace(r, judged_by=origins[digest("document", r.where)]) for r in bad]
    _note_refused(documents, changed, bad)
    return {digest("document", r.where) for r in bad}


def _read(
    documents: Documents,
    kept: Sequence[str],
    fresh: Spool,
    refused: Collection[str],
    wanted: Collection[str] | None = None,
) -> Iterator[CleanDocument]:
    """Read what was clean before and what is clean now, all of it or what is wanted of it."""
    ids = kept if wanted is None else [i for i in kept if i in wanted]
    now = (r for r in fresh if r["id"] not in refused and (wanted is None or r["id"] in wanted))
    return chain(documents.stream_clean(ids), (from_record(CleanDocument, r) for r in now))


def _cleaner(
    learned: Mapping[str, Boilerplate],
    allowed: frozenset[str],
    fingerprint: str,
    settings: Settings,
) -> Work[Cleaned]:
    """Make the work of the batch engine that cleans documents by id, and measures the passages they will become.

    What was learned is by host.
    """
    embedder = open_embedder(settings)
    size = min(settings.chunk_tokens, embedder.window)

    def measured(document: Document) -> Cleaned:
        made = clean(document, learned.get(_host(document), NOTHING), allowed)
        if isinstance(made, Rejected):
            return made, {}, []
        chunks = chunk_document(made, embedder.offsets, size, fingerprint)
        passages = passage_rows(made, chunks, embedder.offsets, embedder.window)
        return made, clean_row(made, document.text), passages

    def work(ids: Sequence[str]) -> list[Cleaned]:
        with open_documents(settings) as documents:
            found = documents.read(ids)
        return [measured(d) for d in found]

    return work
