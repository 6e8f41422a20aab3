"""The two stages of a fine-tuning, with TRL and PEFT: learn the answers (SFT), then prefer them (DPO).

Here is decided what each stage learns from, in which order, and on which model; TRL's trainers do the
learning, with what `ml/guarded.py` adds to them.
"""

import gc
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ml.adapters import adapt, load_trainable, refuse_strange, width_of, write_adapter
from ml.checkpoints import last_checkpoint, read_state
from ml.conversation import Conversation, dpo_rows, load_conversation, sample_order, sft_rows
from ml.curve import Clock, Curve, Log, Report, Watch, sum_up
from ml.guarded import BEST, AnswersOnly, Guarded, guards, is_out_of_memory, looks_of, steps_of
from ml.models import learning_rate
from ml.packing import collate
from ml.recipe import Recipe
from ml.stopping import has_stalled, tell
from ml.team import ALONE, Team
from ml.types import Example, Preference

# Parameters from which a model is trained one sequence at a time, and in 4 bits on a GPU.
LARGE = 50_000_000
# Checkpoints of one stage, and looks at the held-out loss.
CHECKPOINTS, LOOKS = 4, 4
# Samples of the watching documents (ml/watched.py) that a training looks at on its way.
WATCHED = 24
# What transformers calls the schedules of a recipe; all of them warm up.
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
# What trainers are told whatever they train.
ALWAYS: dict[str, Any] = {
    "train_sampling_strategy": "sequential",
    "max_grad_norm": 1.0,
    "save_total_limit": 2,
    "prediction_loss_only": True,
    "logging_steps": 1,
    # The filter would show the last good loss in place of NaN.
    "logging_nan_inf_filter": False,
    "dataloader_num_workers": 0,
    "report_to": "none",
    "disable_tqdm": True,
}

Measured = dict[str, float | str]
Sample = TypeVar("Sample", Example, Preference)


@dataclass(frozen=True, slots=True)
class Stage:
    """What both stages need: the base model, where to write, whom to tell, and who trains along.

    `watched` are the documents that no stage is taught: their samples tell when to end.
    """

    base: str
    recipe: Recipe
    folder: Path
    run: Log
    report: Report
    watch: Watch
    clock: Clock
    team: Team = ALONE
    watched: frozenset[str] = frozenset()

    @property
    def rate(self) -> float:
        """Return the learning rate of SFT."""
        return self.recipe.learning_rate or learning_rate(self.base)

    @property
    def taught(self) -> Path:
        """Return where the adapter waits between SFT and DPO; DPO must find it as it was, however often it starts."""
        return self.checkpoints("sft") / "adapter"

    def part(self, samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
        """Part samples into those that are taught and those that are looked at on the way."""
        taught = [s for s in samples if s.split == "train"]
        return (
            [s for s in taught if s.span.document_id not in self.watched],
            [s for s in samples if s.span.document_id in self.watched],
        )

    def checkpoints(self, name: str) -> Path:
        """Return where the checkpoints of SFT or DPO are."""
        return self.folder / "checkpoints" / name

    def size(self, name: str) -> tuple[int, int]:
        """Return the steps of SFT or DPO, and the samples of a step."""
        if name == "sft":
            return self.recipe.sft_steps, self.recipe.batch
        return self.recipe.dpo_steps, self.recipe.dpo_batch


def learn_answers(stage: Stage, examples: Sequence[Example]) -> Measured:
    """Teach the answers; the adapter waits for DPO."""
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    class Answering(AnswersOnly, Guarded, SFTTrainer):
        """TRL's trainer, guarded, with logits for answers only."""

    recipe, conversation = stage.recipe, load_conversation(stage.base)

    def make(at_once: int) -> Any:
        model = adapt(stage.base, load_trainable(stage.base, recipe.weights, stage.report), recipe)
        width = width_of(model, recipe.max_length)
        taught, held = (sft_rows(conversation, part, width) for part in stage.part(examples))
        refuse_strange(stage.base, model, (*taught, *held))
        lengths = [len(row["input_ids"]) for row in taught]
        samples = _samples(stage, "sft", taught, lengths, held)
        options = _options(stage, "sft", model, at_once, watched=bool(held))
        return Answering(
            model=model,
            args=SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, **options),
            data_collator=partial(collate, width=width, pad=conversation.tokenizer.pad_token_id),
            processing_class=conversation.tokenizer,
            **samples,
        )

    return _run(stage, "sft", make, conversation, stage.taught)


def learn_preferences(stage: Stage, pairs: Sequence[Preference]) -> Measured:
    """Prefer the author's words to flat ones; goes on with the adapter that SFT wrote."""
    from peft import PeftModel
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    class Preferring(Guarded, DPOTrainer):
        """TRL's trainer, guarded."""

    recipe, conversation = stage.recipe, load_conversation(stage.base)
    taught, held = (dpo_rows(conversation, part, recipe.max_length) for part in stage.part(pairs))
    if not taught or not recipe.dpo_steps:
        return _leave_as_taught(stage, f"{len(taught)} pairs fit, {recipe.dpo_steps} steps")

    def make(at_once: int) -> Any:
        base = load_trainable(stage.base, recipe.weights, stage.report)
        model = PeftModel.from_pretrained(base, str(stage.taught), is_trainable=True)
        lengths = [len(r["chosen"][0]["content"] + r["rejected"][0]["content"]) for r in taught]
        options = _options(stage, "dpo", model, at_once, watched=bool(held))
        return Preferring(
            model=model,
            args=DPOConfig(max_length=recipe.max_length, beta=recipe.beta, **options),
            processing_class=conversation.tokenizer,
            **_samples(stage, "dpo", taught, lengths, held),
        )

    return _run(stage, "dpo", make, conversation, stage.folder)


def _samples(
    stage: Stage,
    name: str,
    taught: Sequence[Mapping[str, Any]],
    lengths: Sequence[int],
    held: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Put what is taught in the order in which every step sees it, and take some of what watches."""
    from datasets import Dataset

    steps, batch = stage.size(name)
    order = sample_order(lengths, batch, steps * batch, stage.recipe.seed)
    watched = list(held[:: -(-len(held) // WATCHED) or 1]) if stage.recipe.patience else []
    return {
        "train_dataset": Dataset.from_list(list(taught)).select(order),
        "eval_dataset": Dataset.from_list(watched) if watched else None,
    }


def _leave_as_taught(stage: Stage, why: str) -> Measured:
    """Make the adapter of SFT the result."""
    stage.report(f"no DPO: {why}")
    if not stage.team.index:
        shutil.copytree(stage.taught, stage.folder, dirs_exist_ok=True)
    stage.team.meet()
    return {}


def _run(
    stage: Stage, name: str, make: Callable[[int], Any], conversation: Conversation, target: Path
) -> Measured:
    """Train from the last checkpoint on, unless that was the end; write the best adapter, and sum up."""
    folder, (steps, batch) = stage.checkpoints(name), stage.size(name)
    kept = last_checkpoint(folder)
    if kept is None or not _is_over(kept, steps, stage.recipe.patience):
        _train(stage, name, make, kept, batch // stage.team.size)
        kept = last_checkpoint(folder)
    if kept is None:
        raise FileNotFoundError(
            f"{folder} lost its checkpoints while training ran. Start it again."
        )
    done, history = read_state(kept)
    how = tell(looks_of(history), done, steps)
    if not stage.team.index:
        best = folder / BEST
        chosen = best if best.exists() else kept
        write_adapter(stage.base, chosen, conversation, target)
        stage.report(f"{name} {how}")
    stage.team.meet()
    return {**sum_up(name, steps_of(history)), f"{name}_ended": how}


def _is_over(kept: Path, steps: int, patience: int) -> bool:
    """Tell whether a checkpoint is the last of its stage."""
    done, history = read_state(kept)
    return done >= steps or has_stalled(looks_of(history), patience)


def _train(
    stage: Stage, name: str, make: Callable[[int], Any], kept: Path | None, at_once: int
) -> None:
    """Let the trainer run; where memory is short, again with smaller parts of the same steps."""
    from transformers import PrinterCallback

    steps, offset = stage.size(name)[0], stage.recipe.sft_steps if name == "dpo" else 0
    curve = Curve(name, steps, offset, stage.run, stage.report, stage.watch, stage.clock)
    trainer = make(at_once)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(guards(trainer, curve, stage.recipe.patience))
    try:
        trainer.train(resume_from_checkpoint=str(kept) if kept else None)
        return
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    at_once = trainer.args.per_device_train_batch_size
    if at_once == 1:
        raise MemoryError(
            f"Not even one sample of the {name.upper()} stage fits into memory. Set TWIN_BASE_MODEL to a smaller "
            "model, or use a machine with more memory."
        )
    del trainer
    gc.collect()
    smaller = max(n for n in range(1, at_once) if at_once % n == 0)
    stage.report(f"out of memory: now {smaller} samples at a time, as many a step")
    _train(stage, name, make, last_checkpoint(stage.checkpoints(name)), smaller)


def _options(stage: Stage, name: str, model: Any, at_once: int, *, watched: bool) -> dict[str, Any]:
    """Return what both trainers are told; TRL's own defaults (bfloat16, recomputation) are for GPUs."""
    import torch

    recipe, (steps, batch) = stage.recipe, stage.size(name)
    gpu, large = torch.cuda.is_available(), int(model.num_parameters()) > LARGE
    at_once = 1 if large else at_once
    return ALWAYS | {
        "output_dir": str(stage.checkpoints(name)),
        "max_steps": steps,
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": batch // at_once // stage.team.size,
        "learning_rate": stage.rate if name == "sft" else stage.rate / 10,
        "lr_scheduler_type": SCHEDULES[recipe.schedule],
        "warmup_steps": max(int(recipe.warmup * steps), 1),
        "weight_decay": recipe.weight_decay,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "use_cpu": not gpu,
        "ddp_backend": None if gpu or stage.team.size == 1 else "gloo",
        "bf16": gpu,
        "gradient_checkpointing": gpu and large,
        "dataloader_pin_memory": gpu,
        "save_steps": max(steps // CHECKPOINTS, 1),
        "eval_strategy": "steps" if watched and recipe.patience else "no",
        "eval_steps": max(steps // LOOKS, 1),
        "per_device_eval_batch_size": 1 if large else WATCHED,
    }
