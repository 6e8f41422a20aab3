"""Fine-tune a base model on the author's samples: SFT, then DPO on the same LoRA adapter.

A killed training goes on at its last checkpoint and ends in the same state; a finished one is
returned as it is. What is written is an adapter with its tokenizer, safetensors only. The two
stages themselves are in `ml/stages.py`.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from ml.files import write_whole
from ml.generate import load_generator, quiet
from ml.models import check_fits, identity, this_machine
from ml.stages import Clock, Recipe, Report, Stage, learn_answers, learn_preferences
from ml.tracking import Run
from ml.types import Example, Message, Preference, digest

log = logging.getLogger(__name__)

__all__ = ["Recipe", "train"]


def train(
    base: str,
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    recipe: Recipe,
    folder: Path,
    run: Run,
    report: Report = log.info,
    *,
    clock: Clock = time.monotonic,
) -> dict[str, float]:
    """Fine-tune a base model folder; writes the adapter to `folder` and returns what was measured."""
    import datasets

    training = [e for e in examples if e.split == "train"]
    if not training:
        raise ValueError(
            f"None of the {len(examples)} examples is for training. Build the dataset again."
        )
    machine = this_machine()
    check_fits(base, machine.memory, gpu=machine.gpu)
    samples = (*(e.id for e in examples), *(p.id for p in preferences))
    mark = digest(identity(Path(base)), json.dumps(asdict(recipe), sort_keys=True), *samples)
    stage = Stage(base, recipe, folder, run, report, clock)
    tested = [e.messages for e in examples if e.split == "test"]
    pairs = [p for p in preferences if p.split == "train"]
    notes = _Notes(folder, mark)
    datasets.disable_progress_bars()
    with quiet():
        before = notes.once("before", lambda: _heldout(base, None, tested))
        sft = notes.once("sft", lambda: learn_answers(stage, training))
        dpo = notes.once("dpo", lambda: learn_preferences(stage, pairs))
        after = notes.once("after", lambda: _heldout(base, folder, tested))
    metrics = {**sft, **dpo}
    metrics |= {f"{k}_before": v for k, v in before.items()}
    metrics |= {f"{k}_after": v for k, v in after.items()}
    run.summary(metrics)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    report("trained: " + ", ".join(f"{k} {v:.3f}" for k, v in metrics.items()))
    return metrics


class _Notes:
    """Which stages of a training are done, and what they measured; kept in its folder.

    A folder that another recipe, base model or dataset left is emptied first.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._file, self._mark = folder / "training.json", mark
        left = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._done: dict[str, dict[str, float]] = left.get("done", {})
        if left.get("mark") != mark:
            self._done = {}
            shutil.rmtree(folder, ignore_errors=True)

    def once(self, stage: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Do a stage unless it is done; returns what it measured."""
        if stage not in self._done:
            self._done[stage] = measure()
            told = {"mark": self._mark, "done": self._done}
            write_whole(self._file, json.dumps(told, indent=1))
        return self._done[stage]


def _heldout(
    base: str, adapter: Path | None, tested: Sequence[tuple[Message, ...]]
) -> dict[str, float]:
    """Measure the mean loss on the held-out examples."""
    if not tested:
        return {}
    return {"heldout_loss": fmean(load_generator(base, adapter).losses(tested))}
