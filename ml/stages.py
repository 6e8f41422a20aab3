"""The two stages of a fine-tuning, with TRL and PEFT: learn the answers (SFT), then prefer them (DPO).

Loss on the answers only; every step goes to the run, some to the report, and a loss that is no
number ends the training. Checkpoints allow a killed stage to go on.
"""

import json
import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ml.conversation import Conversation, dpo_rows, load_conversation, sample_order, sft_rows
from ml.files import write_whole
from ml.generate import BASE_FILE, load_base
from ml.models import identity, learning_rate, lora_layers
from ml.tracking import Run
from ml.types import Example, Preference

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainerCallback

log = logging.getLogger(__name__)

Report = Callable[[str], None]
Clock = Callable[[], float]

# Parameters from which a model is trained one sequence at a time, and in 4 bits on a GPU.
LARGE = 50_000_000
# Checkpoints of one stage, and progress lines of one stage.
CHECKPOINTS, LINES = 4, 12


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is fine-tuned. `batch` are sequences, or pairs, of one optimiser step; lengths are tokens.

    A `learning_rate` of 0 takes the one that `models.yaml` gives for the base model; DPO uses a
    tenth of it.
    """

    sft_steps: int = 120
    dpo_steps: int = 30
    batch: int = 8
    dpo_batch: int = 4
    max_length: int = 384
    learning_rate: float = 0.0
    beta: float = 0.1
    lora_rank: int = 16
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Stage:
    """What both stages need: the base model, where to write, and whom to tell."""

    base: str
    recipe: Recipe
    folder: Path
    run: Run
    report: Report
    clock: Clock

    @property
    def rate(self) -> float:
        """Return the learning rate of SFT."""
        return self.recipe.learning_rate or learning_rate(self.base)

    @property
    def taught(self) -> Path:
        """Return where the adapter waits between SFT and DPO; DPO must find it as it was, however often it starts."""
        return self.checkpoints("sft") / "adapter"

    def checkpoints(self, name: str) -> Path:
        """Return where the checkpoints of SFT or DPO are."""
        return self.folder / "checkpoints" / name


def learn_answers(stage: Stage, examples: Sequence[Example]) -> dict[str, float]:
    """Teach the answers; the adapter waits for DPO."""
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    recipe, model = stage.recipe, _load(stage)
    conversation = load_conversation(stage.base)
    lora = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=2 * recipe.lora_rank,
        target_modules=lora_layers(stage.base, str(model.config.model_type)),
        task_type="CAUSAL_LM",
    )
    options = _options(stage, "sft", recipe.sft_steps, recipe.batch, stage.rate, model)
    rows = sft_rows(conversation, examples, recipe.max_length)
    lengths, count = [len(ids) for ids in rows["input_ids"]], recipe.sft_steps * recipe.batch
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            max_length=recipe.max_length, train_sampling_strategy="sequential", **options
        ),
        train_dataset=rows.select(sample_order(lengths, recipe.batch, count, recipe.seed)),
        processing_class=conversation.tokenizer,
        peft_config=lora,
    )
    return _run(stage, "sft", trainer, conversation, stage.taught)


def learn_preferences(stage: Stage, pairs: Sequence[Preference]) -> dict[str, float]:
    """Prefer the author's words to flat ones; goes on with the adapter that SFT wrote."""
    from peft import PeftModel
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    recipe, conversation = stage.recipe, load_conversation(stage.base)
    rows = dpo_rows(conversation, pairs, recipe.max_length)
    if not len(rows) or not recipe.dpo_steps:
        stage.report(f"no DPO: {len(rows)} of {len(pairs)} pairs fit, {recipe.dpo_steps} steps")
        shutil.copytree(stage.taught, stage.folder, dirs_exist_ok=True)
        return {}
    model = _load(stage)
    options = _options(stage, "dpo", recipe.dpo_steps, recipe.dpo_batch, stage.rate / 10, model)
    trainer = DPOTrainer(
        model=PeftModel.from_pretrained(model, str(stage.taught), is_trainable=True),
        args=DPOConfig(max_length=recipe.max_length, beta=recipe.beta, **options),
        train_dataset=rows,
        processing_class=conversation.tokenizer,
    )
    return _run(stage, "dpo", trainer, conversation, stage.folder)


def _run(
    stage: Stage, name: str, trainer: "Trainer", conversation: Conversation, target: Path
) -> dict[str, float]:
    """Train from the last checkpoint on, and write the adapter."""
    from transformers import PrinterCallback

    steps = stage.recipe.sft_steps if name == "sft" else stage.recipe.dpo_steps
    curve = _Curve(name, steps, stage)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(curve.callback())
    trainer.train(resume_from_checkpoint=last_checkpoint(stage.checkpoints(name)))
    _save(stage, trainer.model, conversation, target)
    return curve.summary(trainer.state.log_history)


def last_checkpoint(folder: Path) -> str | None:
    """Return the newest checkpoint that was written to its end: its state comes last."""
    found = []
    for state in folder.glob("checkpoint-*/trainer_state.json"):
        try:
            found.append((int(json.loads(state.read_text())["global_step"]), str(state.parent)))
        except ValueError:  # killed while writing; the one before is whole
            log.warning("checkpoint %s is not whole", state.parent)
    return max(found)[1] if found else None


def _load(stage: Stage) -> "PreTrainedModel":
    """Load the base model; a large one in 4 bits where a GPU and bitsandbytes are."""
    from importlib.util import find_spec

    import torch

    if not torch.cuda.is_available():
        return load_base(stage.base)
    if find_spec("bitsandbytes") is None:
        stage.report("bitsandbytes is not installed: LoRA on 16-bit weights instead of QLoRA")
        return load_base(stage.base)
    from transformers import BitsAndBytesConfig

    quantized = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return load_base(stage.base, quantization_config=quantized)


def _options(
    stage: Stage, name: str, steps: int, batch: int, rate: float, model: "PreTrainedModel"
) -> dict[str, Any]:
    """Return what both trainers are told; TRL's own defaults (bfloat16, recomputation) are for GPUs."""
    import torch

    gpu, large = torch.cuda.is_available(), model.num_parameters() > LARGE
    at_once = 1 if large else batch
    return {
        "output_dir": str(stage.checkpoints(name)),
        "max_steps": steps,
        "per_device_train_batch_size": at_once,
        "gradient_accumulation_steps": batch // at_once,
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(steps // 20, 1),
        "max_grad_norm": 1.0,
        "seed": stage.recipe.seed,
        "data_seed": stage.recipe.seed,
        "use_cpu": not gpu,
        "bf16": gpu,
        "gradient_checkpointing": gpu and large,
        "save_steps": max(steps // CHECKPOINTS, 1),
        "save_total_limit": 2,
        "logging_steps": 1,
        # The filter would show the last good loss in place of NaN.
        "logging_nan_inf_filter": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": gpu,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _save(stage: Stage, model: Any, conversation: Conversation, target: Path) -> None:
    """Write the adapter, its tokenizer, and on which base model it stands."""
    model.save_pretrained(str(target), selected_adapters=["default"])
    # PEFT's own model card says nothing but where the base model lies on this machine.
    (target / "README.md").unlink(missing_ok=True)
    conversation.tokenizer.save_pretrained(str(target))
    write_whole(target / BASE_FILE, identity(Path(stage.base)))


class _Curve:
    """Follows one stage: every step goes to the run, some to the report, and NaN ends the training."""

    def __init__(self, name: str, steps: int, stage: Stage) -> None:
        self.name, self.steps, self.stage = name, steps, stage
        self.started, self.first = stage.clock(), 0

    def callback(self) -> "TrainerCallback":
        """Make the hook that the trainer calls."""
        from transformers import TrainerCallback

        curve = self

        class Watch(TrainerCallback):
            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                curve.started, curve.first = curve.stage.clock(), int(state.global_step)

            def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
                if "loss" in given["logs"]:
                    curve.see(int(state.global_step), given["logs"])

        return Watch()

    def see(self, step: int, logs: Mapping[str, Any]) -> None:
        """Take one step's numbers."""
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The {self.name.upper()} loss of step {step} is {loss}: training diverged. Lower the learning rate "
                f"(it is {self.stage.rate:g}) or look at the samples."
            )
        numbers = {f"{self.name}/{k}": float(v) for k, v in logs.items() if k != "epoch"}
        offset = self.stage.recipe.sft_steps if self.name == "dpo" else 0
        self.stage.run.log(numbers, step + offset)
        if step % max(self.steps // LINES, 1) == 0 or step in (1, self.steps):
            spent = self.stage.clock() - self.started
            left = spent / max(step - self.first, 1) * (self.steps - step)
            self.stage.report(
                f"{self.name} step {step}/{self.steps} loss {loss:.3f} eta {left:.0f} s"
            )

    def summary(self, history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Sum up the whole curve, steps before a restart included."""
        rows = [h for h in history if "loss" in h]
        tenth = max(len(rows) // 10, 1)
        first, last = rows[:tenth], rows[-tenth:]
        summed = {
            f"{self.name}_loss_first": fmean(float(r["loss"]) for r in first),
            f"{self.name}_loss_last": fmean(float(r["loss"]) for r in last),
        }
        for name in ("rewards/accuracies", "rewards/margins"):
            if name in last[-1]:
                key = f"{self.name}_{name.split('/')[1]}"
                summed[key] = fmean(float(r[name]) for r in last)
        return summed
