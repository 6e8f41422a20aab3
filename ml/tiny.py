"""The tiny base model: a Llama of about a million parameters, pretrained here, once per machine.

It learns English from the Python installation's own texts (`ml/corpus.py`), half of them as
questions and answers in its chat template. It shows that the loop works; it cannot write well.
The folder is an ordinary Hugging Face model, its manifest written last.
"""

import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.conversation import load_conversation
from ml.corpus import Passage, corpus_mark, read_corpus
from ml.files import locked, write_whole
from ml.fingerprint import tokenizer_fingerprint
from ml.generate import quiet
from ml.models import local_folder
from ml.types import digest

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    Optimizers = list[torch.optim.Optimizer]

log = logging.getLogger(__name__)

TINY = "tiny"
RECIPE_VERSION = "3"  # count on when anything here or in corpus.py changes the model
PAD, END, SYSTEM, USER, ASSISTANT = SPECIAL = (
    "<|pad|>",
    "<|end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
)
# Every control token is spelled out, so that the tokenizer can tell them from text that looks like one.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}<|system|>{% elif message.role == 'user' %}<|user|>"
    "{% elif message.role == 'assistant' %}<|assistant|>"
    "{% else %}{{ raise_exception('Unknown role: ' + message.role) }}{% endif %}"
    "{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Optimiser steps between two checkpoints.
CHECKPOINT_STEPS = 50


@dataclass(frozen=True, slots=True)
class TinySize:
    """What is pretrained, and for how long. `tokens` are those of one step, whatever its block length.

    The last `long_steps` read blocks as long as the context, so that long prompts can be followed.
    `matrix_rate` is Muon's, for the matrices of the layers; all else learns by AdamW at `learning_rate`.
    """

    vocabulary: int = 4096
    hidden: int = 128
    inner: int = 352
    layers: int = 4
    heads: int = 4
    shared_heads: int = 2
    context: int = 1024
    block: int = 256
    tokens: int = 2048
    steps: int = 260
    long_steps: int = 20
    learning_rate: float = 1e-2
    matrix_rate: float = 1.5e-2
    characters: int = 4_000_000
    seed: int = 7


def base_model_folder(name: str, cache_dir: Path, commit: str = "") -> str:
    """Return the folder of a base model: the tiny one is pretrained if need be, others are found or got at a commit."""
    return str(pretrain_tiny(cache_dir)) if name == TINY else local_folder(name, commit)


def pretrain_tiny(
    cache_dir: Path, *, size: TinySize | None = None, report: Callable[[str], None] = log.info
) -> Path:
    """Return the folder of the pretrained model; made at the first call, which goes on where a killed one ended."""
    size = size or TinySize()
    recipe = json.dumps([RECIPE_VERSION, CHAT_TEMPLATE, asdict(size)], sort_keys=True)
    mark = digest("tiny", recipe, corpus_mark())[:16]
    folder = cache_dir / f"tiny-{mark}"
    with locked(cache_dir / f".tiny-{mark}.lock"):
        if not (folder / "manifest.json").exists():
            part = cache_dir / f".tiny-{mark}.part"
            part.mkdir(parents=True, exist_ok=True)
            passages = read_corpus(size.characters)
            metrics = _pretrain(passages, size, part, report)
            (part / "checkpoint.pt").unlink(missing_ok=True)
            manifest = {"size": asdict(size), "passages": len(passages), "metrics": metrics}
            manifest["tokenizer_fingerprint"] = tokenizer_fingerprint(load_conversation(part))
            write_whole(part / "manifest.json", json.dumps(manifest, indent=1))
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
    return folder


def _pretrain(
    passages: Sequence[Passage], size: TinySize, folder: Path, report: Callable[[str], None]
) -> dict[str, float]:
    """Train the tokenizer and the model, and write both."""
    report(f"pretraining the tiny base model on {len(passages)} passages of this Python")
    tokenizer = _train_tokenizer(passages, size)
    _write_tokenizer(tokenizer, size, folder)
    stream = _tokenize(tokenizer, passages, size.seed)
    model = _new_model(size)
    losses = _train(model, stream, size, folder / "checkpoint.pt", report)
    with quiet():
        model.save_pretrained(folder)
    tenth = max(len(losses) // 10, 1)
    return {
        "loss_first": losses[0],
        "loss_last": sum(losses[-tenth:]) / tenth,
        "tokens": float(size.steps * size.tokens),
        "parameters": float(sum(p.numel() for p in model.parameters())),
    }


def _train_tokenizer(passages: Sequence[Passage], size: TinySize) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((p.text for p in passages), trainer)
    return tokenizer


def _write_tokenizer(tokenizer: "Tokenizer", size: TinySize, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=size.context,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)


def _tokenize(tokenizer: "Tokenizer", passages: Sequence[Passage], seed: int) -> NDArray[np.int64]:
    """Join all passages, shuffled, into one row of tokens; every second one is an answer to its question."""
    order = np.random.default_rng(seed).permutation(len(passages))
    texts = [
        f"{passages[i].text}{END}"
        if n % 2
        else f"{USER}{passages[i].question}{END}{ASSISTANT}{passages[i].text}{END}"
        for n, i in enumerate(order)
    ]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return np.concatenate([np.array(e.ids, dtype=np.int64) for e in encoded])


def _new_model(size: TinySize) -> "LlamaForCausalLM":
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.shared_heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        pad_token_id=SPECIAL.index(PAD),
        eos_token_id=SPECIAL.index(END),
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(size.seed)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        # It is the output layer too: so small as transformers makes it, all words stay about equally likely.
        model.model.embed_tokens.weight.mul_(3)
    return model


def _train(
    model: "LlamaForCausalLM",
    stream: NDArray[np.int64],
    size: TinySize,
    checkpoint: Path,
    report: Callable[[str], None],
) -> list[float]:
    """Run the pretraining loop; returns the loss of every step."""
    import torch

    optimizers = _optimizers(model, size)
    rates = [o.defaults["lr"] for o in optimizers]
    losses = _resume(model, optimizers, checkpoint)
    model.train()
    for step, rows in enumerate(_batches(stream, size)):
        if step < len(losses):
            continue
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * _schedule(step, size.steps)
        losses.append(_step(model, optimizers, torch.from_numpy(rows)))
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(
                f"Pretraining diverged at step {step}: the loss is {losses[-1]}."
            )
        if step % 10 == 0 or step == size.steps - 1:
            report(f"pretraining step {step + 1}/{size.steps} loss {losses[-1]:.2f}")
        if (step + 1) % CHECKPOINT_STEPS == 0:
            _save(model, optimizers, losses, checkpoint)
    return losses


def _optimizers(model: "LlamaForCausalLM", size: TinySize) -> "Optimizers":
    """Make the optimisers. Muon learns the same in about half of AdamW's steps, but is for matrices only."""
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    adam = torch.optim.AdamW(
        others, lr=size.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    return [torch.optim.Muon(matrices, lr=size.matrix_rate, weight_decay=0.01), adam]


def _step(model: "LlamaForCausalLM", optimizers: "Optimizers", rows: "torch.Tensor") -> float:
    import torch

    logits = model(input_ids=rows[:, :-1], use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(loss.detach())


def _batches(stream: NDArray[np.int64], size: TinySize) -> Iterator[NDArray[np.int64]]:
    """Yield the blocks of every step: random places, the same for the same seed."""
    random = np.random.default_rng(size.seed)
    for step in range(size.steps):
        length = size.context if step >= size.steps - size.long_steps else size.block
        length = min(length, len(stream) - 1)
        starts = random.integers(0, len(stream) - length, max(size.tokens // length, 1))
        yield np.stack([stream[s : s + length + 1] for s in starts])


def _schedule(step: int, steps: int) -> float:
    """Warm up over the first twentieth, then follow a cosine down to a twentieth."""
    warm = max(steps // 20, 1)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(steps - warm, 1)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def _save(
    model: "LlamaForCausalLM", optimizers: "Optimizers", losses: list[float], checkpoint: Path
) -> None:
    import torch

    fresh = checkpoint.with_suffix(".tmp")
    states = [o.state_dict() for o in optimizers]
    torch.save({"model": model.state_dict(), "optimizers": states, "losses": losses}, fresh)
    fresh.replace(checkpoint)


def _resume(model: "LlamaForCausalLM", optimizers: "Optimizers", checkpoint: Path) -> list[float]:
    """Go back to the last checkpoint; returns the losses up to there."""
    import torch

    if not checkpoint.exists():
        return []
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    losses: list[float] = state["losses"]
    return losses
