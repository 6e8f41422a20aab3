"""What is added to trainers: a spike is left out, memory that is short is met with smaller parts of the same steps."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml.conversation import load_conversation
from ml.guarded import Guarded, is_out_of_memory, is_spike, looks_of, refuse_divergence, steps_of
from ml.recipe import Recipe
from ml.stages import ALWAYS, Stage, _train
from ml.stopping import Look
from ml.team import ALONE

STEPS, BATCH = 12, 4
POINTS = [10, 20, 30, 60]
Hinder = Callable[[int, int], float]


class Nothing:
    """A run that keeps nothing."""

    def log(self, values: object, step: int) -> None:
        assert values


def run(
    base: Path, folder: Path, hinder: Hinder = lambda call, rows: 1.0
) -> tuple[list[dict[str, float]], float, list[str]]:
    """Let a real, guarded trainer bring one number near to some points; `hinder` says by what a loss is multiplied.

    Returns what was logged of every step, the number, and what was said.
    """
    import torch
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments

    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = torch.nn.Parameter(torch.zeros(1))

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor
        ) -> dict[str, torch.Tensor]:
            calls.append(len(input_ids))
            loss = ((self.place - input_ids / 10) ** 2).mean()
            return {"loss": loss * hinder(len(calls), len(input_ids))}

    class Plain(Guarded, Trainer):
        """The trainer that TRL's are made of."""

    calls: list[int] = []
    said: list[str] = []
    made: list[Any] = []
    recipe = Recipe(sft_steps=STEPS, batch=BATCH)
    stage = Stage(
        str(base), recipe, folder, Nothing(), said.append, lambda step: None, lambda: 0.0, ALONE
    )

    def make(at_once: int) -> Any:
        options = ALWAYS | {"output_dir": str(stage.checkpoints("sft")), "max_steps": STEPS}
        arguments = TrainingArguments(
            **options,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=BATCH // at_once,
            learning_rate=0.5,
            lr_scheduler_type="constant",
            save_steps=4,
            use_cpu=True,
        )
        trainer = Plain(
            model=Line(),
            args=arguments,
            train_dataset=Dataset.from_list([{"input_ids": [p]} for p in POINTS * STEPS]),
            processing_class=load_conversation(base).tokenizer,
        )
        made.append(trainer)
        return trainer

    _train(stage, "sft", make, None, BATCH)
    trainer = made[-1]
    return steps_of(trainer.state.log_history), float(trainer.model.place.detach()), said


@pytest.fixture(scope="module")
def whole(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Train without a hindrance."""
    return run(tiny_base, tmp_path_factory.mktemp("whole"))


def losses(steps: list[dict[str, float]]) -> list[float]:
    return [s["loss"] for s in steps]


def test_an_unhindered_training_descends_and_leaves_no_step_out(whole: Any) -> None:
    steps, place, _ = whole

    assert losses(steps)[0] == pytest.approx(12.5) and losses(steps)[-1] < 5
    assert 2 < place < 4
    assert {s["skipped"] for s in steps} == {0.0}


def test_a_step_whose_loss_spikes_is_left_out_and_told(tiny_base: Path, tmp_path: Path) -> None:
    steps, _, said = run(tiny_base, tmp_path, lambda call, rows: 100.0 if call == 8 else 1.0)

    assert [s["skipped"] for s in steps] == [0.0] * 7 + [1.0] + [0.0] * 4
    assert any(line.startswith("sft step 8 is left out: its loss is ") for line in said)
    # Nothing was learned from it: the same samples cost the same.
    assert losses(steps)[8] == pytest.approx(losses(steps)[7] / 100, rel=1e-3)


def test_one_loss_that_is_no_number_is_survived_and_three_in_a_row_end_the_training(
    tiny_base: Path, tmp_path: Path
) -> None:
    _, place, _ = run(tiny_base, tmp_path / "a", lambda call, rows: math.nan if call == 3 else 1.0)
    assert math.isfinite(place) and place > 2

    with pytest.raises(FloatingPointError, match="up to step 6, are nan, nan, nan: training div"):
        run(tiny_base, tmp_path / "b", lambda call, rows: math.nan if call > 3 else 1.0)


def test_memory_that_is_short_is_met_with_smaller_parts_and_the_same_steps(
    tiny_base: Path, tmp_path: Path, whole: Any
) -> None:
    import torch

    def short(call: int, rows: int) -> float:
        if rows > 1 and call > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 1.0

    steps, place, said = run(tiny_base, tmp_path, short)

    assert losses(steps) == pytest.approx(losses(whole[0])) and place == pytest.approx(whole[1])
    assert [line for line in said if "out of memory" in line] == [
        "out of memory: now 2 samples at a time, as many a step",
        "out of memory: now 1 samples at a time, as many a step",
    ]


def test_a_sample_that_never_fits_is_said_so_and_another_error_is_left_alone(
    tiny_base: Path, tmp_path: Path
) -> None:
    def raising(message: str) -> Hinder:
        def hinder(call: int, rows: int) -> float:
            raise RuntimeError(message)

        return hinder

    with pytest.raises(MemoryError, match="Not even one sample of the SFT stage.*TWIN_BASE_MODEL"):
        run(tiny_base, tmp_path / "a", raising("can't allocate memory: you tried"))
    with pytest.raises(RuntimeError, match="^shapes differ$"):
        run(tiny_base, tmp_path / "b", raising("shapes differ"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


@pytest.mark.parametrize(
    ("loss", "norm", "known", "spike"),
    [
        (math.nan, 1.0, 0, True),
        (1.0, math.inf, 0, True),
        (99.0, 1.0, 4, False),
        (99.0, 1.0, 5, True),
        (5.0, 1.0, 20, False),
        (5.1, 1.0, 20, True),
    ],
)
def test_a_spike_is_far_from_the_last_losses(
    loss: float, norm: float, known: int, spike: bool
) -> None:
    history = [{"loss": 2.0, "skipped": 0.0}] * known + [{"loss": 900.0, "skipped": 1.0}] * 9

    assert is_spike(loss, norm, history) is spike


def test_steps_and_looks_are_read_out_of_what_was_logged() -> None:
    step = {"loss": 2.0, "step": 1, "skipped": 1.0}
    history = [step, {"eval_loss": 2.5, "step": 1}, {"train_runtime": 3.0, "step": 1}]

    assert (steps_of(history), looks_of(history)) == ([step], [Look(1, 2.5)])
    refuse_divergence("sft", [step, step], 0.1)
    with pytest.raises(FloatingPointError, match="DPO losses .* are 2, 2, 2: .*it is 0.1"):
        refuse_divergence("dpo", [step] * 3, 0.1)
