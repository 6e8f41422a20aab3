"""Packed LoRA SFT as the platform does it, against a plain loop over transformers and PEFT, at equal loss.

    python tests/benchmarks/training.py [--steps 16] [--rounds 2] [--base FOLDER]

All learn as many samples from the same fresh adapter, by AdamW at the same rates; in turns, because the
machine may be busy. The plain loop pads each batch to its longest sequence and makes logits for every token;
once on shuffled batches, as such loops are, and once on ours, whose losses must then be ours. Nobody looks at
held-out samples here, but ours writes its checkpoints. CPU seconds are what a busy machine distorts least.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from embedding import passages
from rich.console import Console
from rich.table import Table

from include.settings import ROOT, load_settings
from ml.adapters import adapt, load_trainable
from ml.conversation import load_conversation, sample_order, sft_rows
from ml.generate import quiet
from ml.packing import collate
from ml.recipe import Recipe
from ml.stages import Stage, learn_answers
from ml.tiny import base_model_folder
from ml.types import Example, Message, Span

PLAIN = "plain loop, shuffled"
SPAN = Span("d1", "r1", 0, 1)
Measured = tuple[float, float, list[float]]


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
        made.append(Example(said, SPAN, "continue", "train"))
    return made


def ours(base: str, recipe: Recipe, examples: Sequence[Example]) -> Measured:
    """Train as the platform does."""
    run = Losses()
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(
            *(base, recipe, Path(folder), run, lambda line: None, lambda step: None),
            time.monotonic,
        )
        spent = timed(lambda: learn_answers(stage, examples))
    return (*spent, run.losses)


def plain(base: str, recipe: Recipe, examples: Sequence[Example]) -> Measured:
    """Train by a plain loop: shuffle, pad, forward with labels, backward, step."""
    return _plain(base, recipe, examples, in_our_order=False)


def ordered(base: str, recipe: Recipe, examples: Sequence[Example]) -> Measured:
    """Train by the plain loop, but on our batches of like lengths: its losses are ours."""
    return _plain(base, recipe, examples, in_our_order=True)


def _plain(
    base: str, recipe: Recipe, examples: Sequence[Example], *, in_our_order: bool
) -> Measured:
    losses: list[float] = []
    spent = timed(lambda: plain_loop(base, recipe, examples, losses, in_our_order))
    return (*spent, losses)


def plain_loop(
    base: str,
    recipe: Recipe,
    examples: Sequence[Example],
    losses: list[float],
    in_our_order: bool,
) -> None:
    """Learn the same steps, the plain way."""
    import torch
    from transformers import get_cosine_schedule_with_warmup

    conversation = load_conversation(base)
    model = adapt(base, load_trainable(base, print), recipe)
    rows = sft_rows(conversation, examples, recipe.max_length)
    count = recipe.sft_steps * recipe.batch
    # Samples that are said to be of one length come in random order.
    lengths = [len(r["input_ids"]) if in_our_order else 1 for r in rows]
    order = sample_order(lengths, recipe.batch, count, recipe.seed)
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


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall and the CPU seconds of some work."""
    wall, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - worked


def main(base: str, steps: int, rounds: int) -> None:
    """Print both, what a step costs beyond the start, and how far their losses are apart."""
    examples, ways = samples(), {PLAIN: plain, "plain loop, our batches": ordered, "ours": ours}
    recipe = Recipe(sft_steps=steps, learning_rate=4e-3, patience=0)
    few = Recipe(sft_steps=2, learning_rate=4e-3, patience=0)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {}
    with quiet():
        for way in ways.values():
            way(base, few, examples)  # imports, and caches of the disk
        for _ in range(rounds):
            for name, way in ways.items():
                start, whole = way(base, few, examples), way(base, recipe, examples)
                more = steps - few.sft_steps
                found[name].append(
                    tuple((w - s) / more for w, s in zip(whole[:2], start[:2], strict=True))
                )
                losses[name] = whole[2]
    show(examples, found, losses, recipe)


def show(
    examples: Sequence[Example],
    found: dict[str, list[tuple[float, float]]],
    losses: dict[str, list[float]],
    recipe: Recipe,
) -> None:
    """Print the table."""
    title = f"{len(examples)} samples, {recipe.sft_steps} steps of {recipe.batch}"
    columns = ("way", "ms a step", "ratio", "CPU ms a step", "ratio", "loss, first", "last third")
    table = Table(*columns, title=title)
    wall, cpu = ({n: median(t[i] for t in times) for n, times in found.items()} for i in (0, 1))
    for name, curve in losses.items():
        table.add_row(
            name,
            f"{1000 * wall[name]:.0f}",
            f"{wall[PLAIN] / wall[name]:.2f}",
            f"{1000 * cpu[name]:.0f}",
            f"{cpu[PLAIN] / cpu[name]:.2f}",
            f"{curve[0]:.4f}",
            f"{fmean(curve[-(len(curve) // 3) :]):.4f}",
        )
    Console(width=110).print(table)
    same = losses["plain loop, our batches"], losses["ours"]
    apart = max(abs(a - b) for a, b in zip(*same, strict=True))
    Console().print(f"On the same batches, losses of the same step differ by {apart:.2g} at most.")
    if not math.isfinite(apart) or apart > 0.02:
        raise SystemExit("The losses are not equal, so the times say nothing.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--base", default="")
    given = parser.parse_args()
    tiny = given.base or base_model_folder("tiny", load_settings().cache_dir)
    main(tiny, given.steps, given.rounds)
