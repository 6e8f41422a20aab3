"""Speak with a model through llama.cpp, in this process: the fast engine for CPUs.

Weights come from `ml/gguf.py`, an adapter is laid over its base model, which models of one base
share by mapping the same file. Answers to several callers are made in one batch, and the beginning
of a prompt that a slot has seen is not read again. llama.cpp's own HTTP door is a socket in a folder
that only this user can enter, locked by a key that nobody is told.
"""

import atexit
import queue
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.choice import greedy
from ml.constrain import grammar
from ml.conversation import Conversation, load_conversation
from ml.generate import brings_tokenizer
from ml.gguf import adapter_gguf, base_gguf
from ml.hub import model_name
from ml.llama_server import GRAMMAR, SLOTS, open_server
from ml.speech import Speech, hold_back, room_for, whole_characters
from ml.types import Message

if TYPE_CHECKING:
    from xllamacpp import Server

# Tokens that each answer may read and write.
CONTEXT = 4_096
# llama.cpp draws from 32 bits.
SEEDS = 2**32 - 1
# Seconds that the end of the process waits for answers that are being made.
LAST_WORDS = 30.0
# Python ends threads that are in llama.cpp by an exception which C++ may not let through: the process would abort.
_ENDING = threading.Event()
_SPEAKING: set[threading.Thread] = set()


class LlamaGenerator:
    """A model in llama.cpp with its own tokenizer; `context` is the number of tokens of one answer with its prompt."""

    def __init__(
        self,
        conversation: Conversation,
        server: "Server",
        name: str,
        context: int,
        memory: tuple[int, int],
    ) -> None:
        self.context = context
        # Bytes that it takes alone, and those that it shares with others over one base model.
        self.memory, self.shared = memory
        self._conversation = conversation
        self._server = server
        self._name = name

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
        """Yield an answer piece by piece, as the reference does; a closed stream ends the work on it.

        Chance and grammar cannot go on in the middle: what was `said` is made again there, by the same seed.
        """
        prompt = self._conversation.prompt(messages)
        room = min(max_tokens, room_for(prompt, self.context, self._name))
        said = said[: room - 1] if greedy(temperature) and schema is None else ()
        asked: dict[str, object] = {
            "prompt": [*prompt, *said],
            "n_predict": room - len(said),
            **_choice(temperature, top_p),
            "seed": -1 if seed is None else seed % SEEDS,
            "cache_prompt": True,
            "stream": True,
            # Which tokens a piece is made of.
            "return_tokens": True,
            "verbose": True,
        }
        if schema is not None:
            asked["grammar"] = grammar(schema)
        speech = Speech(said)
        if room > 0:
            pieces = whole_characters(self._pieces(asked, speech))
            speech.pieces = hold_back(pieces, [s for s in stop if s])
        return speech

    def complete(self, messages: Sequence[Message], **options: Any) -> str:
        """Return a whole answer."""
        return "".join(self.stream(messages, **options))

    def count_tokens(self, said: str | Sequence[Message]) -> int:
        """Count the tokens of a text, or of a conversation up to the answer."""
        return self._conversation.count(said)

    def _pieces(self, asked: dict[str, object], speech: Speech) -> Iterator[str]:
        before = speech.tokens
        yield self._conversation.decode(speech.ids or [])
        heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        left = threading.Event()

        begun = ExitStack()

        def hear(event: dict[str, Any]) -> bool:
            begun.close()
            heard.put(event)
            return left.is_set() or _ENDING.is_set()

        def work() -> None:
            _SPEAKING.add(threading.current_thread())
            try:
                if "grammar" in asked:
                    begun.enter_context(GRAMMAR)
                if not _ENDING.is_set():
                    self._server.handle_completions(asked, hear)
            finally:
                begun.close()
                heard.put(None)
                _SPEAKING.discard(threading.current_thread())

        threading.Thread(target=work, daemon=True).start()
        try:
            while (event := heard.get()) is not None:
                yield from _heard(event, speech, before)
        finally:
            left.set()


@atexit.register
def _end_speaking() -> None:
    """Let every answer that is being made end at its next word."""
    _ENDING.set()
    deadline = time.monotonic() + LAST_WORDS
    for thread in tuple(_SPEAKING):
        thread.join(max(deadline - time.monotonic(), 0.0))


def _choice(temperature: float, top_p: float) -> dict[str, object]:
    """Say how a token is chosen: as the reference does, none of llama.cpp's other filters, and no sorting for nothing.

    Its temperature of 0 goes through all words of the vocabulary for each token, which takes a small model half
    its time; the best one of `top_k` is the same one.
    """
    if greedy(temperature):
        return {"samplers": ["top_k"], "top_k": 1}
    samplers = ["temperature", "top_p"] if top_p < 1 else ["temperature"]
    return {"samplers": samplers, "temperature": temperature, "top_p": top_p}


def _heard(event: Mapping[str, Any], speech: Speech, before: int) -> Iterator[str]:
    """Take in one event; the tokens of a character that took several are told by no event, so they are not known."""
    if "error" in event:
        raise RuntimeError(f"llama.cpp refused: {event['error']['message']}")
    (choice,), told = event["choices"], event["__verbose"]
    speech.tokens = before + told["tokens_predicted"]
    if speech.ids is not None and not choice["finish_reason"]:
        speech.ids += told["tokens"]
        if len(speech.ids) < speech.tokens:
            speech.ids = None
    speech.finish = choice["finish_reason"] or speech.finish
    if choice["text"]:
        yield choice["text"]


def load_llama(
    base: Path, adapter: Path | None, cache: Path, precision: str, *, guess: bool = False
) -> LlamaGenerator:
    """Load a base model, with an adapter laid over it if one is given; what has no exact GGUF is refused."""
    conversation = load_conversation(adapter if adapter and brings_tokenizer(adapter) else base)
    weights = base_gguf(base, cache, precision)
    folder = Path(tempfile.mkdtemp(prefix="llama-"))
    try:
        lora = adapter_gguf(base, adapter, folder / "adapter.gguf") if adapter else None
        config = _config(base)
        context = min(int(config.max_position_embeddings), CONTEXT)
        server = open_server(weights, lora, context, precision, folder, guess)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    own = _cache_bytes(config, context, precision) + (lora.stat().st_size if lora else 0)
    memory = own, weights.stat().st_size
    generator = LlamaGenerator(conversation, server, model_name(str(base)), context, memory)
    weakref.finalize(generator, shutil.rmtree, folder, ignore_errors=True)
    return generator


def _config(base: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(str(base), local_files_only=True).get_text_config()


def _cache_bytes(config: Any, context: int, precision: str) -> int:
    """Count the bytes of keys and values of all places."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width = 2 * config.num_hidden_layers * config.num_key_value_heads * head
    return int(SLOTS * context * width * (4 if precision == "f32" else 2))
