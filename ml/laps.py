"""How long each step of an answer takes: what passes between two ends belongs to the step that ends."""

import time
from collections.abc import Mapping
from typing import Literal, TypeVar, get_args

Step = Literal[
    "understand", "retrieve", "rerank", "compress", "render", "cite", "generate", "check"
]
# As they follow each other: sources are cited before the model speaks, because an answer opens with them.
ORDER: tuple[Step, ...] = get_args(Step)
Made = TypeVar("Made")


class Laps:
    """Seconds by step, those of earlier ones among them; a step that comes again adds to its own."""

    def __init__(self, earlier: Mapping[str, float] | None = None) -> None:
        self._spent = dict(earlier or {})
        self._since = time.monotonic()

    def end(self, step: Step, made: Made) -> Made:
        """Count the time since the last end to a step; returns what the step made."""
        now = time.monotonic()
        self._spent[step] = self._spent.get(step, 0.0) + now - self._since
        self._since = now
        return made

    @property
    def seconds(self) -> dict[str, float]:
        """Return the seconds of the steps that there were, in their order."""
        return {step: self._spent[step] for step in ORDER if step in self._spent}
