"""What a request may say beyond what the platform does: names that change no answer; others are refused by name."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

# Of a chat completion: what is for the caller's own books, and for caches that are not here.
HARMLESS = frozenset(
    {"user", "safety_identifier", "metadata", "store"}
    | {"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"}
)
# Of one, too: what asks for nothing else than is done.
DONE_ANYWAY: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "top_logprobs"), (0,)),
    **dict.fromkeys(("tool_choice", "function_call"), ("none", "auto")),
    **dict.fromkeys(("tools", "functions"), ([],)),
    "logprobs": (False,),
    "logit_bias": ({},),
    "modalities": (["text"], []),
    "parallel_tool_calls": (True, False),
    "reasoning_effort": ("none",),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
}
# How much of a name that somebody sent is said again, and how near one is to another: closer than top_k to top_p.
NAME, ALIKE = 100, 0.85


class NotDone(NamedTuple):
    """What the platform does not do: the parameter that asks for it, a sentence, and OpenAI's code."""

    param: str
    message: str
    code: str = "unsupported_value"


class Open(BaseModel):
    """A request or a part of one: it reads every name, so that none is passed over in silence."""

    model_config = ConfigDict(extra="allow")

    # Names that change no answer, whatever their value.
    harmless: ClassVar[frozenset[str]] = frozenset()
    # Values that ask for what is done anyway, by names of which nothing else is done; null is always one.
    done_anyway: ClassVar[Mapping[str, tuple[object, ...]]] = {}

    def refusal(self) -> NotDone | None:
        """Say what in this request the platform does not do; None when it does all."""
        return next(self._beyond(), None)

    def _beyond(self, where: str = "") -> Iterator[NotDone]:
        """Tell each name that asks for something else than what is done, here and in the parts."""
        for name, value in (self.model_extra or {}).items():
            if not (value is None or name in self.harmless or value in self._of(name)):
                yield self._not_done(where, name[:NAME])
        for name in type(self).model_fields:
            its = getattr(self, name)
            if isinstance(its, Open):
                yield from its._beyond(f"{where}{name}.")
            for number, part in enumerate(its if isinstance(its, list) else ()):
                if isinstance(part, Open):
                    yield from part._beyond(f"{where}{name}.{number}.")

    def _of(self, name: str) -> tuple[object, ...]:
        return self.done_anyway.get(name, ())

    def _not_done(self, where: str, name: str) -> NotDone:
        known = () if name in self.done_anyway else type(self).model_fields
        alike = get_close_matches(name, known, cutoff=ALIKE)
        hint = f" Did you mean {alike[0]!r}?" if alike else ""
        said = f"'{where}{name}' is not supported by this endpoint; leave it out.{hint}"
        return NotDone(where + name, said, "unsupported_parameter")
