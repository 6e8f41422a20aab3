"""From an answer back to its sources, and from a document on to everything that was made of it.

Read only, over the doors that there are. What was forgotten since, or made on another machine, is
named as gone and not guessed.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from include import registry
from include.colours import Colour
from include.documents import Documents, open_documents
from include.settings import Settings
from include.sources import load_sources
from include.vectors import open_colours
from ml.types import CleanDocument, Document, Source, Trace

# Answers of one document that are listed, the newest first.
MOST_ANSWERS = 50
# Characters of a passage at most, and around it on either side.
LONGEST_PASSAGE, AROUND = 8_000, 500


def explain_answer(settings: Settings, trace_id: str) -> dict[str, object] | None:
    """Say why an answer says what it says: its passages, their documents, how those were crawled, model and dataset.

    And what the model was told. None where no answer has that trace.
    """
    with open_documents(settings) as documents:
        trace = documents.trace(trace_id)
        if trace is None:
            return None
        named = [_source(settings, documents, dict(s)) for s in trace.sources]
        given = documents.feedback_on([trace_id])
    return {
        "trace_id": trace.id,
        "question": trace.question,
        "answer": trace.answer,
        "abstained": trace.abstained,
        "asked_at": trace.asked_at.isoformat(),
        "understood": dict(trace.how),
        "seconds": dict(trace.seconds),
        "chunk_ids": list(trace.chunk_ids),
        "sources": named,
        "told": [dict(m) for m in trace.told],
        "feedback": [_plain(asdict(f)) for f in given],
        "model": _model(settings, trace.model_id),
    }


def list_answers(settings: Settings, most: int) -> list[dict[str, object]]:
    """List the newest answers: when, what was asked, by which model, how long it took, what readers thought."""
    with open_documents(settings) as documents:
        traces = documents.latest_traces(most)
        given = documents.feedback_on([t.id for t in traces])
    judged = defaultdict[str, list[int]](list)
    for feedback in given:
        judged[feedback.trace_id].append(feedback.score)
    return [
        {
            "id": t.id,
            "asked_at": t.asked_at.isoformat(),
            "question": t.question,
            "model_id": t.model_id,
            "abstained": t.abstained,
            "seconds": sum(t.seconds.values()),
            "scores": judged[t.id],
        }
        for t in traces
    ]


def read_passage(
    settings: Settings, document_id: str, start: int, end: int
) -> dict[str, object] | None:
    """Read a span of a document's clean text with the paragraphs around it; None where there is no such place."""
    with open_documents(settings) as documents:
        document = documents.get(document_id)
        clean = _clean(documents, document) if document else None
    if clean is None or not start < min(end, len(clean.text)) or end - start > LONGEST_PASSAGE:
        return None
    # No further than so many characters on either side, and from one paragraph's begin to another's end.
    low, high = max(start - AROUND, 0), min(end + AROUND, len(clean.text))
    cut = clean.text.find("\n\n", low, start) if low else -1
    begin = low if cut < 0 else cut + 2
    cut = clean.text.rfind("\n\n", end, high) if high < len(clean.text) else -1
    finish = high if cut < 0 else cut
    known = {"document_id": clean.id, "title": clean.title, "url": clean.url}
    place = {"start": begin, "end": finish, "text": clean.text[begin:finish]}
    return {**known, "revision": clean.revision, **place}


def trace_document(settings: Settings, document_id: str) -> dict[str, object] | None:
    """Say what became of a document: passages by colour of the index, datasets, models and answers.

    None where no document has that id.
    """
    with open_documents(settings) as documents, open_colours(settings) as colours:
        document = documents.get(document_id)
        if document is None:
            return None
        passages = {c.name: _passages(documents, c, document_id) for c in colours.all()}
        chunks = {i for ids in passages.values() for i in ids}
        answers = _answers(documents, document_id, chunks)
    datasets = [d for d in registry.list_datasets(settings) if _learned(settings, d, document_id)]
    return {
        "document": _document(document),
        "crawl": _crawl(settings, document),
        "chunks": passages,
        "datasets": datasets,
        "models": [
            {"id": m, "champion": m == registry.champion(settings)}
            for m in registry.list_models(settings)
            if registry.read_model(settings, m, verify=False).dataset_id in datasets
        ],
        "answers": answers,
    }


def _source(
    settings: Settings, documents: Documents, named: dict[str, object]
) -> dict[str, object]:
    """Add to a source what is known of its document, and whether its quotation still stands where it stood."""
    document = documents.get(str(named["document_id"]))
    if document is None:
        return {**_plain(named), "document": None, "crawl": None, "stands": False}
    return {
        **_plain(named),
        "document": _document(document),
        "crawl": _crawl(settings, document),
        "stands": _stands(_clean(documents, document), named),
    }


def _clean(documents: Documents, document: Document) -> CleanDocument | None:
    try:
        return documents.read_clean([document.id])[0]
    except LookupError:
        return None


def _stands(clean: CleanDocument | None, named: Mapping[str, object]) -> bool:
    """Tell whether the clean text says at the spans what was quoted."""
    spans = named.get("spans")
    if clean is None or not isinstance(spans, list | tuple):
        return False
    return " … ".join(clean.text[a:b] for a, b in spans) == named["quote"]


def _document(document: Document) -> dict[str, object]:
    kept = ("url", "kind", "author", "title", "language", "source", "published_at", "fetched_at")
    values = {k: v for k, v in asdict(document).items() if k in kept}
    return _plain({"id": document.id, "revision": document.revision, **values})


def _crawl(settings: Settings, document: Document) -> dict[str, object]:
    """Say which source brought a document, who consented, and when it was last seen."""
    listed: dict[str, Source] = {s.id: s for s in load_sources(settings)}
    source = listed.get(document.source)
    return {
        "source": document.source,
        "kind": source.kind if source else "",
        "where": source.where if source else "",
        "consent": source.consent if source else "",
        "fetched_at": document.fetched_at.isoformat(),
    }


def _model(settings: Settings, model_id: str) -> dict[str, object] | None:
    """Describe the model that spoke and what it was made from; None where it is no longer kept."""
    if model_id not in registry.list_models(settings):
        return None
    version = registry.read_model(settings, model_id, verify=False)
    kept = ("id", "parent", "dataset_id", "base_model", "fingerprint", "feature_service")
    values = {k: v for k, v in asdict(version).items() if k in kept}
    return {**values, "created_at": str(version.created_at)}


def _passages(documents: Documents, colour: Colour, document_id: str) -> list[str]:
    state = documents.indexed(colour.build).get(document_id)
    return list(state.chunk_ids) if state else []


def _answers(documents: Documents, document_id: str, chunks: set[str]) -> list[dict[str, object]]:
    """List the answers that a document had a part in, and whether it was named."""
    newest = sorted(documents.traces_of(chunks), key=lambda t: t.asked_at, reverse=True)[
        :MOST_ANSWERS
    ]
    return [_answer(t, document_id) for t in newest]


def _answer(trace: Trace, document_id: str) -> dict[str, object]:
    named = any(s["document_id"] == document_id for s in trace.sources)
    return {
        "trace_id": trace.id,
        "question": trace.question,
        "asked_at": trace.asked_at.isoformat(),
        "model_id": trace.model_id,
        "named": named,
    }


def _learned(settings: Settings, dataset_id: str, document_id: str) -> bool:
    return document_id in registry.read_dataset(settings, dataset_id, verify=False).documents


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Turn times into text."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}
