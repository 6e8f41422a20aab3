"""One answer over several tries: when the replica that speaks dies, another one goes on where it ended.

Every try asks for the model of the first one and draws by the same seed. What was said goes along as
tokens, which the next replica reads instead of making them again. It repeats their text: that is
compared with what the caller has heard and left out, so that nobody hears two halves of two answers.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

log = logging.getLogger(__name__)

Event = Mapping[str, object]
# Tries of one request, and the seconds before the second one; longer before the third.
TRIES, PAUSE = 3, 0.25


class Gone(ConnectionError):
    """Raised when a replica went away before it had said everything."""


async def insist(ask: Callable[[], Awaitable[Event]]) -> Event:
    """Ask for what changes nothing, and again where the one that was asked went away."""
    for attempt in range(1, TRIES):
        try:
            return await ask()
        except Gone:
            await asyncio.sleep(PAUSE * attempt)
    return await ask()


async def unbroken(
    begin: Callable[[Event], AsyncIterator[Event]], options: Event
) -> AsyncIterator[Event]:
    """Pass on the events of one answer, begun again with what was said wherever it breaks off."""
    heard, started = _Heard(), time.monotonic()
    its = {**options, "seed": options.get("seed")}
    if its["seed"] is None:
        its["seed"] = secrets.randbits(31)
    for attempt in range(1, TRIES + 1):
        try:
            async for event in begin(its):
                if news := heard.news(event):
                    yield news if attempt == 1 else _timed(news, started)
            return
        except Gone:
            if heard.whole:
                return
            if attempt == TRIES:
                raise
        its |= heard.so_far()
        log.warning("an answer is begun again after %d characters", len(heard.text))
        await asyncio.sleep(PAUSE * attempt)


class _Heard:
    """What the caller has heard of one answer, and what the present try has said of it."""

    def __init__(self) -> None:
        self.text, self.whole = "", False
        self._model = ""
        self._ids: list[int] | None = []
        self._again = ""
        self._again_ids: list[int] | None = []

    def so_far(self) -> dict[str, object]:
        """Return how the next try is asked, and make ready for it."""
        if len(self._again) >= len(self.text):
            self._ids = self._again_ids
        self._again, self._again_ids = "", []
        pinned = {"model_id": self._model} if self._model else {}
        return {**pinned, "said": tuple(self._ids or ())}

    def news(self, event: Event) -> Event | None:
        """Take in an event; returns what of it the caller has not heard yet."""
        if "model" in event:
            return self._named(event)
        if "text" not in event:
            self.whole = True
            return event
        self._again += str(event["text"])
        ids = event.get("ids")
        if isinstance(ids, list) and self._again_ids is not None:
            self._again_ids += ids
        else:
            self._again_ids = None
        if not (self._again.startswith(self.text) or self.text.startswith(self._again)):
            raise ConnectionError("The replica that took over says something else; ask again.")
        new, self.text = self._again[len(self.text) :], max(self.text, self._again, key=len)
        return {"text": new} if new else None

    def _named(self, event: Event) -> Event | None:
        if self._model:
            return None
        self._model = str(event["model"])
        return event


def _timed(event: Event, started: float) -> Event:
    """Let the last event tell how long all tries took together."""
    return {**event, "seconds": time.monotonic() - started} if "seconds" in event else event
