"""The story's last chapter: forget a document, or a whole source, everywhere, and prove it.

First the addresses are marked, so that nothing is fetched again; then every place of
`include/erasure.py` is emptied and searched once more. An erasure that was killed is finished by
running it again; for an address that nobody ever saw, the mark is all there is to do. What happened
is kept in the journal and as a page under `erasures/`.
"""

import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.crawlers.article import canonical_form
from include.crawlers.outcome import source_mark
from include.documents import Documents, open_documents
from include.erasure import PLACES
from include.erasure_report import Erasure, Found, write_report
from include.erasure_wanted import Doors, Wanted, look_for
from include.features import open_features
from include.records import Record
from include.settings import Settings
from include.vectors import open_vectors
from include.withdrawals import stale, withdrawn
from ml.types import Rejected, digest

log = logging.getLogger(__name__)

# How long to wait for others to let go of the embedded server's file.
BUSY_SECONDS = 10.0


def forget_document(settings: Settings, url: str) -> dict[str, object]:
    """Delete a document everywhere and never fetch it again; returns what was found, by place, and the report.

    Datasets with it are withdrawn and their models stale, so that the next build_dataset makes a
    version without it. Raises RuntimeError if anything of it is left.
    """
    with open_documents(settings) as documents:
        becomes = str(documents.page_state(url).get("becomes") or url)
    return _forget(settings, url, {url, becomes, canonical_form(url)})


def forget_source(settings: Settings, source_id: str) -> dict[str, object]:
    """Forget everything that a source ever brought, and never crawl it again; else as forget_document."""
    with open_documents(settings) as documents:
        mark = Rejected(source_mark(source_id), "forgotten", "asked to be forgotten")
        documents.reject([mark], _now())
        urls = documents.urls_of(source_id)
    return _forget(settings, source_mark(source_id), urls, source_id)


def _forget(
    settings: Settings, subject: str, urls: Iterable[str], source: str = ""
) -> dict[str, object]:
    at, named = _now(), frozenset(urls)
    with open_documents(settings) as documents:
        marks = [Rejected(u, "forgotten", "asked to be forgotten", source) for u in sorted(named)]
        documents.reject(marks, at)
        ids = frozenset(digest("document", u) for u in named)
        wanted = look_for(documents, named, ids, at)
        copies = sorted({c for i in ids for c in documents.copies_of(i)} - named)
        with open_vectors(settings) as vectors, open_features(settings) as features:
            found = _empty_places(Doors(settings, documents, vectors, features), wanted)
        # Always: an erasure may have been killed just before this.
        found = (*found, _overwrite_deleted(settings))
        erasure = _erasure(settings, subject, wanted, found, tuple(copies))
        documents.put_run("forget_document", f"{subject} {at}", erasure.record(), at)
        _wish_to_retrain(documents, erasure)
        past = [r for r in documents.runs("forget_document") if r["subject"] == subject]
    file = _write(settings, subject, past)
    if not erasure.complete:
        raise RuntimeError(f"{erasure.summary()} See {file}, and run it again.")
    log.info("%s", erasure.summary())
    return {**{f.name: f.before for f in found}, "seen": erasure.seen, "report": str(file)}


def _empty_places(doors: Doors, wanted: Wanted) -> tuple[Found, ...]:
    """Count, delete, and search again; whatever is counted last was looked for after the last deletion."""
    before = {place.name: place.find(doors, wanted) for place in PLACES}
    for place in PLACES:
        if before[place.name]:
            place.erase(doors, wanted)
    return tuple(Found(p.name, p.what, before[p.name], p.find(doors, wanted)) for p in PLACES)


def _overwrite_deleted(settings: Settings) -> Found:
    """Write the embedded document server's file anew: deleted records stay in its free pages and its log until then."""
    file, left = settings.data_dir / "mongo.db", 0
    if file.exists():
        try:
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as base:
                base.execute("VACUUM")
                left = int(base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        except sqlite3.OperationalError as error:
            log.warning("%s was not written anew: %s", file, error)
            left = 1
    return Found("deleted_records", "deleted records in the document server's own file", 0, left)


def _erasure(
    settings: Settings,
    subject: str,
    wanted: Wanted,
    found: tuple[Found, ...],
    copies: tuple[str, ...],
) -> Erasure:
    datasets = [
        d for d in registry.list_datasets(settings) if _told(withdrawn(settings, d), wanted)
    ]
    models = [m for m in registry.list_models(settings) if _told(stale(settings, m), wanted)]
    return Erasure(
        subject=subject,
        urls=tuple(sorted(wanted.urls)),
        at=wanted.at,
        found=found,
        copies=copies,
        withdrawn=tuple(datasets),
        stale=tuple(models),
        champion=(registry.champion(settings) or "") in models,
    )


def _told(why: dict[str, str], wanted: Wanted) -> bool:
    return not wanted.ids.isdisjoint(why)


def _wish_to_retrain(documents: Documents, erasure: Erasure) -> None:
    """Keep the wish for people; that the newest dataset is withdrawn is what makes the next one."""
    if erasure.withdrawn:
        wish: Record = {"datasets": list(erasure.withdrawn), "models": list(erasure.stale)}
        documents.put_run("retrain_wish", erasure.subject, wish, erasure.at)


def _write(settings: Settings, subject: str, past: list[Record]) -> Path:
    file = settings.data_dir / "erasures" / f"{digest('erasure', subject)[:16]}.html"
    write_report(file, subject, past)
    return file


def _now() -> datetime:
    return datetime.now(UTC)
