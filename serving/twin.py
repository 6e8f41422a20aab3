"""The answer path over open doors: the index, the features, the embedder, and whoever speaks.

Doors open at the first question and are opened again after a failure, so that a server that was
away does no lasting harm. What was answered is noted through a door of its own, opened each time:
an answer does not need it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from include.colours import Colour, Colours, colour_of, settings_of
from include.documents import open_documents
from include.embedding_cache import open_embedder
from include.expanding import Expander
from include.features import FEATURE_SERVICE, Features, open_features
from include.ranking import Rankings, open_judge
from include.reader import Reader
from include.settings import Settings
from include.sources import author_name, load_sources
from include.trust import Trust
from include.vectors import open_colours
from ml.answer import Ask, Library, Prepared, Voice, prepare, search_passages
from ml.cite import Sieve, check
from ml.embed import Embedder
from ml.laps import Laps
from ml.rerank import Found, Scores
from ml.types import Answer, Feedback, Message, Trace
from serving.carried import Carried, read_carried
from serving.shelf import Loaded
from serving.shelf import NoModel as NoModel
from serving.slot import Slot, speak

log = logging.getLogger(__name__)

Event = Mapping[str, object]
# How long a style that was read holds; a run of build_features changes it.
STYLE_SECONDS = 5.0


class Speaker(Protocol):
    """Whoever generates: a slot in this process, or replicas behind a Ray Serve handle."""

    async def state(self, model_id: str = "") -> dict[str, object]:
        """Say which model is loaded, wished, and what went wrong; one that is named is loaded first."""

    def stream(
        self, messages: Sequence[Message], options: Mapping[str, object]
    ) -> AsyncIterator[Event]:
        """Yield the model's id, pieces of text, and the counts of tokens; `options["model_id"]` names a model."""


class LocalSpeaker:
    """A speaker over a slot in this process; generation runs in a thread."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    async def state(self, model_id: str = "") -> dict[str, object]:
        """Return the slot's state, with the loaded model's manifest."""
        return await asyncio.to_thread(describe, self.slot, model_id)

    async def stream(
        self, messages: Sequence[Message], options: Mapping[str, object]
    ) -> AsyncIterator[Event]:
        """Speak with the model that is loaded now, and stay with it to the end."""
        its = dict(options)
        loaded = await asyncio.to_thread(self.slot.find, str(its.pop("model_id", "")))
        async for event in _in_thread(speak(loaded, messages, its)):
            yield event


def describe(slot: Slot, model_id: str = "") -> dict[str, object]:
    """Turn a slot's state into plain values, with a model's manifest: that of the slot, or of the one that is named."""
    described: dict[str, object] = asdict(slot.state()) | {"shelf": slot.shelf.names()}
    loaded = slot.find(model_id) if model_id else slot.loaded
    return described | _manifest(loaded) if loaded else described


def _manifest(loaded: Loaded) -> dict[str, object]:
    version = loaded.version
    return {
        "model_id": version.id,
        "dataset_id": version.dataset_id,
        "base_model": version.base_model,
        "fingerprint": version.fingerprint,
        "index": loaded.index,
        "feature_service": version.feature_service,
        "engine": loaded.engine.name,
        "engine_note": loaded.engine.note,
    }


async def _in_thread(events: Iterator[Event]) -> AsyncIterator[Event]:
    """Step through a slow iterator without holding up the event loop."""
    while (event := await asyncio.to_thread(next, events, None)) is not None:
        yield event


@dataclass(slots=True)
class _Doors:
    colours: Colours
    features: Features
    readers: dict[str, Reader] = field(default_factory=dict)


class Twin:
    """Everything that an answer needs but the model; one per ingress replica."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.author = author_name(settings)
        self.authors = {s.author.id: s.author.name for s in load_sources(settings)}
        self.trust = Trust(settings)
        self.rankings = Rankings(settings)
        self._judge: Scores | None = open_judge(settings)
        self._expander = Expander(settings)
        self._carried: dict[str, Carried] = {}
        self._embedders: dict[tuple[str, str], Embedder] = {}
        self._styles: dict[tuple[str, str], tuple[float, dict[str, float]]] = {}
        self._doors: _Doors | None = None
        self._opening = threading.Lock()

    def prepare(
        self, ask: Ask, service: str = FEATURE_SERVICE, index: str = "", model_id: str = ""
    ) -> Prepared:
        """Find the evidence for a question and render the prompt.

        `index` is the fingerprint of the model's index: its own colour is asked, with the embedder of that
        colour. The prompt, and how tokens are counted, are the ones that the model carries. To open the index counts as
        retrieving, to read the author's style as rendering.
        """
        laps = Laps()
        doors = self._open()
        try:
            reader = self._reader(doors, index)
            library = laps.end("retrieve", self._library(reader))
            style = self._style(doors.features, service, ask.author)
            carried = self._carry(model_id)
            tokens = self.settings.evidence_tokens
            voice = Voice(self.author, style, carried.prompt, carried.count, tokens)
            laps.end("render", voice)
            made = prepare(ask, library, voice, self.settings.abstain_below, laps)
        except ConnectionError:
            self.close()
            raise
        known = {"index": reader.fingerprint, "prompt": carried.prompt.version}
        return replace(made, how={**made.how, **known, "reranker": self.settings.reranker})

    def _style(self, features: Features, service: str, author: str) -> dict[str, float]:
        """Read an author's style from Feast, unless that was done a moment ago: it takes as long as a search."""
        read_at, style = self._styles.get((service, author), (0.0, {}))
        if not style or time.monotonic() - read_at > STYLE_SECONDS:
            try:
                style = features.author_style(service, author)
            except LookupError as error:
                raise NoModel(str(error)) from None
            self._styles[service, author] = (time.monotonic(), style)
        return style

    def retrieve(self, ask: Ask) -> list[Found]:
        """Search the live colour of the index alone, as an answer would."""
        return search_passages(ask, self._library(self._reader(self._open(), "")))

    def check(self, prepared: Prepared, answer: Answer) -> Answer:
        """Judge each sentence of what the model said by the sources that it was shown."""
        claims = check(answer.generated, prepared.sources, *self._words(prepared))
        return replace(answer, claims=tuple(asdict(c) for c in claims))

    def sieve(self, prepared: Prepared) -> Sieve:
        """Return what lets only supported sentences pass."""
        return Sieve(prepared.sources, *self._words(prepared))

    def _words(self, prepared: Prepared) -> tuple[Mapping[str, int], int]:
        ranking = self.rankings.of(str(prepared.how.get("index", ""))).ranking
        return ranking.counts, ranking.passages

    def index_size(self) -> int:
        """Count the chunks of the live colour."""
        return self._open().colours.store().count()

    def remember(self, trace: Trace) -> None:
        """Keep a trace; an answer never fails because its trace could not be kept."""
        try:
            with open_documents(self.settings) as documents:
                documents.put_trace(trace)
        except ConnectionError as error:
            log.warning("trace %s is lost: %s", trace.id, error)

    def trace(self, trace_id: str) -> Trace | None:
        """Find what happened for one answer."""
        with open_documents(self.settings) as documents:
            return documents.trace(trace_id)

    def judge(self, feedback: Feedback) -> None:
        """Keep a reader's judgement."""
        with open_documents(self.settings) as documents:
            documents.put_feedback(feedback)

    @property
    def embedder(self) -> Embedder:
        """Return the embedder of the live colour."""
        return self._reader(self._open(), "").embedder

    def close(self) -> None:
        """Close the doors; the next question opens them again."""
        with self._opening:
            doors, self._doors = self._doors, None
        self._expander.close()
        if doors:
            doors.colours.close()
            doors.features.close()

    def _library(self, reader: Reader) -> Library:
        return Library(
            reader.embedder,
            reader.dense,
            reader.vectors.search,
            self.rankings.of(reader.fingerprint),
            self._judge,
            self.authors,
            self.trust.shared,
            self._expander.expand,
        )

    def _carry(self, model_id: str) -> Carried:
        if model_id not in self._carried:
            self._carried[model_id] = read_carried(self.settings, model_id)
        return self._carried[model_id]

    def _open(self) -> _Doors:
        with self._opening:
            if self._doors is None:
                self._doors = _Doors(open_colours(self.settings), open_features(self.settings))
            return self._doors

    def _reader(self, doors: _Doors, index: str) -> Reader:
        """Return the live colour if it fits the fingerprint, else the newest one that does."""
        live = doors.colours.live_name()
        known = doors.readers.get(live)
        if known and index in ("", known.fingerprint):
            return known
        found = doors.colours.all()
        wanted = index or next((c.fingerprint for c in found if c.name == live), "")
        colour = colour_of(found, live, wanted)
        if colour is None and index and live:
            raise NoModel(
                f"No colour of the index with the fingerprint {index[:12]} is kept, for which this model was made. "
                "Run the DAG build_features, or train a new model."
            )
        with self._opening:
            return self._read(doors, colour)

    def _read(self, doors: _Doors, colour: Colour | None) -> Reader:
        if colour and colour.name in doors.readers:
            return doors.readers[colour.name]
        # A colour that was written without a name knows no embedder.
        its = settings_of(colour, self.settings) if colour and colour.embedder else self.settings
        key = (its.embedder, its.embedder_precision)
        if key not in self._embedders:
            self._embedders[key] = open_embedder(its)
        fingerprint = colour.fingerprint if colour else ""
        distance = colour.distance if colour else self.settings.vectors_distance
        store = doors.colours.store(colour)
        reader = Reader(store, self._embedders[key], fingerprint, distance)
        if colour:
            doors.readers[colour.name] = reader
        return reader


def sieved(event: Event, sieve: Sieve | None) -> Iterator[Event]:
    """Hold the words of a generation back until their sentence is judged; other events pass."""
    if sieve is None:
        yield event
        return
    text = sieve.feed(str(event["text"])) if "text" in event else ""
    if "completion_tokens" in event:
        text = sieve.rest()
    if text:
        yield {"text": text}
    if "text" not in event:
        yield event
