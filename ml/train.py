"""Fine-tune a base model on the author's samples: SFT, then DPO on the same LoRA adapter.

A killed training goes on at its last checkpoint and ends in the same state; a finished one is
returned as it is. What is written is an adapter with its tokenizer, safetensors only. The two
stages themselves are in `ml/stages.py`, alone or in several processes (`ml/team.py`).
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from ml.conversation import load_conversation
from ml.curve import Clock, Report, Step, Watch
from ml.files import read_json, write_whole
from ml.fingerprint import check, tokenizer_fingerprint
from ml.generate import load_generator, quiet
from ml.models import check_fits, identity, this_machine
from ml.recipe import Recipe
from ml.stages import Measured, Stage, learn_answers, learn_preferences
from ml.team import Team, Tell, in_team
from ml.tracking import Run
from ml.types import Example, Message, Preference, digest
from ml.watched import choose_watched

log = logging.getLogger(__name__)

__all__ = ["Recipe", "Step", "train"]


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
    watch: Watch = lambda step: None,
    workers: int = 1,
    watched: frozenset[str] | None = None,
) -> Measured:
    """Fine-tune a base model folder; writes the adapter to `folder` and returns what was measured.

    `watch` is called after every step; what it raises ends the training, which can be gone on with.
    `watched` are documents that are looked at on the way, and not taught; chosen here if not given.
    """
    import datasets

    _check(base, examples, recipe, workers)
    if watched is None:
        watched = _watched(examples, recipe, report)
    samples = (*(e.id for e in examples), *(p.id for p in preferences), *sorted(watched))
    stands_on = identity(Path(base)), tokenizer_fingerprint(load_conversation(base))
    mark = digest(*stands_on, json.dumps(asdict(recipe), sort_keys=True), *samples)
    stage = Stage(base, recipe, folder, run, report, watch, clock, Team(0, workers), watched)
    tested = [e.messages for e in examples if e.split == "test"]
    notes = _Notes(folder, mark)
    datasets.disable_progress_bars()
    with quiet():
        sft = notes.once("sft", lambda: _learn(stage, learn_answers, examples))
        dpo = notes.once("dpo", lambda: _learn(stage, learn_preferences, preferences))
        before = notes.once("before", lambda: _heldout(base, None, tested))
        after = notes.once("after", lambda: _heldout(base, folder, tested))
    metrics = {**sft, **dpo}
    metrics |= {f"{k}_before": v for k, v in before.items()}
    metrics |= {f"{k}_after": v for k, v in after.items()}
    run.summary(metrics)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    numbers = [f"{k} {v:.3f}" for k, v in metrics.items() if isinstance(v, float)]
    report("trained: " + ", ".join(numbers))
    return metrics


def _check(base: str, examples: Sequence[Example], recipe: Recipe, workers: int) -> None:
    """Refuse, before anything is loaded, what cannot be trained."""
    if not any(e.split == "train" for e in examples):
        raise ValueError(
            f"None of the {len(examples)} examples is for training. Build the dataset again."
        )
    if recipe.batch % workers or recipe.dpo_batch % workers:
        raise ValueError(
            f"TWIN_TRAIN_WORKERS is {workers}, but the {recipe.batch} samples and {recipe.dpo_batch} pairs of a step "
            "cannot be shared evenly. Set it to a number that divides both."
        )
    if known := read_json(Path(base) / "manifest.json").get("tokenizer_fingerprint"):
        ours = tokenizer_fingerprint(load_conversation(base))
        remedy = (
            f"The tokenizer in {base} is another one: remove the folder, and `tiny` is made again."
        )
        check(ours, str(known), "The pretrained base model", remedy)
    machine = this_machine()
    check_fits(base, machine.memory, gpu=machine.gpu)


def _watched(examples: Sequence[Example], recipe: Recipe, report: Report) -> frozenset[str]:
    """Choose who tells when to end, and say who it is."""
    if not recipe.patience:
        return frozenset()
    watched = choose_watched(examples, recipe.seed)
    looked_at = sum(e.span.document_id in watched for e in examples)
    report(
        f"{looked_at} samples of {len(watched)} training documents are not taught: they tell when to end"
        if watched
        else "too few training documents to spare some that tell when to end: every step is made"
    )
    return watched


def _learn(
    stage: Stage, learn: Callable[[Stage, Sequence[Any]], Measured], samples: Sequence[Any]
) -> Measured:
    """Do a stage, here or in several processes."""
    size = stage.team.size
    if size == 1:
        return learn(stage, samples)
    heard: dict[str, Callable[..., None]] = {
        "log": stage.run.log,
        "say": stage.report,
        "watch": stage.watch,
    }
    given = (learn, stage.base, stage.recipe, stage.folder, samples, stage.watched)
    return in_team(size, _learn_along, given, lambda what, values: heard[what](*values))


def _learn_along(
    team: Team,
    tell: Tell,
    learn: Callable[[Stage, Sequence[Any]], Measured],
    base: str,
    recipe: Recipe,
    folder: Path,
    samples: Sequence[Any],
    watched: frozenset[str],
) -> Measured:
    """Do a stage as one of several processes; the first one tells the others' parent."""

    def say(line: str) -> None:
        tell("say", (line,))

    def watch(step: Step) -> None:
        tell("watch", (step,))

    stage = Stage(base, recipe, folder, _Told(tell), say, watch, time.monotonic, team, watched)
    with quiet():
        return learn(stage, samples)


class _Told:
    """A run that is kept by another process."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Pass one step on."""
        self._tell("log", (dict(values), step))


class _Notes:
    """Which stages of a training are done, and what they measured; kept in its folder.

    A folder that another recipe, base model or dataset left is emptied first.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._file, self._mark = folder / "training.json", mark
        left = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._done: dict[str, Measured] = left.get("done", {})
        if left.get("mark") != mark:
            self._done = {}
            shutil.rmtree(folder, ignore_errors=True)

    def once(self, stage: str, measure: Callable[[], Measured]) -> Measured:
        """Do a stage unless it is done; returns what it measured."""
        if stage not in self._done:
            self._done[stage] = measure()
            told = {"mark": self._mark, "done": self._done}
            write_whole(self._file, json.dumps(told, indent=1))
        return self._done[stage]


def _heldout(base: str, adapter: Path | None, tested: Sequence[tuple[Message, ...]]) -> Measured:
    """Measure the mean loss on the held-out examples."""
    if not tested:
        return {}
    return {"heldout_loss": fmean(load_generator(base, adapter).losses(tested))}
