"""What the Great Expectations suites see of each noun, and what becomes of the ones they refuse.

The rules themselves are in `include/suites.py`. Here a noun becomes a row, and a failing row
becomes a `Rejected` with the rule and the value. Nothing is stored here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from include.crawlers.language import detect_language
from include.settings import Settings
from include.suites import SECRETS, columns
from include.validation import Report, ValidationFailed, validate
from ml.chunk import Offsets
from ml.fidelity import code_is_kept, removed_share
from ml.text import words
from ml.types import Chunk, CleanDocument, Document, FeatureRow, Rejected

Row = dict[str, object]
Text = Document | CleanDocument
# URL and revision of texts that a person let pass.
Released = frozenset[tuple[str, str]]
# What finds texts by their ids.
Find = Callable[[Sequence[str]], Sequence[Text]]
# Rows that are in memory for one run of a suite.
JUDGED_TOGETHER = 20_000
# How much of a refused value is kept with its reason.
SHOWN_CHARACTERS = 200


def refuse_documents(
    settings: Settings,
    staged: Sequence[Document],
    released: Released = frozenset(),
    seen: int | None = None,
) -> list[Rejected]:
    """Judge fetched documents by the raw suite; returns one rejection for each broken rule.

    `seen` is how many texts all the sources had, those that had not changed included.
    """
    rows = [_raw_row(d) for d in staged]
    report = validate(settings, "raw", rows, batch="staged", volume=seen)
    texts = {d.id: d for d in staged}
    return rejections(_pardon(report, texts, released), texts)


def refuse_cleaned(
    settings: Settings,
    rows: Iterable[Row],
    originals: Find,
    among: int,
    released: Released = frozenset(),
) -> list[Rejected]:
    """Judge what was measured on clean documents (`clean_row`); too many bad ones `among` all stop the batch.

    One bad text that comes alone is all of its batch, and must not hold up the others for ever. Some
    thousand rows are judged at a time; `originals` finds the texts of those that fail.
    """
    parts = _parts(rows)
    reports = [validate(settings, "clean", p, batch="cleaned", volume=among) for p in parts]
    return _refusals(settings, reports, originals, among, released)


def refuse_chunks(
    settings: Settings,
    passages: Iterable[Row],
    originals: Find,
    among: int,
    released: Released = frozenset(),
) -> list[Rejected]:
    """Judge what was measured on passages (`passage_rows`); a document with a bad one is refused whole.

    Too many such documents `among` all that there are stop the batch before anything is embedded.
    """
    reports = []
    for part in _parts(passages):
        report = validate(settings, "chunk", part, batch="passages")
        of = {p["id"]: str(p["document_id"]) for p in part}
        failures = tuple(replace(f, row_id=of[f.row_id]) for f in report.failures)
        reports.append(replace(report, failures=failures))
    return _refusals(settings, reports, originals, among, released)


def passage_rows(
    document: CleanDocument, chunks: Sequence[Chunk], offsets: Offsets, window: int
) -> list[Row]:
    """Measure the passages of one document; `window` is how many tokens the embedder reads."""
    covered = sum(len("".join(c.text.split())) for c in chunks)
    lost = len("".join(document.text.split())) - covered
    return [
        _passage_row(document, chunk, len(offsets(chunk.text)), window, lost) for chunk in chunks
    ]


def refuse_features(
    settings: Settings,
    rows: Iterable[FeatureRow],
    originals: Find,
    among: int,
    released: Released = frozenset(),
) -> list[Rejected]:
    """Judge the feature rows of documents; too many bad ones `among` all rows there are stop the batch."""
    now = datetime.now(UTC)
    parts = _parts(_feature_row(r, now) for r in rows)
    reports = [validate(settings, "feature", p, batch="features", volume=among) for p in parts]
    return _refusals(settings, reports, originals, among, released)


def broken_sources(
    settings: Settings, staged: Sequence[Document], refused: Iterable[Rejected]
) -> list[str]:
    """Say of which sources too many documents failed, with the counts."""
    failing = {r.where for r in refused}
    total = Counter(d.source for d in staged)
    bad = Counter(d.source for d in staged if d.url in failing)
    broken = [s for s, n in bad.items() if n / total[s] > settings.error_budget]
    return [f"{s} ({bad[s]} of {total[s]})" for s in sorted(broken)]


def describe(report: Report) -> str:
    """Say in one sentence what stopped a batch."""
    said = Counter(f"{f.expectation} on {f.column}" for f in report.failures).most_common(5)
    listed = "; ".join([*report.batch_failures, *(f"{n} × {what}" for what, n in said)])
    first = f" The first: {report.failures[0].value!r}." if report.failures else ""
    return (
        f"The {report.suite} suite refused {len(report.failing_ids)} of {report.total} rows: {listed}.{first} "
        "See the Data Docs."
    )


def _refusals(
    settings: Settings, reports: Sequence[Report], originals: Find, among: int, released: Released
) -> list[Rejected]:
    """Name what failed in any part of a batch, but for what was released; too much of it stops the batch."""
    if not reports:
        return []
    report = _together(reports)
    texts = {d.id: d for d in originals(sorted(report.failing_ids))}
    report = _pardon(report, texts, released)
    _stop_bad_batch(settings, report, among, texts)
    return rejections(report, texts)


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows into what is judged together."""
    coming = iter(rows)
    while part := list(islice(coming, JUDGED_TOGETHER)):
        yield part


def _together(reports: Sequence[Report]) -> Report:
    """Read the reports on the parts of one batch as one."""
    failures = tuple(f for r in reports for f in r.failures)
    said = tuple(dict.fromkeys(said for r in reports for said in r.batch_failures))
    total = sum(r.total for r in reports)
    return replace(reports[0], total=total, failures=failures, batch_failures=said)


def _pardon(report: Report, texts: Mapping[str, Text], released: Released) -> Report:
    """Let pass what a person released, in just that revision."""
    return report.without(i for i, d in texts.items() if (d.url, d.revision) in released)


def _stop_bad_batch(
    settings: Settings, report: Report, among: int, texts: Mapping[str, Text]
) -> None:
    """Raise with the rows that stopped the batch, so that a person can find and release them."""
    if report.bad(settings.error_budget, among):
        stopped = [replace(r, stage=stopped_at(r.stage)) for r in rejections(report, texts)]
        raise ValidationFailed(describe(report), stopped)


def stopped_at(stage: str) -> str:
    """Name the place of rows that stopped their whole batch: they are judged again by the next run."""
    return f"{stage}-stopped"


def rejections(report: Report, texts: Mapping[str, Text]) -> list[Rejected]:
    """Name what broke which rule, with the value; `texts` are found by the ids of the rows."""
    return [
        Rejected(
            where=texts[f.row_id].url,
            stage=report.suite,
            reason=f.reason,
            source=getattr(texts[f.row_id], "source", ""),
            value=f.value[:SHOWN_CHARACTERS],
            text=texts[f.row_id].text,
            revision=texts[f.row_id].revision,
        )
        for f in report.failures
        if f.row_id in texts
    ]


def _fields(noun: Document | CleanDocument | FeatureRow) -> Row:
    return {f.name: getattr(noun, f.name) for f in fields(noun)}


def _raw_row(document: Document) -> Row:
    ahead = (document.published_at - document.fetched_at).days if document.published_at else 0
    known = {k: v for k, v in _fields(document).items() if k != "text"}
    return {"id": document.id, **known, "characters": len(document.text), "days_ahead": ahead}


def clean_row(document: CleanDocument, source: str) -> Row:
    """Measure a clean document beside the text that it was made of."""
    text = document.text
    code = document.kind == "code"
    return {
        "id": document.id,
        "words": len(words(text)),
        "letter_share": sum(c.isalpha() or c.isspace() for c in text) / max(len(text), 1),
        "boilerplate_share": 0.0 if code else removed_share(document, source),
        "heard": document.language if code else detect_language(text, document.language),
        "code_kept": code_is_kept(document, source),
        "secret": holds_secret(text),
    }


def _passage_row(document: CleanDocument, chunk: Chunk, tokens: int, window: int, lost: int) -> Row:
    return {
        "id": chunk.id,
        "document_id": document.id,
        "characters": len(chunk.text.strip()),
        "tokens": tokens,
        "tokens_over": max(0, tokens - window),
        "lost": lost,
        "in_place": chunk.text == document.text[chunk.start : chunk.end],
        "secret": holds_secret(chunk.text),
    }


def holds_secret(text: str) -> bool:
    """Tell whether a text holds what looks like a secret: a second look, by other means than cleaning's."""
    return SECRETS.search(text) is not None


def _feature_row(row: FeatureRow, now: datetime) -> Row:
    old = (now - row.event_timestamp) / timedelta(days=1)
    known = {"id": row.document_id, **_fields(row), "days_old": old}
    judged = columns("feature")
    return {name: value for name, value in known.items() if name in judged}
