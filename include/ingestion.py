"""The story's first chapter: crawl the sources, judge what came, keep the good and quarantine the bad.

Every verb takes the settings of one world, may be run twice, and returns counts and ids. What
happens to the documents next is told in `include/cleaning.py`.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from include.crawlers.outcome import forgotten_urls, source_mark
from include.documents import Documents, open_documents
from include.quality import broken_sources, refuse_documents
from include.reasons import explain
from include.schedules import is_due, may_try_again
from include.settings import Settings
from include.source_checks import judge_sources
from include.sources import Crawl, crawl, find_source, load_sources
from include.suites import USUAL_SHARE
from include.validation import ValidationFailed
from include.validation_runs import RECENT, usual
from ml.types import Rejected, Source

log = logging.getLogger(__name__)


def check_sources(settings: Settings) -> dict[str, str]:
    """Read the sources file and say in a sentence what is wrong with each source; nothing is fetched."""
    return judge_sources(settings)


def list_sources(settings: Settings, otherwise: str = "") -> list[str]:
    """Name the sources that are due: their moment came since their last crawl, or texts of theirs wait to be judged.

    Without `otherwise` somebody asks: sources without a schedule are due, and so is what failed. A clock names the
    schedule of the former, and leaves what failed to its next moment, or the next day.
    """
    sources, now = load_sources(settings), _now()
    with open_documents(settings) as documents:
        waiting, crawled = documents.waiting_sources(), _when(documents, "crawl_source")
        tried = _when(documents, "crawl_attempt")
    due = [
        s.id
        for s in sources
        if s.id in waiting or _is_due(s, otherwise, crawled.get(s.id), tried.get(s.id), now)
    ]
    log.info("%d of %d sources are due", len(due), len(sources))
    return due


def _when(documents: Documents, verb: str) -> dict[str, datetime]:
    return {str(r["source"]): r["at"] for r in documents.runs(verb)}


def _is_due(
    source: Source, otherwise: str, crawled: datetime | None, tried: datetime | None, now: datetime
) -> bool:
    schedule = source.schedule or otherwise
    failed = tried if tried and (not crawled or crawled < tried) else None
    return is_due(schedule, crawled, now) and (
        not otherwise or may_try_again(schedule, failed, now)
    )


def crawl_source(settings: Settings, source_id: str) -> dict[str, int | str]:
    """Fetch what is new or changed at one source into the staging area; tombstone what is gone.

    Raises ValidationFailed when too much of the source was refused; what was good is staged by then.
    """
    source = find_source(settings, source_id)
    with open_documents(settings) as documents:
        if source_mark(source_id) in forgotten_urls(documents):
            raise PermissionError(
                f"Source {source_id} was asked to be forgotten; take it out of {settings.sources_file}."
            )
        documents.put_run("crawl_attempt", source_id, {"source": source_id}, _now())
        found = crawl(settings, source, documents)
        staged = documents.stage(found.documents)
        documents.reject(found.rejected, _now())
        _check_volume(documents, source, found)
        gone = documents.mark_gone(found.gone, _now())
        _check_budget(settings, source, found)
        counts: dict[str, int | str] = {
            "source": source_id,
            "fetched": staged,
            "unchanged": found.unchanged,
            "rejected": len(found.rejected),
            "gone": gone,
            "suspected": len(found.suspected),
        }
        # Written last: what was not crawled to its end is due again.
        documents.put_run("crawl_source", source_id, counts, _now())
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if what != "source")
    log.info("crawled %s: %s", source_id, said)
    return counts


def _check_budget(settings: Settings, source: Source, found: Crawl) -> None:
    """Fail a crawl of which nothing, or too little, could be read."""
    read = _seen(found)
    refused = len(found.rejected)
    if read and refused / (read + refused) <= settings.error_budget:
        return
    raise ValidationFailed(
        f"{read} of {read + refused} texts could be read from {source.id} ({source.where})."
        f"{_first(found.rejected)}"
    )


def _check_volume(documents: Documents, source: Source, found: Crawl) -> None:
    """Take nothing for gone at a source that suddenly has less than half of what is usual there."""
    runs = [r for r in documents.runs("source_volume") if r["source"] == source.id]
    last: list[int] = runs[-1]["seen"] if runs else []
    seen, before = _seen(found), usual(last)
    record = {"source": source.id, "seen": [*last, seen][-RECENT:]}
    documents.put_run("source_volume", source.id, record, _now())
    if before is not None and seen < USUAL_SHARE * before:
        raise ValidationFailed(
            f"{source.id} ({source.where}) has {seen} texts, {before:g} are usual: nothing is taken for gone."
            f"{_first(found.rejected)} If that is right, crawl on: what stays so for three crawls is the usual."
        )


def _seen(found: Crawl) -> int:
    """Count the texts that a source had."""
    return len(found.documents) + found.unchanged + len(found.suspected)


def store_documents(settings: Settings) -> dict[str, object]:
    """Judge what is staged by the raw suite; keep the good, quarantine the bad with its reasons.

    `broken` names the sources of which too much was bad; `check_ingestion` fails on them.
    """
    with open_documents(settings) as documents:
        waiting, forgotten = documents.staged(), forgotten_urls(documents)
        # Somebody may have asked for a text to be forgotten while it was crawled.
        staged = [d for d in waiting if d.url not in forgotten]
        released = documents.released("raw")
        seen = sum(r["seen"][-1] for r in documents.runs("source_volume"))
        refused = refuse_documents(settings, staged, released, seen) if staged else []
        failing = {r.where for r in refused}
        documents.quarantine(d for d in staged if d.url in failing)
        documents.unquarantine(d.id for d in staged if d.url not in failing)
        documents.clear_rejected_at("raw", (d.url for d in staged))
        documents.reject(refused, _now())
        counts = documents.put(d for d in staged if d.url not in failing)
        broken = broken_sources(settings, staged, refused)
        documents.put_run("store_documents", "last", {"broken": broken}, _now())
        documents.unstage(d.id for d in waiting)
    log.info("stored documents: %s, %d quarantined", counts, len(failing))
    return {**counts, "quarantined": len(failing), "broken": broken}


def check_ingestion(settings: Settings) -> dict[str, int]:
    """Fail when too much of a source was bad in the last batch; everything good is stored by then."""
    with open_documents(settings) as documents:
        runs = documents.runs("store_documents")
    broken = runs[-1]["broken"] if runs else []
    if broken:
        raise ValidationFailed(
            f"Too many documents failed validation: {', '.join(broken)}; {settings.error_budget:.0%} are allowed. "
            "The good ones were stored, the bad ones are quarantined with their reasons."
        )
    return {"broken": 0}


def _first(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return ""
    first = rejected[0]
    return f" The first: {first.where}: {first.reason}. {explain(first.reason)}"


def _now() -> datetime:
    return datetime.now(UTC)
