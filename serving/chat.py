"""Chat completions: which model answers a question, what it is shown, and its words as they come.

A candidate on trial that fails before its first word has said nothing: the champion answers in its place.
"""

import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from statistics import fmean

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from include.settings import Settings
from ml.answer import Ask, Prepared, choose_steps, finish, opening
from ml.constrain import grammar
from ml.laps import Laps
from ml.speech import Strip
from ml.types import Answer, Trace
from serving import openai
from serving.budget import reserve, settle
from serving.guard import Refusal, need, refuse
from serving.meters import count_answer
from serving.models import check_model, why_no_model
from serving.shelf import Failed
from serving.spans import record_answer
from serving.traces import new_trace
from serving.twin import Event, NoModel, Twin, sieved

log = logging.getLogger(__name__)

# Tokens of an answer when the caller says nothing.
DEFAULT_TOKENS = 96
routes = APIRouter()


@routes.post("/v1/chat/completions", response_model=None, dependencies=need("chat"))
async def chat(
    request: Request, body: openai.ChatRequest, response: Response
) -> Response | dict[str, object]:
    """Answer the last user message with quoted evidence, sources and generated text.

    The twin has its own system prompt: system and developer messages are left out, which `ignored` says.
    """
    refuse(body.refusal())
    await anyio.to_thread.run_sync(_check_schema, body)
    state = await check_model(request, body.model)
    if not state["model_id"]:
        raise NoModel(why_no_model(state))
    tried = body.model == "twin" and request.app.state.trial.concerns(str(state["model_id"]))
    try:
        return await _respond(request, body, response, state, tried)
    except Failed as error:
        if not tried:
            raise
        log.warning("the champion answers in place of the candidate, which failed: %s", error)
    unused = request.state.key, body.limit(DEFAULT_TOKENS), 0, datetime.now(UTC)
    await anyio.to_thread.run_sync(settle, request.app.state.settings, *unused)
    return await _respond(request, body, response, await request.app.state.speaker.state())


async def _respond(
    request: Request,
    body: openai.ChatRequest,
    response: Response,
    state: Mapping[str, object],
    tried: bool = False,
) -> Response | dict[str, object]:
    """Answer with one model; whether one on trial can speak is waited for before anything is said."""
    settings, twin = request.app.state.settings, request.app.state.twin
    ask = _ask(settings, body)
    service = str(state["feature_service"])
    model_id = str(state["model_id"])
    prepared = await anyio.to_thread.run_sync(
        twin.prepare, ask, service, str(state["index"]), model_id
    )
    prepared = _as_asked(body, prepared)
    if prepared.speaks:
        now, key = datetime.now(UTC), request.state.key
        await anyio.to_thread.run_sync(reserve, settings, key, ask.max_tokens, now)
    version = {"X-Model-Version": model_id}
    heard = _timed(_speak(request, body, ask, prepared, model_id))
    if body.stream:
        heard = await _first_words(heard) if tried else heard
        stream = _stream(request, body, ask, prepared, model_id, heard)
        return StreamingResponse(stream, headers=version, media_type="text/event-stream")
    response.headers.update(version)
    events = [e async for e in heard]
    answer, trace = _conclude(twin, ask, prepared, events, model_id)
    await _remember(request, ask, answer, trace)
    form = openai.completion if body.schema_asked() is None else openai.json_completion
    return form(answer, trace)


def _as_asked(body: openai.ChatRequest, prepared: Prepared) -> Prepared:
    """Keep for the trace how was asked, if not as usual: after which turns, instead of what, without what, in JSON."""
    asked = {
        "earlier": [asdict(m) for m in prepared.messages[1:-1]],
        "instead_of": body.instead_of,
        "ignored": body.ignored(),
        "format": "json" if body.schema_asked() is not None else "",
    }
    kept = {name: value for name, value in asked.items() if value}
    return replace(prepared, how={**prepared.how, **kept})


def _check_schema(body: openai.ChatRequest) -> None:
    schema = body.schema_asked()
    if schema is None:
        return
    try:
        grammar(schema)
    except ValueError as error:
        raise Refusal(400, str(error), "invalid_json_schema") from None


def asked_steps(settings: Settings, asked: Mapping[str, bool] | None) -> frozenset[str]:
    """Return the steps of an answer: those of the settings, as a request switches them."""
    try:
        return choose_steps(settings.answer_steps, asked or {}, settings.base_model)
    except ValueError as error:
        raise Refusal(400, str(error), "unknown_step") from None


def _ask(settings: Settings, body: openai.ChatRequest) -> Ask:
    return Ask(
        question=body.messages[-1].text(),
        author=settings.author,
        kind=body.kind,
        since=body.since,
        until=body.until,
        max_tokens=body.limit(DEFAULT_TOKENS),
        temperature=0.7 if body.temperature is None else body.temperature,
        top_p=body.top_p or 0.95,
        seed=body.seed,
        earlier=body.earlier(),
        steps=asked_steps(settings, body.steps)
        - (openai.OF_PROSE if body.schema_asked() else set()),
        today=datetime.now(UTC),
    )


async def _speak(
    request: Request, body: openai.ChatRequest, ask: Ask, prepared: Prepared, model_id: str
) -> AsyncIterator[Event]:
    """Let the model speak, unless everything is said."""
    if not prepared.speaks:
        return
    options = {
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "seed": ask.seed,
        "stop": body.stops(),
        "schema": body.schema_asked(),
        # The one that all this was prepared for, whatever is rolled out meanwhile.
        "model_id": model_id,
    }
    sieve = request.app.state.twin.sieve(prepared) if "strict" in ask.steps else None
    events = request.app.state.speaker.stream(prepared.messages, options)
    if body.model == "twin":
        of_prose = prepared.sources and not options["schema"]
        measure = partial(_support, request.app.state.twin, prepared) if of_prose else _unmeasured
        events = request.app.state.trial.watch(model_id, events, measure)
    async for event in events:
        if "refused" in event:
            raise Refusal(400, str(event["refused"]), "context_length_exceeded")
        if "failed" in event:
            raise Failed("The model failed while it spoke; ask again.")
        for passed in sieved(event, sieve):
            yield passed


async def _timed(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Let the last event tell how long its words were waited for: a queue included, a slow reader not."""
    waited, since = 0.0, time.monotonic()
    async for event in events:
        waited += time.monotonic() - since
        yield {**event, "seconds": waited} if "seconds" in event else event
        since = time.monotonic()


def _support(twin: Twin, prepared: Prepared, said: str) -> float | None:
    """Say how far the sources support what a model says, as its answer's claims are checked."""
    claims = twin.check(prepared, finish(prepared, said, 0, 0)).claims
    return fmean(float(str(c["support"])) for c in claims) if claims else None


def _unmeasured(_: str) -> None:
    """Leave what needs no sources, a text or JSON, without a measure."""


async def _first_words(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Wait for the first words of a generation; returns all of it."""
    first = []
    async for event in events:
        first.append(event)
        if "text" in event:
            break

    async def whole() -> AsyncIterator[Event]:
        for event in first:
            yield event
        async for event in events:
            yield event

    return whole()


def _conclude(
    twin: Twin, ask: Ask, prepared: Prepared, events: list[Event], model_id: str
) -> tuple[Answer, Trace]:
    """Put the events of a generation together."""
    said = "".join(str(e["text"]) for e in events if "text" in e)
    counts = events[-1] if events else {}
    spoke = next((str(e["model"]) for e in events if "model" in e), model_id)
    spoken = {"generate": float(str(counts.get("seconds", 0.0)))} if prepared.speaks else {}
    laps = Laps({**prepared.seconds, **spoken})
    answer = finish(
        prepared,
        said,
        int(str(counts.get("prompt_tokens", 0))),
        int(str(counts.get("completion_tokens", 0))),
        str(counts.get("finish", "stop")),
    )
    laps.end("cite", answer)
    if "check" in ask.steps and prepared.speaks:
        answer = laps.end("check", twin.check(prepared, answer))
    return answer, new_trace(ask.question, answer.content, spoke, prepared, laps.seconds)


async def _stream(
    request: Request,
    body: openai.ChatRequest,
    ask: Ask,
    prepared: Prepared,
    model_id: str,
    heard: AsyncIterator[Event],
) -> AsyncIterator[str]:
    """Stream the evidence first, then the model's words as they come, then sources and counts."""
    stream_id = f"{time.time_ns():x}"
    events: list[Event] = []
    said, strip = opening(prepared), Strip()
    begin = (
        openai.json_opening(not prepared.speaks, said) if body.schema_asked() else {"content": said}
    )
    yield openai.chunk(stream_id, model_id, {"role": "assistant", **begin})
    try:
        async for event in heard:
            events.append(event)
            model_id = str(event.get("model", model_id))
            if text := strip.feed(str(event.get("text", ""))):
                yield openai.chunk(stream_id, model_id, {"content": text})
    except (NoModel, ConnectionError, Refusal) as error:
        # The status went out with the first byte: what is left is an error event, which clients raise.
        yield openai.error_event(str(error))
        return
    answer, trace = _conclude(request.app.state.twin, ask, prepared, events, model_id)
    await _remember(request, ask, answer, trace)
    yield openai.chunk(stream_id, model_id, {}, answer.finish, **openai.extensions(answer, trace))
    if body.stream_options and body.stream_options.include_usage:
        counted = openai.usage(answer.prompt_tokens, answer.completion_tokens)
        yield openai.chunk(stream_id, model_id, None, usage=counted)
    yield "data: [DONE]\n\n"


async def _remember(request: Request, ask: Ask, answer: Answer, trace: Trace) -> None:
    """Keep the trace, and let the caller pay what was used of what was reserved."""
    count_answer(request.app.state.meters, answer, trace)
    record_answer(request.app, trace)
    await anyio.to_thread.run_sync(request.app.state.twin.remember, trace)
    if not trace.abstained and trace.how.get("route") != "small talk":
        used, now = answer.prompt_tokens + answer.completion_tokens, datetime.now(UTC)
        paid = (request.app.state.settings, request.state.key, ask.max_tokens, used, now)
        await anyio.to_thread.run_sync(settle, *paid)
