"""Models beside the one in the slot: loaded when they are asked for by name, the longest unasked put away.

    twin@<version>    the champion, the one before it, and what was promoted by its gate, and by a person where one is
                      asked; none that was turned down since
    <base model>      a base model of the catalogue whose files are on this machine, with no adapter

A request that was prepared for a model is answered by that model or not at all: the one that a
roll-out replaces moves here from the slot. A candidate on trial takes its memory out of the same budget:
what stands here gives way to it, for it is tried in any case.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.engines import Engine, open_engine
from include.features import FEATURE_SERVICE
from include.settings import Settings
from ml.hub import kept
from ml.models import catalogue_names, hub_name, local_folder
from ml.tiny import TINY, base_model_folder
from ml.types import Message, ModelVersion

log = logging.getLogger(__name__)

MEGABYTE = 10**6
PREFIX = "twin@"


class NoModel(LookupError):
    """Raised while nobody can speak: no model is loaded, or the style that its prompt needs is missing."""


class Busy(ConnectionError):
    """Raised while every place at a model is taken, and the queue before it is full."""


class Failed(ConnectionError):
    """Raised when a model fails while it speaks."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can speak; `index` is the fingerprint of the index that it was made for."""

    version: ModelVersion
    engine: Engine
    index: str


class Shelf:
    """Loaded models by id, within a budget of memory; `load` makes one of the registry ready."""

    def __init__(self, settings: Settings, load: Callable[[Settings, str], Loaded]) -> None:
        self._settings, self._load = settings, load
        self._kept: OrderedDict[str, Loaded] = OrderedDict()
        self._guest: Loaded | None = None
        self._changing = threading.RLock()

    def take(self, model_id: str) -> Loaded:
        """Return a model, loaded if need be; what is not offered is refused."""
        with self._changing:
            if model_id in self._kept:
                self._kept.move_to_end(model_id)
                return self._kept[model_id]
            if model_id not in offered(self._settings).values():
                raise NoModel(f"The model {model_id} is not offered any more; ask again.")
            bases = base_models(self._settings)
            if model_id in bases:
                loaded = load_base_model(self._settings, model_id, bases[model_id])
            else:
                loaded = self._load(self._settings, model_id)
            self.put(loaded)
            if model_id not in self._kept:
                beside = " beside the candidate on trial" if self._guest else ""
                raise NoModel(
                    f"The model {model_id} needs {memory([loaded]) // MEGABYTE} MB, more than "
                    f"TWIN_SHELF_MEGABYTES={self._settings.shelf_megabytes} allows{beside}."
                )
            return loaded

    def put(self, loaded: Loaded) -> None:
        """Keep a loaded model, as far as the budget allows."""
        with self._changing:
            self._kept[loaded.version.id] = loaded
            self._kept.move_to_end(loaded.version.id)
            self._fit()

    def make_room(self, guest: Loaded | None) -> None:
        """Count a model that stands elsewhere as if it stood here, in place of the guest before; None: no guest."""
        with self._changing:
            self._guest = guest
            self._fit()

    def empty(self) -> None:
        """Let go of every model."""
        with self._changing:
            self._kept.clear()
            self._guest = None

    def names(self) -> list[str]:
        """Name what is loaded, the longest unasked first."""
        return list(self._kept)

    def _fit(self) -> None:
        """Let go of the longest unasked until all fit into the budget."""
        budget = self._settings.shelf_megabytes * MEGABYTE
        guests = [self._guest] if self._guest else []
        while self._kept and memory([*self._kept.values(), *guests]) > budget:
            name, _ = self._kept.popitem(last=False)
            log.info("model %s is put away: the shelf has %d bytes", name, budget)


def memory(models: list[Loaded]) -> int:
    """Count the bytes of models together: adapters share the weights of their base model."""
    own = sum(m.engine.generator.memory for m in models)
    shared = {m.version.base_model: m.engine.generator.shared for m in models}
    return own + sum(shared.values())


def offered(settings: Settings) -> dict[str, str]:
    """Return the names that `model` may have beside `twin`, each with the id of its model."""
    champion, previous = registry.champion(settings), registry.previous(settings)

    def stands(model_id: str) -> bool:
        verdict = registry.read_verdict(settings, model_id)
        # Whoever serves, or served, was decided on; of the others, a person may not have answered yet.
        decided = model_id == previous or ("promote" in verdict and not verdict.get("ask"))
        return model_id == champion or (decided and bool(verdict.get("promote", True)))

    standing = [m for m in registry.list_models(settings) if stands(m)]
    return {f"{PREFIX}{m}": m for m in standing} | {b: b for b in base_models(settings)}


def base_models(settings: Settings) -> dict[str, str]:
    """Return the base models whose files are here, by the last part of their names, with their folders."""
    own = settings.base_model
    # What is here is offered as it is here: whoever asks for it by name does not wait for the hub.
    found = {Path(own).name: str(kept(hub_name(own)) or own)}
    for name, hub in catalogue_names().items():
        if hub and (folder := kept(hub)):
            found[name] = str(folder)
    if list(settings.cache_dir.glob(f"{TINY}-*/manifest.json")):
        found[TINY] = TINY
    return found


def load_base_model(settings: Settings, name: str, where: str) -> Loaded:
    """Load a base model by itself; it asks the live index."""
    if where == TINY or where == settings.base_model:
        folder = base_model_folder(where, settings.cache_dir)
    else:
        folder = local_folder(where)
    now = datetime.now(UTC)
    version = ModelVersion(name, "", "", name, "", FEATURE_SERVICE, now, {}, {}, {})
    return Loaded(version, warmed(open_engine(settings, folder, None)), "")


def warmed(engine: Engine) -> Engine:
    """Let an engine say a few words, which a broken one cannot."""
    hello = [Message("user", "Say hello.")]
    for _ in engine.generator.stream(hello, max_tokens=2, temperature=0.0, top_p=1.0, seed=0):
        continue
    return engine
