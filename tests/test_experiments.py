"""Experiments: a training says what it used and what it made, and its curves are W&B's and the model's alike."""

from pathlib import Path

from test_tracking import items, read_back

from include import experiments, registry
from include.settings import Settings
from ml.tracking import CURVE, read_curve


def test_a_training_uses_a_dataset_makes_a_model_and_says_by_which_recipe(
    taught: tuple[Settings, str],
) -> None:
    world, model_id = taught
    records = read_back(world.data_dir / "wandb")

    linked = [r["value"] for r in records if r["kind"] == "artifact"]
    assert [(a.name, a.type, a.use_after_commit) for a in linked] == [
        ("dataset-d0", "dataset", True),
        (f"model-{model_id}", "model", False),
    ]
    config: dict[str, object] = {}
    for record in records:
        if record["kind"] in ("run", "config"):
            given = record["value"].config if record["kind"] == "run" else record["value"]
            config |= items(given.update)
    assert (config["sft_steps"], config["lora_rank"], config["author"]) == (4, 16, "maren-oduya")


def test_the_curves_of_a_run_are_kept_with_the_model(taught: tuple[Settings, str]) -> None:
    world, model_id = taught
    curve = read_curve(registry.model_files(world, model_id) / CURVE)
    records = read_back(world.data_dir / "wandb")
    shown = [items(r["value"].item) for r in records if r["kind"] == "history"]

    assert [line["step"] for line in curve] == [1, 2, 3, 4, 5]
    for name in ("sft/loss", "sft/grad_norm", "dpo/loss"):
        kept = [line[name] for line in curve if name in line]
        assert kept == [s[name] for s in shown if name in s] and kept


def test_an_artifact_is_named_after_its_sort_and_id(tmp_path: Path) -> None:
    world = Settings(data_dir=tmp_path)

    assert experiments.dataset_artifact(world, "d1") == (
        *("dataset-d1", "dataset", tmp_path / "artifacts" / "datasets" / "d1"),
    )
    assert experiments.model_artifact(world, "m1")[:2] == ("model-m1", "model")
