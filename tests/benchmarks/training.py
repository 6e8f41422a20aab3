"""Packed LoRA SFT as the platform does it, against a plain loop over transformers and PEFT, at equal loss.

    python tests/benchmarks/training.py [--steps 16] [--rounds 2] [--base FOLDER]

All learn as many samples from the same fresh adapter, by AdamW at the same rates; in turns, because the
machine may be busy. The plain loop pads each batch to its longest sequence and makes logits for every token.
Two ways of batching: shuffled, as such loops do it, and samples of like length together, as ours does it. On
the same batches the losses must be the same; across them, what was held out tells. Nobody looks at it on the
way, but ours writes its checkpoints. CPU seconds are what a busy machine distorts least.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import fmean, median
from typing import Any
from unittest.mock import patch

from embedding import passages
from rich.console import Console
from rich.table import Table

from include.settings import ROOT, load_settings
from ml.adapters import adapt, load_trainable
from ml.conversation import load_conversation, sample_order, sft_rows
from ml.generate import load_generator, quiet
from ml.packing import collate
from ml.recipe import Recipe
from ml.stages import Stage, learn_answers
from ml.tiny import base_model_folder
from ml.types import Example, Message, Span

PLAIN = "plain loop, shuffled"
SPAN = Span("d1", "r1", 0, 1)
Measured = tuple[float, float, list[float], float]


class Losses:
    """A run that keeps the loss of each step, and when the first one was made."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def log(self, values: dict[str, float], step: int) -> None:
        """Keep one."""
        if "sft/loss" in values:
            self.losses.append(values["sft/loss"])


def samples() -> list[Example]:
    """Make an example of every paragraph: its beginning asks for the rest. Some are short, some long."""
    made = []
    for number, text in enumerate(passages(ROOT / "demo" / "articles")):
        head, rest = text[:60], text[60 : 120 + 97 * (number % 9)]
        said = (Message("user", f"Go on: {head}"), Message("assistant", rest))
        made.append(Example(said, SPAN, "continue", "train" if number % 6 else "test"))
    return made


def ours(base: str, recipe: Recipe, examples: Sequence[Example], like: bool) -> Measured:
    """Train as the platform does; without `like`, on shuffled batches."""
    run = Losses()
    with tempfile.TemporaryDirectory() as folder, batches(like):
        stage = Stage(
            *(base, recipe, Path(folder), run, lambda line: None, lambda step: None),
            time.monotonic,
        )
        spent = timed(lambda: learn_answers(stage, examples))
        return (*spent, run.losses, judge(base, stage.taught))


def plain(base: str, recipe: Recipe, examples: Sequence[Example], like: bool) -> Measured:
    """Train by a plain loop: pad, forward with labels, backward, step."""
    losses: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        spent = timed(lambda: plain_loop(base, recipe, examples, losses, like, folder))
        return (*spent, losses, judge(base, Path(folder)))


def batches(like: bool) -> AbstractContextManager[object]:
    """Let samples of one length be together, or as they come."""
    return nullcontext() if like else patch("ml.stages.sample_order", shuffled)


def shuffled(lengths: Sequence[int], batch: int, count: int, seed: int) -> list[int]:
    """Order samples as if all were of one length."""
    return sample_order([1] * len(lengths), batch, count, seed)


def judge(base: str, adapter: Path) -> float:
    """Return the mean loss on every sixth sample, which nobody learned."""
    held = [e.messages for e in samples() if e.split == "test"]
    return fmean(load_generator(base, adapter).losses(held))


def plain_loop(
    base: str,
    recipe: Recipe,
    examples: Sequence[Example],
    losses: list[float],
    like: bool,
    folder: str,
) -> None:
    """Learn the same steps, the plain way."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    conversation = load_conversation(base)
    model = adapt(base, load_trainable(base, "full", print), recipe)
    taught = [e for e in examples if e.split == "train"]
    rows = sft_rows(conversation, taught, recipe.max_length)
    count = recipe.sft_steps * recipe.batch
    order = (sample_order if like else shuffled)(
        [len(r["input_ids"]) for r in rows], recipe.batch, count, recipe.seed
    )
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=float(recipe.learning_rate or 0), weight_decay=0.0)
    warm = max(int(recipe.warmup * recipe.sft_steps), 1)
    schedule = get_cosine_schedule_with_warmup(optimizer, warm, recipe.sft_steps)
    model.train()
    for start in range(0, count, recipe.batch):
        batch = [rows[i] for i in order[start : start + recipe.batch]]
        padded = collate(batch, 1, int(conversation.tokenizer.pad_token_id))
        mask = torch.zeros_like(padded["input_ids"])
        for line, row in enumerate(sorted(batch, key=lambda r: -len(r["input_ids"]))):
            mask[line, : len(row["input_ids"])] = 1
        loss = model(
            input_ids=padded["input_ids"], attention_mask=mask, labels=padded["labels"]
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    model.save_pretrained(folder)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall and the CPU seconds of some work."""
    wall, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - worked


def main(base: str, steps: int, rounds: int) -> None:
    """Print both, what a step costs beyond the start, and how far their losses are apart."""
    examples = samples()
    recipe = Recipe(sft_steps=steps, learning_rate=4e-3, patience=0)
    few = Recipe(sft_steps=2, learning_rate=4e-3, patience=0)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    ends: dict[str, tuple[list[float], float]] = {}
    with quiet():
        for way, like in WAYS.values():
            way(base, few, examples, like)  # imports, and caches of the disk
        for _ in range(rounds):
            for name, (way, like) in WAYS.items():
                start, whole = (way(base, r, examples, like) for r in (few, recipe))
                more = steps - few.sft_steps
                found[name].append(((whole[0] - start[0]) / more, (whole[1] - start[1]) / more))
                ends[name] = whole[2], whole[3]
    show(examples, found, ends, recipe)


def show(
    examples: Sequence[Example],
    found: dict[str, list[tuple[float, float]]],
    ends: dict[str, tuple[list[float], float]],
    recipe: Recipe,
) -> None:
    """Print the table."""
    title = f"{len(examples)} samples, {recipe.sft_steps} steps of {recipe.batch}"
    columns = (
        "way",
        "ms a step",
        "ratio",
        "CPU ms a step",
        "ratio",
        "loss, last steps",
        "held out",
    )
    table = Table(*columns, title=title)
    wall, cpu = ({n: median(t[i] for t in times) for n, times in found.items()} for i in (0, 1))
    for name, (curve, held) in ends.items():
        table.add_row(
            name,
            f"{1000 * wall[name]:.0f}",
            f"{wall[PLAIN] / wall[name]:.2f}",
            f"{1000 * cpu[name]:.0f}",
            f"{cpu[PLAIN] / cpu[name]:.2f}",
            f"{fmean(curve[-(len(curve) // 3) :]):.4f}",
            f"{held:.4f}",
        )
    Console(width=110).print(table)
    names = list(WAYS)
    pairs = (zip(ends[a][0], ends[b][0], strict=True) for a, b in (names[:2], names[2:]))
    apart = max(abs(a - b) for pair in pairs for a, b in pair)
    Console().print(f"On the same batches, losses of the same step differ by {apart:.2g} at most.")
    if not math.isfinite(apart) or apart > 0.02:
        raise SystemExit("The losses are not equal, so the times say nothing.")


WAYS = {
    PLAIN: (plain, False),
    "ours, shuffled": (ours, False),
    "plain loop, like lengths": (plain, True),
    "ours, like lengths": (ours, True),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--base", default="")
    given = parser.parse_args()
    tiny = given.base or base_model_folder("tiny", load_settings().cache_dir)
    main(tiny, given.steps, given.rounds)
