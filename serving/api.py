"""The HTTP API: plain FastAPI over a twin and a speaker, the same under Ray Serve and in a test.

Every route asks for an API key, but health and the page itself. Bad input is a sentence with a 4xx
status, never a 500.
"""

from datetime import UTC, datetime

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from include.settings import Settings
from ml.answer import Ask
from ml.embed import Embedder
from serving import chat, feedback, meters, models, openai, openapi, pages, traces
from serving.canary import Trial
from serving.chat import asked_steps
from serving.fields import NotDone
from serving.guard import Refusal, authenticate, install_guard, need, refuse
from serving.spans import install_spans
from serving.twin import Speaker, Twin


def build_api(
    twin: Twin, speaker: Speaker, settings: Settings, trial: Trial | None = None
) -> FastAPI:
    """Assemble the application."""
    api = FastAPI(title="LLM Twin", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    api.state.twin, api.state.speaker = twin, speaker
    api.state.trial = trial or Trial(settings)
    install_guard(api, settings)
    install_spans(api, settings)
    api.include_router(_open_routes)
    for router in (pages.routes, openapi.routes):
        api.include_router(router)
    asked = (models.routes, chat.routes, _routes, feedback.routes, traces.routes, meters.routes)
    for router in asked:
        api.include_router(router, dependencies=[Depends(authenticate)])
    return api


_open_routes = APIRouter()
_routes = APIRouter()


@_open_routes.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that this process answers."""
    return {"status": "ok"}


@_open_routes.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Tell whether a model is loaded."""
    state = await request.app.state.speaker.state()
    ready = bool(state["model_id"])
    return JSONResponse({"ready": ready, "status": state["status"]}, 200 if ready else 503)


@_routes.post("/v1/retrieve", dependencies=need("search"))
async def retrieve(request: Request, body: openai.RetrieveRequest) -> dict[str, object]:
    """Search the index; nothing is generated."""
    refuse(body.refusal())
    settings, twin = request.app.state.settings, request.app.state.twin
    ask = Ask(
        body.query,
        settings.author,
        kind=body.kind,
        since=body.since,
        until=body.until,
        limit=body.limit,
        steps=asked_steps(settings, body.steps),
        today=datetime.now(UTC),
    )
    hits = await anyio.to_thread.run_sync(twin.retrieve, ask)
    return {"object": "list", "data": [openai.hit(h) for h in hits]}


@_routes.post("/v1/embeddings", dependencies=need("search"))
async def embeddings(request: Request, body: openai.EmbeddingsRequest) -> dict[str, object]:
    """Embed texts with the index's own embedder."""
    embedder = request.app.state.twin.embedder
    _check_embedder(body, embedder)
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = await anyio.to_thread.run_sync(embedder.encode, texts)
    data = [
        {"object": "embedding", "index": i, "embedding": openai.encode(v, body.encoding_format)}
        for i, v in enumerate(vectors)
    ]
    tokens = sum(len(embedder.offsets(t)) for t in texts)
    counted = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": embedder.name, "usage": counted}


def _check_embedder(body: openai.EmbeddingsRequest, embedder: Embedder) -> None:
    """Refuse what the one embedder of the index does not do."""
    refuse(body.refusal())
    if body.model not in ("twin", embedder.name):
        message = f"There is no embedder {body.model[:100]!r}; there is: twin, {embedder.name}."
        raise Refusal(404, message, "model_not_found", "model")
    if body.dimensions not in (None, embedder.dimensions):
        said = f"dimensions={body.dimensions} is not supported; a vector has {embedder.dimensions}."
        refuse(NotDone("dimensions", said))
