"""Speak and score with a causal model: token by token with a key-value cache, and losses in batches.

The reference path through transformers, on whatever device there is; weights come from safetensors
only and an adapter is merged in memory. Not here: prompts (`ml/prompts.py`) and what is said to
whom.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.choice import Draw
from ml.constrain import Constraint
from ml.conversation import Conversation, fit, load_conversation
from ml.fingerprint import check, tokenizer_fingerprint
from ml.hub import model_name
from ml.models import identity
from ml.speech import INCOMPLETE, Speech, hold_back, room_for
from ml.types import Message

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel

# Bytes of logits that one batch of losses may take.
LOGITS_BYTES = 256_000_000
# Where an adapter keeps the mark of the base model that it was trained on.
BASE_FILE = "base_model.txt"
# The fingerprint of the base model's tokenizer, beside it.
TOKENIZER_FILE = "base_tokenizer.txt"
# For a base model of the hub, the commit of its repository: the hub may have another one by now.
COMMIT_FILE = "base_commit.txt"


class Generator:
    """A loaded model with its tokenizer; `context` is the number of tokens that it reads and writes at most."""

    def __init__(self, model: "PreTrainedModel", conversation: Conversation, name: str) -> None:
        self.context = int(model.config.get_text_config().max_position_embeddings)
        # Bytes that it takes alone, and those that it shares with others over one base model: none here.
        self.memory = sum(p.numel() * p.element_size() for p in model.parameters())
        self.shared = 0
        self._model = model.eval()
        self._conversation = conversation
        self._name = name
        self._ends = set(conversation.ends) | _ends_of(model)

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
        """Yield an answer piece by piece; whole characters only, and nothing from a stop string on.

        A `greedy` temperature always takes the likeliest token; the same seed draws the same answer. A JSON
        `schema` allows only what follows it. What was `said` before is repeated and gone on from.
        """
        prompt = self._conversation.prompt(messages)
        room = room_for(prompt, self.context, self._name)
        constraint = Constraint(self._conversation, schema) if schema is not None else None
        draw = Draw(temperature, top_p, seed, constraint, said)
        speech = Speech(said)
        tokens = self._tokens(prompt, min(max_tokens, room), draw, speech)
        speech.pieces = hold_back(self._text(tokens), [s for s in stop if s])
        return speech

    def complete(self, messages: Sequence[Message], **options: Any) -> str:
        """Return a whole answer; the options are those of `stream`."""
        return "".join(self.stream(messages, **options))

    def count_tokens(self, said: str | Sequence[Message]) -> int:
        """Count the tokens of a text, or of a conversation up to the answer."""
        return self._conversation.count(said)

    def losses(self, conversations: Sequence[tuple[Message, ...]]) -> list[float]:
        """Return, for each conversation, the mean nats per token of its last message, the end included."""
        pairs = [
            fit(
                self._conversation.prompt(c[:-1]),
                self._conversation.answer(c[-1].content),
                self.context,
            )
            for c in conversations
        ]
        losses = [0.0] * len(pairs)
        for batch in self._batches([len(p) + len(a) for p, a in pairs]):
            found = self._batch_losses([pairs[i] for i in batch])
            for index, loss in zip(batch, found, strict=True):
                losses[index] = loss
        return losses

    def _tokens(self, prompt: list[int], count: int, draw: Draw, speech: Speech) -> Iterator[int]:
        speech.ids = ids = list(speech.ids or ())
        yield from ids[:count]
        given, cache = prompt + ids, None
        for _ in range(len(ids), count):
            logits, cache = self._forward(given, cache)
            token = draw(logits)
            speech.tokens += 1
            if token in self._ends:
                return
            ids.append(token)
            yield token
            given = [token]
        speech.finish = "length"

    def _forward(
        self, ids: list[int], cache: "Cache | None"
    ) -> tuple["torch.Tensor", "Cache | None"]:
        """Return the logits of the next token. Inference mode ends here: callers switch threads between tokens."""
        import torch

        with torch.inference_mode():
            given = torch.tensor([ids], device=self._model.device)
            out = self._model(
                input_ids=given, past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            return out.logits[0, -1].float().cpu(), out.past_key_values

    def _text(self, tokens: Iterator[int]) -> Iterator[str]:
        """Decode token by token; bytes wait until they are whole characters.

        A token's text depends on the one before it (a leading space may be dropped), so two
        decodings from the last complete place are compared.
        """
        ids: list[int] = []
        start, shown, decode = 0, 0, self._conversation.decode
        for token in tokens:
            ids.append(token)
            before, now = decode(ids[start:shown]), decode(ids[start:])
            if len(now) > len(before) and not now.endswith(INCOMPLETE):
                yield now[len(before) :]
                start, shown = shown, len(ids)
        rest = decode(ids[start:])[len(decode(ids[start:shown])) :]
        if rest.rstrip(INCOMPLETE):
            yield rest.rstrip(INCOMPLETE)

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Put sequences of similar length together, as many as the memory for logits allows."""
        order = sorted(range(len(lengths)), key=lambda i: lengths[i])
        width = int(self._model.config.get_text_config().vocab_size) * 4
        batch: list[int] = []
        for index in order:
            if batch and (len(batch) + 1) * lengths[index] * width > LOGITS_BYTES:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _batch_losses(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        import torch

        longest = max(len(p) + len(a) for p, a in pairs)
        pad = int(self._conversation.tokenizer.pad_token_id)
        rows = [p + a + [pad] * (longest - len(p) - len(a)) for p, a in pairs]
        mask = [[1] * (len(p) + len(a)) + [0] * (longest - len(p) - len(a)) for p, a in pairs]
        with torch.inference_mode():
            ids = torch.tensor(rows, device=self._model.device)
            seen = torch.tensor(mask, device=self._model.device)
            logits = self._model(input_ids=ids, attention_mask=seen, use_cache=False).logits
            found = []
            for row, (prompt, answer) in enumerate(pairs):
                end = len(prompt) + len(answer)
                said = logits[row, len(prompt) - 1 : end - 1].float()
                loss = torch.nn.functional.cross_entropy(said, ids[row, len(prompt) : end])
                found.append(float(loss))
        return found


def load_generator(base: str, adapter: Path | None) -> Generator:
    """Load a base model from its folder, with an adapter merged into it if one is given."""
    conversation = load_conversation(adapter if adapter and brings_tokenizer(adapter) else base)
    with quiet():
        model = load_base(base)
        if adapter is not None:
            model = _merge(model, base, adapter)
    return Generator(model, conversation, model_name(base))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and the libraries' talk among themselves out of the log."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def load_base(base: str, **options: object) -> "PreTrainedModel":
    """Load a base model: float32 on a CPU, where anything shorter is slow, bfloat16 on a GPU."""
    import torch
    from transformers import AutoModelForCausalLM

    gpu = torch.cuda.is_available()
    return AutoModelForCausalLM.from_pretrained(
        base,
        dtype=torch.bfloat16 if gpu else torch.float32,
        device_map={"": 0} if gpu else None,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **options,
    )


def _ends_of(model: "PreTrainedModel") -> set[int]:
    found = model.generation_config.eos_token_id if model.generation_config else None
    return set() if found is None else {found} if isinstance(found, int) else set(found)


def brings_tokenizer(adapter: Path) -> bool:
    """Tell whether an adapter has a tokenizer of its own."""
    return (adapter / "tokenizer_config.json").exists()


def base_commit(adapter: Path) -> str:
    """Return at which commit of the hub an adapter's base model was; empty for one that is not of the hub."""
    note = adapter / COMMIT_FILE
    return note.read_text(encoding="utf-8").strip() if note.exists() else ""


def check_adapter(base: str, adapter: Path) -> None:
    """Refuse an adapter that is no safetensors file, or was trained on another base model."""
    if not (adapter / "adapter_model.safetensors").exists():
        raise FileNotFoundError(
            f"{adapter} holds no adapter_model.safetensors. Train the model again; pickles are not loaded."
        )
    check_tokenizer(base, adapter)
    mark = adapter / BASE_FILE
    if mark.exists() and mark.read_text().strip() != identity(Path(base)):
        raise ValueError(
            f"The adapter {adapter.name} was trained on another state of the base model than {base}. "
            "Train a new one, or bring that base model back."
        )


def check_tokenizer(base: str, adapter: Path) -> None:
    """Refuse a base model whose tokenizer is not the one that an adapter notes; older adapters note none."""
    if (mark := adapter / TOKENIZER_FILE).exists():
        ours, theirs = tokenizer_fingerprint(load_conversation(base)), mark.read_text().strip()
        remedy = f"The tokenizer in {base} is another one: bring back the files that belong to its weights."
        check(ours, theirs, f"The adapter {adapter.name}", remedy)


def _merge(model: "PreTrainedModel", base: str, adapter: Path) -> "PreTrainedModel":
    from peft import PeftModel

    check_adapter(base, adapter)
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
