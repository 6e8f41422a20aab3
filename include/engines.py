"""Which engine speaks for a model: transformers, llama.cpp in this process, or a vLLM server.

A model that has no exact form for llama.cpp is spoken for by transformers, the reference, and the
reason is kept. Anything else that goes wrong is raised: whoever loads it keeps the old model.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from include.settings import Settings
from include.vllm import open_vllm
from ml.generate import load_generator
from ml.gguf_tokenizer import Unconvertible
from ml.hub import model_name
from ml.llama import load_llama
from ml.models import this_machine
from ml.speech import Speech
from ml.types import Message

log = logging.getLogger(__name__)


class Speaks(Protocol):
    """What the answer path needs of an engine."""

    context: int
    # Bytes that it takes alone, and those that it shares with others over one base model.
    memory: int
    shared: int

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int | None,
        stop: Sequence[str] = (),
        schema: Mapping[str, object] | None = None,
        said: Sequence[int] = (),
    ) -> Speech:
        """Yield an answer piece by piece; what was `said` by another, in its tokens, is repeated and gone on from."""

    def count_tokens(self, said: str | Sequence[Message]) -> int:
        """Count the tokens of a text, or of a conversation up to the answer."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A model that can speak, by which engine, and why by no faster one."""

    generator: Speaks
    name: str
    note: str = ""


def open_engine(settings: Settings, base: str, adapter: Path | None) -> Engine:
    """Load a model into the engine that the settings name."""
    if settings.engine == "vllm":
        return Engine(open_vllm(settings, base, adapter), "vllm")
    if settings.engine == "transformers" or (settings.engine == "auto" and this_machine().gpu):
        return Engine(load_generator(base, adapter), "transformers")
    try:
        cache, precision = settings.cache_dir, settings.engine_precision
        made = load_llama(Path(base), adapter, cache, precision, guess=settings.engine_guesses)
        return Engine(made, "llamacpp")
    except Unconvertible as reason:
        note = f"llama.cpp cannot run {model_name(base)}: {reason}. transformers runs it."
        log.warning("%s", note)
        return Engine(load_generator(base, adapter), "transformers", note)
