"""Fine-tuning for real, on a model that is small enough: it learns, survives kills, and leaves an adapter."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from samples import examples, preferences

from ml.generate import load_generator
from ml.models import learning_rate
from ml.stages import last_checkpoint
from ml.tiny import base_model_folder
from ml.train import Recipe, train

RECIPE = Recipe(
    sft_steps=24,
    dpo_steps=6,
    batch=4,
    dpo_batch=2,
    max_length=128,
    lora_rank=8,
)
ROOT = Path(__file__).resolve().parent.parent
# Another process that trains the same; says each step on its own line.
TRAINER = """
import sys
from pathlib import Path
from test_train import RECIPE, Notebook
from samples import examples, preferences
from ml.train import train
say = lambda line: print(line, flush=True)
train(sys.argv[1], examples(), preferences(), RECIPE, Path(sys.argv[2]), Notebook(), say)
"""


class Notebook:
    """A run that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.summed: dict[str, object] = {}

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.steps.append((step, values))

    def summary(self, values: Mapping[str, object]) -> None:
        self.summed |= values


def teach(
    base: Path,
    folder: Path,
    recipe: Recipe = RECIPE,
    report: Callable[[str], None] = lambda line: None,
    run: Notebook | None = None,
) -> dict[str, float]:
    given = run or Notebook()
    return train(str(base), examples(), preferences(), recipe, folder, given, report)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def trained(
    tiny_base: Path,
    tmp_path_factory: pytest.TempPathFactory,
    notebook: Notebook,
    said: list[str],
) -> tuple[Path, dict[str, float]]:
    """Train once for the tests that only look."""
    folder = tmp_path_factory.mktemp("models") / "m1"
    return folder, teach(tiny_base, folder, report=said.append, run=notebook)


def test_the_voice_is_learned_and_held_out_answers_become_likelier(
    tiny_base: Path, trained: tuple[Path, dict[str, float]]
) -> None:
    folder, metrics = trained

    assert metrics["sft_loss_last"] < metrics["sft_loss_first"] - 0.5
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.5
    held_out = [e.messages for e in examples() if e.split == "test"]
    before = fmean(load_generator(str(tiny_base), None).losses(held_out))
    after = fmean(load_generator(str(tiny_base), folder).losses(held_out))
    assert (before, after) == pytest.approx(
        (metrics["heldout_loss_before"], metrics["heldout_loss_after"]), abs=1e-4
    )


def test_the_voice_is_preferred(trained: tuple[Path, dict[str, float]]) -> None:
    _, metrics = trained

    assert metrics["dpo_margins"] > 0
    assert metrics["dpo_accuracies"] > 0.5
    assert metrics["dpo_loss_last"] < metrics["dpo_loss_first"]


def test_an_adapter_with_its_tokenizer_is_left_and_nothing_else(
    trained: tuple[Path, dict[str, float]],
) -> None:
    folder, _ = trained
    names = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}

    wanted = {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"}
    assert wanted | {"base_model.txt", "training.json"} <= names
    assert not [n for n in names if n.endswith((".bin", ".pt", ".pkl", ".md")) or "/" in n]
    assert (folder / "adapter_model.safetensors").stat().st_size < 2_000_000


def test_every_step_is_in_the_run_and_the_report_says_how_long_it_takes(
    trained: tuple[Path, dict[str, float]], notebook: Notebook, said: list[str]
) -> None:
    _, metrics = trained
    steps = [s for s, values in notebook.steps if {"sft/loss", "dpo/loss"} & values.keys()]

    assert steps == list(range(1, RECIPE.sft_steps + RECIPE.dpo_steps + 1))
    assert notebook.summed == metrics
    assert any(line.startswith("sft step 24/24 loss") for line in said)
    assert any("dpo step 1/6" in line and "eta" in line for line in said)


def test_a_finished_training_is_returned_as_it_is(
    tiny_base: Path, trained: tuple[Path, dict[str, float]]
) -> None:
    folder, metrics = trained
    before = (folder / "adapter_model.safetensors").stat().st_mtime_ns

    assert teach(tiny_base, folder) == metrics
    assert (folder / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_an_adapter_of_another_base_model_is_refused(
    tiny_base: Path, trained: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, _ = trained
    other = tmp_path / "other"
    shutil.copytree(tiny_base, other)
    changed = bytearray((other / "model.safetensors").read_bytes())
    changed[-1] ^= 1
    (other / "model.safetensors").write_bytes(changed)

    with pytest.raises(ValueError, match="another state of the base model"):
        load_generator(str(other), folder)


def test_a_killed_training_goes_on_and_ends_where_an_unbroken_one_does(
    tiny_base: Path, trained: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder = tmp_path / "cut"
    command = [sys.executable, "-c", TRAINER, str(tiny_base), str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, env=_with_tests(), stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        for line in trainer.stdout:
            if line.startswith("sft step 10/"):
                trainer.send_signal(signal.SIGKILL)
                break
    assert trainer.wait() == -signal.SIGKILL
    assert last_checkpoint(folder / "checkpoints" / "sft") is not None
    assert not (folder / "adapter_model.safetensors").exists()

    said: list[str] = []
    metrics = teach(tiny_base, folder, report=said.append)

    assert not any(line.startswith("sft step 1/") for line in said)
    assert metrics == pytest.approx(trained[1], abs=1e-6)
    ours, theirs = (f / "adapter_model.safetensors" for f in (folder, trained[0]))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_kill_between_the_stages_does_not_repeat_the_first(
    tiny_base: Path, trained: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder = tmp_path / "cut"

    def dies(line: str) -> None:
        if line.startswith("dpo step 3/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(tiny_base, folder, report=dies)
    said: list[str] = []
    metrics = teach(tiny_base, folder, report=said.append)

    assert not any(line.startswith(("sft", "dpo step 1/")) for line in said)
    assert metrics == pytest.approx(trained[1], abs=1e-6)


def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, state in ((4, '{"global_step": 4}'), (8, '{"global'), (12, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state:
            (folder / "trainer_state.json").write_text(state)

    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-4")
    assert last_checkpoint(tmp_path / "none") is None


def test_a_loss_that_is_no_number_ends_the_training(tiny_base: Path, tmp_path: Path) -> None:
    wild = replace(RECIPE, learning_rate=1e30)

    with pytest.raises(FloatingPointError, match="training diverged. Lower the learning rate"):
        teach(tiny_base, tmp_path / "m", wild)
    assert not (tmp_path / "m" / "adapter_model.safetensors").exists()


def test_what_another_recipe_left_is_not_gone_on_with(tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "stale.txt").write_text("old")
    (folder / "training.json").write_text(json.dumps({"mark": "other", "done": {"sft": {}}}))

    metrics = teach(tiny_base, folder, replace(RECIPE, sft_steps=2, dpo_steps=0))
    assert not (folder / "stale.txt").exists()
    assert "sft_loss_last" in metrics and "dpo_loss_last" not in metrics
    assert (folder / "adapter_model.safetensors").exists()


def test_nothing_to_train_on_is_said_so(tiny_base: Path, tmp_path: Path) -> None:
    held_out = [e for e in examples() if e.split == "test"]

    with pytest.raises(ValueError, match="None of the 4 examples is for training"):
        train(str(tiny_base), held_out, [], RECIPE, tmp_path / "m", Notebook())  # type: ignore[arg-type]


def test_an_unknown_base_model_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(OSError, match="'nobody/none'.*TWIN_BASE_MODEL"):
        base_model_folder("nobody/none", tmp_path)


def test_a_recipe_without_a_rate_takes_the_models_own(tiny_base: Path) -> None:
    from ml.stages import Stage

    stage = Stage(str(tiny_base), RECIPE, Path("x"), Notebook(), print, lambda: 0.0)  # type: ignore[arg-type]
    assert stage.rate == learning_rate("tiny")
    assert replace(stage, recipe=replace(RECIPE, learning_rate=0.5)).rate == 0.5


def _with_tests() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
