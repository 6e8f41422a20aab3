"""The Ray Serve application: an ingress that retrieves and streams, and generators that each hold one model.

Logic lives elsewhere (`api.py`, `twin.py`, `slot.py`); this file only puts it into replicas. Scale
and limits are in `serve.yaml`.
"""

import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError
from ray.serve import Application
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from include.documents import open_documents
from include.settings import load_settings
from ml.types import Message, Role
from serving.api import build_api
from serving.canary import Trial
from serving.deploy import STATE_SECONDS
from serving.resume import Gone, insist, unbroken
from serving.shelf import Busy, NoModel
from serving.slot import Slot, SlotState, speak
from serving.twin import Event, Twin, describe

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
FIRST_LOAD_SECONDS = 120.0


def _listen_here_only() -> None:
    """Let a replica take requests at its node's address; Ray opens that port on every address of the machine."""
    from ray.serve._private import replica
    from ray.util import get_node_ip_address

    its = vars(replica)
    bind = its["add_port_to_grpc_server"]

    def bind_here(server: object, address: str) -> int:
        return int(bind(server, address.replace("[::]", get_node_ip_address())))

    if bind.__module__ != __name__:
        its["add_port_to_grpc_server"] = bind_here


@serve.deployment(name="Generator")
class Generator:
    """One model in one replica. `reconfigure` states a wish; loading happens beside the serving model."""

    def __init__(self) -> None:
        _listen_here_only()
        self._settings = load_settings()
        self._id = str(serve.get_replica_context().replica_id.unique_id)
        self._slot = Slot(self._settings, self._report)
        self._ended, self._began = threading.Event(), False
        threading.Thread(target=self._beat, daemon=True).start()

    def reconfigure(self, config: Mapping[str, str]) -> None:
        """Wish for `config["model_id"]`, and a canary beside it; never raises: that would end a healthy replica.

        A new replica is asked nothing before it has its first model, or has failed to load it.
        """
        self._slot.wish(config.get("model_id", ""), config.get("canary", ""))
        if not self._began:
            self._slot.settle(FIRST_LOAD_SECONDS)
        self._began = True

    def state(self, model_id: str = "") -> dict[str, object]:
        """Say what is loaded, wished, and what went wrong; a model that is named is loaded first."""
        try:
            return describe(self._slot, model_id)
        except NoModel as error:
            return {"error": str(error)}

    def speak(
        self, messages: Sequence[Mapping[str, str]], options: Mapping[str, object]
    ) -> Iterator[Event]:
        """Stream the events of one generation by the model that is loaded now."""
        its = dict(options)
        try:
            loaded = self._slot.find(str(its.pop("model_id", "")))
        except NoModel as error:
            yield {"error": str(error)}
            return
        said = [Message(cast(Role, m["role"]), m["content"]) for m in messages]
        yield from speak(loaded, said, its)

    def _report(self, state: SlotState) -> None:
        """Write a heartbeat; a MongoDB that is away is tried again with the next one."""
        try:
            with open_documents(self._settings) as documents:
                documents.put_replica(self._id, asdict(state), datetime.now(UTC))
        except ConnectionError as error:
            log.warning("heartbeat not written: %s", error)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._report(self._slot.state())

    def __del__(self) -> None:
        self._ended.set()


class RaySpeaker:
    """A speaker over the generator replicas; Ray chooses the replica."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._known: tuple[float, dict[str, object]] = (0.0, {})

    async def state(self, model_id: str = "") -> dict[str, object]:
        """Ask one replica; which model is in the slot is remembered for a moment, for every question asks it first."""
        asked, known = self._known
        if not model_id and known.get("model_id") and time.monotonic() - asked < STATE_SECONDS:
            return known
        state = dict(await insist(lambda: self._ask(model_id)))
        if not model_id:
            self._known = (time.monotonic(), state)
        if model_id and state["error"]:
            raise NoModel(str(state["error"]))
        return state

    def stream(
        self, messages: Sequence[Message], options: Mapping[str, object]
    ) -> AsyncIterator[Event]:
        """Stream from one replica, from the first token to the last, and from another where that one dies."""
        plain = [asdict(m) for m in messages]
        return unbroken(lambda its: self._begin(plain, its), options)

    async def _ask(self, model_id: str) -> Event:
        with _reaching():
            state: Event = await self._handle.state.remote(model_id)
        return state

    async def _begin(
        self, plain: Sequence[Mapping[str, object]], options: Event
    ) -> AsyncIterator[Event]:
        streaming: Any = self._handle.options(stream=True)
        with _reaching():
            async for event in streaming.speak.remote(plain, dict(options)):
                if "error" in event:
                    raise NoModel(str(event["error"]))
                yield event


@contextmanager
def _reaching() -> Iterator[None]:
    """Turn a replica that is gone or full into Python's own exception, which the API knows how to tell."""
    try:
        yield
    except BackPressureError as error:
        raise Busy("Every place at the model is taken; come back in a moment.") from error
    except (RayActorError, RayServeException) as error:
        log.warning("a generator could not be reached: %s", error)
        raise Gone("The replica with the model went away; ask again.") from error


@serve.deployment(name="Ingress")
@serve.ingress()
class Ingress:
    """The HTTP door: authentication, retrieval, streaming."""

    def __init__(self, generator: DeploymentHandle[Any]) -> None:
        _listen_here_only()
        self._speaker, self._settings = RaySpeaker(generator), load_settings()
        self._trial = Trial(self._settings)

    def reconfigure(self, config: Mapping[str, object]) -> None:
        """Begin or end the trial of a candidate."""
        self._trial.reconfigure(config)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Build the API once the replica runs."""
        return build_api(Twin(self._settings), self._speaker, self._settings, self._trial)


def build(_: Mapping[str, str]) -> Application:
    """Bind the deployments; `serve.yaml` names this function."""
    ingress, generator = cast(Any, Ingress), cast(Any, Generator)
    return cast(Application, ingress.bind(generator.bind()))
