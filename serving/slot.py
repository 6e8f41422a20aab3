"""One replica's model: a wish is loaded beside the serving model, in a thread, then one reference is swapped.

A model that is missing, corrupt, made in another way or unable to speak never takes the slot: the
old one goes on serving and the reason is kept. A request holds on to the model it began with.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from include import registry
from include.engines import open_engine
from include.indexing import model_index
from include.settings import Settings
from ml.tiny import base_model_folder
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


class Slot:
    """The place of one model; `changed` is called after every change of state."""

    def __init__(self, settings: Settings, changed: Callable[[SlotState], None]) -> None:
        self.settings = settings
        self.loaded: Loaded | None = None
        self.shelf = Shelf(settings, load_model)
        self._changed = changed
        self._wish = ""
        self._error = ""
        self._loading = threading.Lock()

    def state(self) -> SlotState:
        """Say what is wished, what is loaded, and why they differ."""
        model_id = self.loaded.version.id if self.loaded else ""
        if self._error:
            status = "failed"
        elif not self._wish:
            status = "waiting"
        else:
            status = "ready" if model_id == self._wish else "loading"
        return SlotState(status, model_id, self._wish, self._error)

    def find(self, model_id: str = "") -> Loaded:
        """Return a model by its id, from the slot or the shelf; the slot's own where none is named."""
        loaded = self.loaded
        if loaded and model_id in ("", loaded.version.id):
            return loaded
        if not model_id:
            raise NoModel("No model is loaded yet.")
        return self.shelf.take(model_id)

    def wish(self, model_id: str) -> None:
        """State which model is wanted; it is loaded in a thread, and this returns at once.

        An empty wish empties the place: nobody goes on with a model that was taken back.
        """
        self._wish, self._error = model_id, ""
        if not model_id:
            self.loaded = None
            self.shelf.empty()
        else:
            threading.Thread(target=self._fulfil, args=(model_id,), daemon=True).start()
        self._changed(self.state())

    def _fulfil(self, model_id: str) -> None:
        with self._loading:
            if self._wish != model_id or (self.loaded and self.loaded.version.id == model_id):
                self._changed(self.state())
                return
            try:
                loaded = load_model(self.settings, model_id)
            # Whatever a model folder does while it loads, the model that serves must go on.
            except Exception as error:  # noqa: BLE001
                log.error("model %s could not be loaded: %s", model_id, error)
                if self._wish == model_id:
                    self._error = f"{type(error).__name__}: {error}"
            else:
                if self._wish == model_id:
                    before, self.loaded = self.loaded, loaded
                    if before:
                        # Whoever asked it before is answered by it.
                        self.shelf.put(before)
        self._changed(self.state())


def load_model(settings: Settings, model_id: str) -> Loaded:
    """Verify a model's files and fingerprint, load it, and let it say a few words."""
    version = registry.read_model(settings, model_id)
    index = model_index(settings, version)
    base = base_model_folder(version.base_model, settings.cache_dir)
    engine = open_engine(settings, base, registry.model_folder(settings, model_id))
    return Loaded(version, warmed(engine), index)


def speak(
    loaded: Loaded, messages: Sequence[Message], options: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """Generate: first the model's id, then pieces of text, last the counts of tokens and why it ended.

    A conversation that the model cannot read is one event that says why.
    """
    started, generator = time.monotonic(), loaded.engine.generator
    try:
        speech = generator.stream(messages, **options)  # type: ignore[arg-type]
    except ValueError as error:
        yield {"refused": str(error)}
        return
    yield {"model": loaded.version.id}
    for piece in speech:
        yield {"text": piece}
    yield {
        "prompt_tokens": generator.count_tokens(messages),
        "completion_tokens": speech.tokens,
        "finish": speech.finish,
        "seconds": time.monotonic() - started,
    }
