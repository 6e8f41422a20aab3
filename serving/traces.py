"""What happened for an answer, why it says what it says, and what became of a document."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder

from include.lineage import explain_answer, list_answers, read_passage, trace_document
from ml.answer import Prepared
from ml.types import Trace
from serving.guard import Refusal, need

# What a trace keeps of the messages that a model was given; a request and its evidence are far smaller.
TOLD_BYTES = 64 * 1024
routes = APIRouter()
Limit = Annotated[int, Query(ge=1, le=200)]
Place = Annotated[int, Query(ge=0, le=2**31)]


@routes.get("/v1/traces", dependencies=need("watch"))
async def traces(request: Request, limit: Limit = 50) -> dict[str, object]:
    """List the newest answers, without what was answered."""
    settings = request.app.state.settings
    return {"object": "list", "data": await anyio.to_thread.run_sync(list_answers, settings, limit)}


@routes.get("/v1/traces/{trace_id}", dependencies=need("watch"))
async def trace(request: Request, trace_id: str) -> dict[str, object]:
    """Say what happened for one answer: how it was understood, its passages, what its model was told, its seconds."""
    found = await anyio.to_thread.run_sync(request.app.state.twin.trace, trace_id)
    if found is None:
        raise Refusal(404, f"No answer has the trace {trace_id[:64]!r}.", "not_found")
    described: dict[str, object] = jsonable_encoder(asdict(found))
    return described


@routes.get("/v1/traces/{trace_id}/why", dependencies=need("watch"))
async def why(request: Request, trace_id: str) -> dict[str, object]:
    """Say why an answer says what it says: sources to the character, their documents and crawls, model and dataset."""
    settings = request.app.state.settings
    found = await anyio.to_thread.run_sync(explain_answer, settings, trace_id)
    if found is None:
        raise Refusal(404, f"No answer has the trace {trace_id[:64]!r}.", "not_found")
    return found


@routes.get("/v1/documents/{document_id}/lineage", dependencies=need("watch"))
async def lineage(request: Request, document_id: str) -> dict[str, object]:
    """Say what became of a document: its passages, the datasets and models that learned from it, its answers."""
    settings = request.app.state.settings
    found = await anyio.to_thread.run_sync(trace_document, settings, document_id)
    if found is None:
        raise Refusal(404, f"There is no document {document_id[:64]!r}.", "not_found")
    return found


@routes.get("/v1/documents/{document_id}/passage", dependencies=need("search"))
async def passage(
    request: Request, document_id: str, start: Place, end: Place
) -> dict[str, object]:
    """Return the passage around a span of a document, as far as the paragraphs beside it."""
    settings = request.app.state.settings
    found = await anyio.to_thread.run_sync(read_passage, settings, document_id, start, end)
    if found is None:
        message = f"No text of a document {document_id[:64]!r} stands at {start} to {end}."
        raise Refusal(404, message, "not_found")
    return found


def new_trace(
    question: str,
    answer: str,
    model_id: str,
    prepared: Prepared,
    seconds: Mapping[str, float],
) -> Trace:
    """Name what happened for one question."""
    return Trace(
        id=uuid.uuid4().hex,
        model_id=model_id,
        asked_at=datetime.now(UTC),
        question=question,
        answer=answer,
        chunk_ids=prepared.chunk_ids,
        abstained=prepared.abstained,
        seconds=seconds,
        how=prepared.how,
        sources=tuple(asdict(s) for s in prepared.sources),
        told=tuple(_told(prepared)),
    )


def _told(prepared: Prepared) -> Iterator[dict[str, object]]:
    """Yield what the model was told, letter for letter; of what goes beyond the bound, how many bytes are left out."""
    room = TOLD_BYTES
    for message in prepared.messages if prepared.speaks else ():
        whole = message.content.encode()
        kept = whole[:room].decode("utf-8", "ignore")
        size = len(kept.encode())
        room -= size
        left_out = {"left_out": len(whole) - size} if size < len(whole) else {}
        yield {"role": message.role, "content": kept, **left_out}
