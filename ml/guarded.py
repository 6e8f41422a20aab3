"""What TRL's trainers lack: a spike is left out, a full disk is said so, and the held-out loss ends a stage early.

What is decided on the way follows from what the trainer logged, which its checkpoints keep. So a
training that was killed anywhere ends as an unbroken one.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ml.checkpoints import room_on_disk, vouch
from ml.curve import Curve
from ml.packing import UNLEARNED, answer_loss
from ml.stopping import Look, best_look, has_stalled

if TYPE_CHECKING:
    from transformers import TrainerCallback

# A loss beyond twice the median of the last ones, and one, is a spike; its step is left out, but not so many in a row.
WINDOW, KNOWN, MOST_SKIPPED = 20, 5, 3

# Where the best adapter so far waits, beside the checkpoints.
BEST = "best"

Logs = Mapping[str, Any]


class Guarded:
    """Stands before one of TRL's trainers in a class."""

    # The losses of the parts of the step that is being made; whether the last step was left out; tokens so far.
    losses: tuple[Any, ...] = ()
    skipped = 0.0
    tokens = 0

    def training_step(self, model: Any, inputs: dict[str, Any], *rest: Any) -> Any:
        """Do a part of a step, and note its loss."""
        loss = super().training_step(model, inputs, *rest)  # type: ignore[misc]
        self.losses = (*self.losses, loss)
        self.tokens += int(inputs["input_ids"].ne(self._pad()).sum()) * self._size()
        return loss

    def log(self, logs: dict[str, float], *rest: Any) -> None:
        """Keep with each step whether it was left out."""
        if "loss" in logs:
            logs["skipped"] = self.skipped
        super().log(logs, *rest)  # type: ignore[misc]

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: it would say nothing but where the base model lies on this machine."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Vouch for each checkpoint when all of it is written."""
        folder = Path(self.args.output_dir)  # type: ignore[attr-defined]
        with room_on_disk(folder):
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
        self.accelerator.wait_for_everyone()  # type: ignore[attr-defined]
        if self.args.should_save:  # type: ignore[attr-defined]
            vouch(folder / f"checkpoint-{self.state.global_step}")  # type: ignore[attr-defined]

    def step_loss(self) -> float:
        """Return the loss of the step that is about to be made, over all processes, and forget its parts."""
        loss, self.losses = sum(self.losses), ()
        return float(self.accelerator.reduce(loss, "mean"))  # type: ignore[attr-defined]

    def _pad(self) -> int:
        return int(self.processing_class.pad_token_id)  # type: ignore[attr-defined]

    def _size(self) -> int:
        return int(self.accelerator.num_processes)  # type: ignore[attr-defined]


class AnswersOnly:
    """Stands before TRL's trainer of answers, whose own loss makes the logits twice: twice as long on a CPU."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the mean loss of the answers' tokens, of those of the whole step where their number is told."""
        if return_outputs:
            raise NotImplementedError("Only losses are looked at: keep prediction_loss_only.")
        head = self.model.get_output_embeddings()  # type: ignore[attr-defined]
        loss = answer_loss(model, head, inputs)
        if num_items_in_batch is None:
            return loss / inputs["labels"][:, 1:].ne(UNLEARNED).sum()
        # The gradients of all processes are averaged, but the number is of all of them.
        return loss / num_items_in_batch * self.accelerator.num_processes  # type: ignore[attr-defined]


class Hooks:
    """Stands before the callback of transformers: guards the steps of a trainer, and looks at what is held out."""

    def __init__(self, trainer: Any, curve: Curve, patience: int) -> None:
        self._trainer, self._curve, self._patience = trainer, curve, patience

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin to count."""
        self._curve.begin(int(state.global_step))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Leave a spike out: without gradients the optimiser does nothing."""
        norms = [p.grad.norm() for p in given["model"].parameters() if p.grad is not None]
        norm, loss = float(sum(n**2 for n in norms)) ** 0.5, self._trainer.step_loss()
        self._trainer.skipped = float(is_spike(loss, norm, steps_of(state.log_history)))
        if self._trainer.skipped:
            given["model"].zero_grad(set_to_none=True)
            self._curve.leave_out(int(state.global_step) + 1, loss)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look, and write a checkpoint, after the last step whatever its number."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = args.eval_strategy != "no"
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Pass numbers on."""
        refuse_divergence(self._curve.name, state.log_history, args.learning_rate)
        step, logs = int(state.global_step), given["logs"]
        if "loss" in logs:
            self._curve.see(step, logs, self._trainer.tokens)
        elif "eval_loss" in logs:
            self._curve.look(step, float(logs["eval_loss"]))

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the adapter if it is the best so far, and end when none has been for long."""
        looks = looks_of(state.log_history)
        if best_look(looks) == looks[-1] and args.should_save:
            best = Path(args.output_dir) / BEST
            with room_on_disk(best.parent):
                self._trainer.model.save_pretrained(str(best), selected_adapters=["default"])
        if has_stalled(looks, self._patience):
            control.should_training_stop = control.should_save = True


def guards(trainer: Any, curve: Curve, patience: int) -> "TrainerCallback":
    """Make the hooks that a trainer calls."""
    from transformers import TrainerCallback

    class Guards(Hooks, TrainerCallback):
        """Ours where there is one, else what does nothing."""

    return Guards(trainer, curve, patience)


def steps_of(history: Sequence[Logs]) -> list[Logs]:
    """Pick what was logged of steps."""
    return [h for h in history if "loss" in h]


def looks_of(history: Sequence[Logs]) -> list[Look]:
    """Pick the looks at the held-out loss."""
    return [Look(int(h["step"]), float(h["eval_loss"])) for h in history if "eval_loss" in h]


def is_spike(loss: float, norm: float, history: Sequence[Logs]) -> bool:
    """Tell whether a step should not be made: its loss or gradient is no number, or far from the last ones."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        return True
    past = [h["loss"] for h in history if not h["skipped"]][-WINDOW:]
    return len(past) >= KNOWN and loss > 2 * median(past) + 1


def refuse_divergence(stage: str, history: Sequence[Logs], rate: float) -> None:
    """End a training of which one step after the other had to be left out."""
    last = steps_of(history)[-MOST_SKIPPED:]
    if len(last) == MOST_SKIPPED and all(h["skipped"] for h in last):
        losses = ", ".join(f"{h['loss']:.3g}" for h in last)
        raise FloatingPointError(
            f"The {stage.upper()} losses of the last steps, up to step {last[-1]['step']}, are {losses}: "
            f"training diverged. Lower the learning rate (it is {rate:g}) or look at the samples."
        )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether it was memory that was missing, on a GPU or a CPU."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
