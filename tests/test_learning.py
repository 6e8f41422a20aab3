"""From a dataset to a model: every training once, and what cannot be trained on is a sentence."""

import shutil
from pathlib import Path

import pytest
import yaml
from own_texts import own_artifacts

from include import registry
from include.learning import (
    base_folder,
    give_up_dataset,
    next_dataset,
    train_model,
)
from include.settings import Settings
from ml.fingerprint import FingerprintMismatch


@pytest.fixture
def trained(served: tuple[Settings, str], tmp_path: Path) -> tuple[Settings, str]:
    """Copy the session's trained world, so that what is noted here is noted nowhere else."""
    world, model_id = served
    return own_artifacts(world, model_id, tmp_path / "artifacts"), model_id


def test_training_twice_returns_the_same_model(trained: tuple[Settings, str]) -> None:
    world, model_id = trained
    version = registry.read_model(world, model_id)

    assert train_model(world, version.dataset_id) == {"model_id": model_id, "created": False}

    assert registry.list_models(world) == [model_id] and next_dataset(world) is None
    assert (version.feature_service, version.parent) == ("twin_v2", "")
    assert version.recipe["sft_steps"] == 3
    assert version.metrics["heldout_loss_after"] < version.metrics["heldout_loss_before"]


def test_another_recipe_is_a_reason_to_train_on_the_same_dataset(
    taught: tuple[Settings, str], tmp_path: Path
) -> None:
    world, model_id = taught
    (tmp_path / "mine.yaml").write_text("recipe: {lora_rank: 2}\n")
    usual = dict(registry.read_model(world, model_id).recipe)
    (tmp_path / "usual.yaml").write_text(yaml.safe_dump({"recipe": usual}))

    def asked(recipe: str) -> str | None:
        return next_dataset(world.model_copy(update={"recipe": recipe}))

    assert asked("") is None and asked(str(tmp_path / "usual.yaml")) is None
    assert asked(str(tmp_path / "mine.yaml")) == "d0"


def test_a_dataset_that_was_given_up_is_not_started_again_by_itself(
    trained: tuple[Settings, str],
) -> None:
    world, model_id = trained
    dataset_id = registry.read_model(world, model_id).dataset_id
    shutil.rmtree(registry.model_folder(world, model_id))
    assert next_dataset(world) == dataset_id

    with pytest.raises(RuntimeError, match=f"Dataset {dataset_id} is given up.*Clear that task"):
        give_up_dataset(world, dataset_id)

    assert next_dataset(world) is None
    assert registry.attempts(world) == {dataset_id: "training or evaluation failed"}


def test_what_cannot_be_trained_on_is_a_sentence(trained: tuple[Settings, str]) -> None:
    world, model_id = trained
    dataset_id = registry.read_model(world, model_id).dataset_id

    with pytest.raises(LookupError, match="There is no finished dataset 'none'"):
        train_model(world, "none")
    with pytest.raises(FingerprintMismatch, match=f"Dataset {dataset_id}.*Run build_dataset again"):
        train_model(world.model_copy(update={"chunk_tokens": 90}), dataset_id)


def test_a_base_model_that_is_nowhere_is_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises((OSError, ValueError), match="no/such-model.*TWIN_BASE_MODEL"):
        base_folder(settings.model_copy(update={"base_model": "no/such-model"}))
