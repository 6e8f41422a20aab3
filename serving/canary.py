"""A candidate on trial: which requests for `twin` meet it, and what comes of them, noted beside the champion's.

Every ingress replica is told by Ray Serve's `user_config`, so a trial begins and ends without a restart.
One request is answered by one version. What is noted holds no texts.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from include.documents import open_documents
from include.settings import Settings
from ml.canary import Outcome, meets_canary
from serving.shelf import Busy

log = logging.getLogger(__name__)

Event = Mapping[str, object]
# How far sources support a text, or None where there are none.
Measure = Callable[[str], float | None]


class Trial:
    """What one ingress replica knows of the candidate on trial; without one, `model_id` is empty."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.model_id, self.percent = "", 0.0

    def reconfigure(self, config: Mapping[str, object]) -> None:
        """Begin, change or end a trial."""
        self.percent = float(str(config.get("percent") or 0))
        self.model_id = str(config.get("canary") or "") if self.percent else ""

    def concerns(self, model_id: str) -> bool:
        """Tell whether a model is the candidate on trial."""
        return bool(model_id) and model_id == self.model_id

    def choose(self, request_id: str) -> str:
        """Return the candidate's id if this request is to meet it, else nothing."""
        return self.model_id if meets_canary(request_id, self.percent) else ""

    async def watch(
        self, model_id: str, events: AsyncIterator[Event], measure: Measure
    ) -> AsyncIterator[Event]:
        """Pass the events of an answer on, and note what came of it while there is a trial."""
        trial, said = self.model_id, ""
        try:
            async for event in events:
                said += str(event.get("text", ""))
                # Noted before it is passed on: whoever hears a failure listens no longer.
                if not event.keys() & {"model", "text"}:
                    await self._note(trial, _outcome(model_id, said, event), said, measure)
                yield event
        except Busy:
            raise
        except Exception:
            await self._note(trial, Outcome(model_id, failed=True))
            raise

    async def _note(
        self, trial: str, outcome: Outcome, said: str = "", measure: Measure | None = None
    ) -> None:
        if trial:
            await asyncio.to_thread(self._keep, trial, outcome, said, measure)

    def _keep(self, trial: str, outcome: Outcome, said: str, measure: Measure | None) -> None:
        """Keep an outcome; an answer never fails because nobody could note how it went."""
        try:
            if measure and said and not outcome.failed:
                outcome = replace(outcome, support=measure(said))
            with open_documents(self._settings) as documents:
                documents.put_outcome(trial, outcome, datetime.now(UTC))
        except ConnectionError as error:
            log.warning("an outcome of the trial of %s is lost: %s", trial, error)


def _outcome(model_id: str, said: str, last: Event) -> Outcome:
    tokens = int(str(last.get("completion_tokens", 0)))
    pace = float(str(last.get("seconds", 0.0))) / tokens if tokens else 0.0
    failed = "failed" in last
    return Outcome(model_id, failed, not said and not failed, pace)
