"""The models behind the endpoint: what `model` may be, which one answers, and why there is none."""

import logging
from collections.abc import Mapping

import anyio.to_thread
from fastapi import APIRouter, Request

from ml.answer import STEPS, choose_steps
from serving.guard import Refusal
from serving.shelf import PREFIX, NoModel, offered

log = logging.getLogger(__name__)
routes = APIRouter()


@routes.get("/v1/models")
async def models(request: Request) -> dict[str, object]:
    """List the names that `model` may have."""
    state = await request.app.state.speaker.state()
    names = await _names(request, state)
    listed = [{"id": n, "object": "model", "created": 0, "owned_by": "llm-twin"} for n in names]
    return {"object": "list", "data": listed}


@routes.get("/v1/models/{name:path}")
async def model_by_name(request: Request, name: str) -> dict[str, object]:
    """Describe one model."""
    await check_model(request, name)
    return {"id": name, "object": "model", "created": 0, "owned_by": "llm-twin"}


@routes.get("/model")
async def model(request: Request) -> dict[str, object]:
    """Say which model answers, which one is wished, why they differ, the index's size, the steps of an answer."""
    state = await request.app.state.speaker.state()
    size = await anyio.to_thread.run_sync(request.app.state.twin.index_size)
    settings = request.app.state.settings
    usual = choose_steps(settings.answer_steps, {}, settings.base_model)
    return {**state, "chunks": size, "steps": {step: step in usual for step in STEPS}}


@routes.get("/v1/key")
async def key(request: Request) -> dict[str, object]:
    """Say whose key this is and what it may do."""
    its = request.state.key
    return {"name": its.name, "scopes": list(its.scopes)}


async def check_model(request: Request, name: str) -> Mapping[str, object]:
    """Return the speaker's state, for a model by its name; one that is not in the slot is loaded if need be."""
    speaker = request.app.state.speaker
    if name == "twin" and (tried := await _candidate(request)):
        return tried
    state: Mapping[str, object] = await speaker.state()
    if name == "twin":
        return state
    names = await _names(request, state)
    if name not in names:
        message = f"There is no model {name[:100]!r}; there is: {', '.join(names)}."
        raise Refusal(404, message, "model_not_found", "model")
    named: Mapping[str, object] = await speaker.state(names[name])
    return named


async def _candidate(request: Request) -> Mapping[str, object] | None:
    """Return the state of the candidate on trial, if this request is to meet it and there is a replica that has it."""
    if not (model_id := request.app.state.trial.choose(request.state.id)):
        return None
    try:
        state: Mapping[str, object] = await request.app.state.speaker.state(model_id)
    except NoModel as error:
        log.warning("the champion answers in place of the candidate: %s", error)
        return None
    return state


async def _names(request: Request, state: Mapping[str, object]) -> dict[str, str]:
    """Return what `model` may be, each name with the id of its model; that of `twin` is whatever the slot holds."""
    held = [str(state[k]) for k in ("model_id", "canary") if state.get(k)]
    others = await anyio.to_thread.run_sync(offered, request.app.state.settings)
    return {"twin": "", **{PREFIX + m: m for m in held}, **others}


def why_no_model(state: Mapping[str, object]) -> str:
    """Say in a sentence why nobody can answer."""
    if state["error"]:
        return f"No model is loaded: {state['error']}"
    if state["wish"]:
        return f"Model {state['wish']} is being loaded; come back in a few seconds."
    return "There is no champion yet: train one first (`make demo` does), then ask again."
