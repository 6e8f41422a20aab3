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
from samples import Notebook, examples, preferences, spread, spread_pairs
from small_models import swap_tokens

from ml.checkpoints import last_checkpoint
from ml.fingerprint import FingerprintMismatch
from ml.generate import load_generator
from ml.models import learning_rate
from ml.splits import held_out
from ml.tiny import base_model_folder
from ml.train import Recipe, Step, train
from ml.types import Message

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
from test_train import RECIPE
from samples import Notebook, spread, spread_pairs
from ml.train import train
say = lambda line: print(line, flush=True)
train(sys.argv[1], spread(), spread_pairs(), RECIPE, Path(sys.argv[2]), Notebook(), say)
"""


def teach(
    base: Path,
    folder: Path,
    recipe: Recipe = RECIPE,
    report: Callable[[str], None] = lambda line: None,
    run: Notebook | None = None,
) -> dict[str, float]:
    given = run or Notebook()
    return train(str(base), spread(), spread_pairs(), recipe, folder, given, report)  # type: ignore[arg-type]


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
    held_out = [e.messages for e in spread() if e.split == "test"]
    before = fmean(load_generator(str(tiny_base), None).losses(held_out))
    after = fmean(load_generator(str(tiny_base), folder).losses(held_out))
    assert (before, after) == pytest.approx(
        (metrics["heldout_loss_before"], metrics["heldout_loss_after"]), abs=1e-4
    )


def test_training_documents_tell_when_to_end_and_what_is_in_the_test_changes_nothing(
    tiny_base: Path,
    trained: tuple[Path, dict[str, float]],
    notebook: Notebook,
    said: list[str],
    tmp_path: Path,
) -> None:
    run, weights = Notebook(), "adapter_model.safetensors"
    train(str(tiny_base), STRANGE, spread_pairs(), RECIPE, tmp_path / "m", run)  # type: ignore[arg-type]

    assert said[0] == "4 samples of 2 training documents are not taught: they tell when to end"
    assert run.steps and any("sft/heldout_loss" in v for _, v in run.steps)
    assert without_speed(run) == without_speed(notebook)
    assert (tmp_path / "m" / weights).read_bytes() == (trained[0] / weights).read_bytes()


def without_speed(run: Notebook) -> list[tuple[int, dict[str, float]]]:
    return [(s, {k: n for k, n in v.items() if "second" not in k}) for s, v in run.steps]


def test_where_no_document_can_be_spared_all_steps_are_made_unwatched(
    tiny_base: Path, tmp_path: Path
) -> None:
    run, said = Notebook(), list[str]()
    recipe = replace(RECIPE, sft_steps=4, dpo_steps=0)
    metrics = train(str(tiny_base), examples(), [], recipe, tmp_path / "m", run, said.append)  # type: ignore[arg-type]

    assert said[0].startswith("too few training documents to spare some")
    assert str(metrics["sft_ended"]).startswith("ran all 4 steps; nothing is held out of the")
    assert not any("sft/heldout_loss" in v for _, v in run.steps)


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
    assert wanted | {"base_model.txt", "base_tokenizer.txt", "training.json"} <= names
    assert not [n for n in names if n.endswith((".bin", ".pt", ".pkl", ".md")) or "/" in n]
    assert (folder / "adapter_model.safetensors").stat().st_size < 2_000_000


def test_every_step_is_in_the_run_and_the_report_says_how_long_it_takes(
    trained: tuple[Path, dict[str, float]], notebook: Notebook, said: list[str]
) -> None:
    _, metrics = trained
    steps = [s for s, _ in curve(notebook)]

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


def test_a_base_model_with_another_tokenizer_of_the_same_size_is_refused_on_load_and_in_training(
    tiny_base: Path, trained: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    base, older = tmp_path / "base", tmp_path / "older"
    shutil.copytree(tiny_base, base)
    swap_tokens(base)
    shutil.copytree(trained[0], older)
    (older / "base_tokenizer.txt").unlink()

    with pytest.raises(FingerprintMismatch, match="adapter m1 .*tokenizer in .* is another one"):
        load_generator(str(base), trained[0])
    with pytest.raises(FingerprintMismatch, match="pretrained base model .*is another one"):
        teach(base, tmp_path / "m")
    assert load_generator(str(tiny_base), older).count_tokens("the") > 0
    assert not (tmp_path / "m").exists()


def test_a_training_that_is_killed_twice_ends_where_an_unbroken_one_does(
    tiny_base: Path, trained: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder = tmp_path / "cut"
    kill_at("sft step 10/", tiny_base, folder)
    assert last_checkpoint(folder / "checkpoints" / "sft") is not None
    kill_at("dpo step 3/", tiny_base, folder)
    assert not (folder / "adapter_model.safetensors").exists()

    said: list[str] = []
    metrics = teach(tiny_base, folder, report=said.append)

    assert not any(line.startswith(("sft", "dpo step 1/")) for line in said)
    assert metrics == trained[1]
    ours, theirs = (f / "adapter_model.safetensors" for f in (folder, trained[0]))
    assert ours.read_bytes() == theirs.read_bytes()


def kill_at(beginning: str, base: Path, folder: Path) -> None:
    """Train in a process of its own, and kill it when it says a line that begins so."""
    command = [sys.executable, "-c", TRAINER, str(base), str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, env=_with_tests(), stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout is not None
        for line in trainer.stdout:
            if line.startswith(beginning):
                trainer.send_signal(signal.SIGKILL)
                break
    assert trainer.wait() == -signal.SIGKILL


# What is learned is of no use for what is held out, so that the training ends before its last step.
HASTY = replace(RECIPE, sft_steps=20, dpo_steps=4, learning_rate=0.08, patience=1)
STRANGE = [
    replace(e, messages=(*e.messages[:-1], Message("assistant", e.messages[-1].content[::-1])))
    if e.split == "test"
    else e
    for e in spread()
]


@pytest.fixture(scope="module")
def hasty(
    tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, float], Notebook]:
    """Train for a voice that is not the one that is held out, to an early end."""
    folder, run = tmp_path_factory.mktemp("hasty") / "m", Notebook()
    return folder, hasten(tiny_base, folder, run), run


def hasten(base: Path, folder: Path, run: Notebook, **changes: int) -> dict[str, float]:
    recipe = replace(HASTY, **changes)
    return train(str(base), STRANGE, preferences(), recipe, folder, run, watched=held_out(STRANGE))  # type: ignore[arg-type]


def test_a_rising_held_out_loss_ends_a_stage_early_and_the_best_adapter_is_kept(
    tiny_base: Path, hasty: tuple[Path, dict[str, float], Notebook], tmp_path: Path
) -> None:
    _, metrics, run = hasty
    looks = {s: v["sft/heldout_loss"] for s, v in run.steps if "sft/heldout_loss" in v}
    best = min(looks, key=lambda step: looks[step])

    assert metrics["sft_steps"] < HASTY.sft_steps and best < max(looks)
    assert str(metrics["sft_ended"]).startswith(
        f"stopped early at step {max(looks)} of 20: the held-out loss rose"
    )
    assert str(metrics["sft_ended"]).endswith(f"the adapter of step {best} is kept")
    alone = hasten(tiny_base, tmp_path / "m", Notebook(), dpo_steps=0)
    assert alone["heldout_loss_after"] == pytest.approx(looks[best], abs=0.02)
    assert looks[max(looks)] > looks[best] + 0.05


@pytest.mark.parametrize("step", [1, 8, 17, 18, 20])
def test_wherever_it_is_broken_off_it_ends_as_if_it_was_not(
    tiny_base: Path,
    tmp_path: Path,
    hasty: tuple[Path, dict[str, float], Notebook],
    step: int,
) -> None:
    whole, metrics, run = hasty
    seen = len(run.steps)

    class Broken(Notebook):
        def log(self, values: Mapping[str, float], step: int) -> None:
            super().log(values, step)
            if len(self.steps) == min(broken_at, seen - 1):
                raise KeyboardInterrupt

    broken_at, first, second = step, Broken(), Notebook()
    with pytest.raises(KeyboardInterrupt):
        hasten(tiny_base, tmp_path / "m", first)
    assert hasten(tiny_base, tmp_path / "m", second) == metrics

    losses = dict(curve(first)) | dict(curve(second))
    assert losses == dict(curve(run))
    weights = "adapter_model.safetensors"
    assert (tmp_path / "m" / weights).read_bytes() == (whole / weights).read_bytes()


def curve(run: Notebook) -> list[tuple[int, float]]:
    losses = [(s, v.get("sft/loss", v.get("dpo/loss"))) for s, v in run.steps]
    return [(s, loss) for s, loss in losses if loss is not None]


def test_who_watches_sees_every_step_and_may_end_the_training(
    tiny_base: Path, tmp_path: Path
) -> None:
    seen: list[Step] = []

    def watch(step: Step) -> None:
        seen.append(step)
        if step.heldout_loss is not None:
            raise InterruptedError("not worth it")

    with pytest.raises(InterruptedError, match="not worth it"):
        train(
            *(str(tiny_base), spread(), spread_pairs(), RECIPE, tmp_path / "m", Notebook()),
            watch=watch,
        )
    steps = [*range(1, 7), 6]  # the last one again, with what was looked up after it
    assert [(s.stage, s.step, s.steps) for s in seen] == [("sft", n, 24) for n in steps]
    assert seen[0].heldout_loss is None and seen[-1].heldout_loss is not None


def test_processes_that_cannot_share_a_step_evenly_are_refused(
    tiny_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="TWIN_TRAIN_WORKERS is 3.*4 samples and 2 pairs"):
        train(
            *(str(tiny_base), examples(), preferences(), RECIPE, tmp_path / "m", Notebook()),
            workers=3,
        )


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
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(OSError, match="'nobody/none'.*TWIN_BASE_MODEL"):
        base_model_folder("nobody/none", tmp_path)


def test_a_recipe_without_a_rate_takes_the_models_own(tiny_base: Path) -> None:
    from ml.stages import Stage

    stage = Stage(
        str(tiny_base), RECIPE, Path("x"), Notebook(), print, lambda step: None, lambda: 0.0
    )
    assert stage.rate == learning_rate("tiny")
    assert replace(stage, recipe=replace(RECIPE, learning_rate=0.5)).rate == 0.5


def _with_tests() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
