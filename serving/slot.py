"""One replica's model: a wish is loaded beside the serving model, in a thread, then one reference is swapped.

A model that is missing, corrupt, made in another way or unable to speak never takes the slot: the
old one goes on serving and the reason is kept. A request holds on to the model it began with. A
candidate on trial is loaded beside the champion in the same way, and takes its place without a second load.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from include import registry
from include.engines import open_engine
from include.indexing import model_index
from include.learning import base_folder
from include.settings import Settings
from ml.types import Message
from serving.shelf import Loaded, NoModel, Shelf, warmed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlotState:
    """What a replica says of itself: `status` is waiting, loading, ready or failed."""

    status: str
    model_id: str
    wish: str
    error: str
    # The candidate that is wished for beside the champion.
    canary: str = ""
    # Whether the model itself failed, and not the machine, which lacks a server, a file or memory.
    unfit: bool = False


class Slot:
    """The place of one model; `changed` is called after every change of state."""

    def __init__(self, settings: Settings, changed: Callable[[SlotState], None]) -> None:
        self.settings = settings
        self.loaded: Loaded | None = None
        self.canary: Loaded | None = None
        self.shelf = Shelf(settings, load_model)
        self._changed = changed
        self._wish = self._trial = ""
        self._error, self._unfit = "", False
        self._loading = threading.Lock()

    def state(self) -> SlotState:
        """Say what is wished, what is loaded, and why they differ."""
        model_id, beside = (m.version.id if m else "" for m in (self.loaded, self.canary))
        if self._error:
            status = "failed"
        elif not self._wish:
            status = "waiting"
        else:
            wished = (self._wish, self._trial)
            status = "ready" if (model_id, beside) == wished else "loading"
        return SlotState(status, model_id, self._wish, self._error, self._trial, self._unfit)

    def find(self, model_id: str = "") -> Loaded:
        """Return a model by its id, from the slot or the shelf; the slot's own where none is named."""
        for loaded in (self.loaded, self.canary if model_id else None):
            if loaded and model_id in ("", loaded.version.id):
                return loaded
        if not model_id:
            raise NoModel("No model is loaded yet.")
        return self.shelf.take(model_id)

    def wish(self, model_id: str, canary: str = "") -> None:
        """State which model is wanted, and which one beside it; they are loaded in a thread, this returns at once.

        An empty wish empties the place: nobody goes on with a model that was taken back.
        """
        self._wish, self._trial = model_id, canary if model_id else ""
        self._error, self._unfit = "", False
        if not model_id:
            self.loaded = self.canary = None
            self.shelf.empty()
        else:
            threading.Thread(target=self._fulfil, args=(model_id, canary), daemon=True).start()
        self._changed(self.state())

    def settle(self, seconds: float) -> None:
        """Wait until what was wished is loaded, or could not be."""
        deadline = time.monotonic() + seconds
        while self.state().status == "loading" and time.monotonic() < deadline:
            time.sleep(0.02)

    def _fulfil(self, model_id: str, canary: str) -> None:
        wished = model_id, canary
        with self._loading:
            try:
                if (self._wish, self._trial) == wished:
                    loaded = self._have(model_id)
                    self._swap(wished, loaded, self._have_beside(loaded, canary))
            # Whatever a model folder does while it loads, the model that serves must go on.
            except Exception as error:  # noqa: BLE001
                log.error("model %s could not be loaded: %s", canary or model_id, error)
                if (self._wish, self._trial) == wished:
                    self._unfit = not isinstance(error, OSError | MemoryError)
                    self._error = f"{type(error).__name__}: {error}"
            finally:
                self.shelf.make_room(self.canary)
        self._changed(self.state())

    def _have(self, model_id: str) -> Loaded:
        """Return a model that is here already, or load it."""
        held = (m for m in (self.loaded, self.canary) if m and m.version.id == model_id)
        return next(held, None) or load_model(self.settings, model_id)

    def _have_beside(self, champion: Loaded, canary: str) -> Loaded | None:
        """Return the candidate if there is one, after making room for as much as the champion needs: it is its like."""
        self.shelf.make_room(champion if canary else None)
        return self._have(canary) if canary else None

    def _swap(self, wished: tuple[str, str], loaded: Loaded, canary: Loaded | None) -> None:
        """Put models in their places, if still wished for; whoever asked the ones before is answered by them."""
        if (self._wish, self._trial) != wished:
            return
        for model in (self.loaded, self.canary):
            if model and model not in (loaded, canary):
                self.shelf.put(model)
        self.loaded, self.canary = loaded, canary


def load_model(settings: Settings, model_id: str) -> Loaded:
    """Verify a model's files and fingerprint, load it, and let it say a few words."""
    version = registry.read_model(settings, model_id)
    index = model_index(settings, version)
    adapter = registry.model_folder(settings, model_id)
    engine = open_engine(settings, base_folder(settings, model_id), adapter)
    return Loaded(version, warmed(engine), index)


def speak(
    loaded: Loaded, messages: Sequence[Message], options: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """Generate: first the model's id, then pieces of text, last the counts of tokens and why it ended.

    A piece comes with the tokens (`ids`) that were spoken since the last one, if the engine tells them: another
    replica goes on from them. A conversation that the model cannot read, and a model that fails, is an event that
    says why.
    """
    try:
        yield from _speak(loaded, messages, options)
    # Whatever damaged weights or a broken template do, whoever asked is told so.
    except Exception as error:
        log.exception("model %s failed while it spoke", loaded.version.id)
        yield {"failed": f"{type(error).__name__}: {error}"}


def _speak(
    loaded: Loaded, messages: Sequence[Message], options: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    started, generator = time.monotonic(), loaded.engine.generator
    try:
        speech = generator.stream(messages, **options)  # type: ignore[arg-type]
    except ValueError as error:
        yield {"refused": str(error)}
        return
    yield {"model": loaded.version.id}
    told = 0
    for piece in speech:
        ids = None if speech.ids is None else speech.ids[told:]
        told += len(ids or ())
        yield {"text": piece, "ids": ids}
    yield {
        "prompt_tokens": generator.count_tokens(messages),
        "completion_tokens": speech.tokens,
        "finish": speech.finish,
        "seconds": time.monotonic() - started,
    }
