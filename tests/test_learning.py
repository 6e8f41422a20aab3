"""From a dataset to a model: every training once, and what cannot be trained on is a sentence."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from own_texts import own_artifacts
from samples import examples, preferences
from small_models import swap_tokens

from include import registry
from include.indexing import index_mark
from include.learning import (
    base_folder,
    give_up_dataset,
    next_dataset,
    train_model,
)
from include.settings import Settings
from ml.fingerprint import FingerprintMismatch, model_fingerprint
from ml.types import DatasetVersion


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


@pytest.fixture
def spoilable(trained: tuple[Settings, str], tiny_base: Path, tmp_path: Path) -> Settings:
    """Make a world with a champion, and a dataset for a base model of which a test may spoil the copy."""
    world, model_id = trained
    registry.move_champion(world, model_id)
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    own = world.model_copy(update={"base_model": str(base), "wandb_mode": "disabled"})
    mark = model_fingerprint(index_mark(own), own.base_model)
    version = DatasetVersion("d1", "", mark, datetime.now(UTC), {}, {"d1": "r1"}, {})
    registry.write_dataset(own, version, examples(), preferences(), "")
    return own


def forget_the_template(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = None
    (base / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(base)


def lose_the_tokenizer(base: Path) -> None:
    for file in base.glob("*token*"):
        file.unlink()


@contextmanager
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 100 kB, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("spoil", "changes", "full", "said"),
    [
        (forget_the_template, {}, False, "has no chat template.*instruct version"),
        (swap_tokens, {}, False, "The adapter .* The tokenizer in .* is another one"),
        (lose_the_tokenizer, {}, False, "tokenizer in .* cannot be read"),
        (Path.exists, {"sft_steps": 0}, False, "sft_steps of the recipe is 0"),
        (
            Path.exists,
            {"train_workers": 50},
            False,
            "TWIN_TRAIN_WORKERS is 50.*cannot be shared evenly",
        ),
        (Path.exists, {}, True, "No room on the disk of .*TWIN_DATA_DIR"),
    ],
)
def test_what_spoils_a_training_is_a_sentence_and_neither_registers_nor_unseats_a_model(
    spoilable: Settings,
    spoil: Callable[[Path], object],
    changes: dict[str, object],
    full: bool,
    said: str,
) -> None:
    before = registry.list_models(spoilable), registry.champion(spoilable)
    spoil(Path(spoilable.base_model))

    with pytest.raises((ValueError, OSError), match=said), small_disk() if full else nullcontext():
        train_model(spoilable.model_copy(update=changes), "d1")

    assert (registry.list_models(spoilable), registry.champion(spoilable)) == before
    assert before[1] is not None


@pytest.mark.parametrize(
    ("dataset_id", "recipe", "said"),
    [
        (
            "d1",
            "recipe: {learning_rate: 0}\n",
            "learning_rate of the recipe is 0.*nothing would be",
        ),
        ("empty", "", "None of the 0 examples is for training"),
    ],
)
def test_so_is_a_learning_rate_of_nothing_and_a_dataset_without_examples(
    spoilable: Settings, tmp_path: Path, dataset_id: str, recipe: str, said: str
) -> None:
    mark = registry.read_dataset(spoilable, "d1").fingerprint
    empty = DatasetVersion("empty", "", mark, datetime.now(UTC), {}, {}, {})
    registry.write_dataset(spoilable, empty, [], [], "")
    (tmp_path / "recipe.yaml").write_text(recipe)
    before = registry.list_models(spoilable), registry.champion(spoilable)
    named = str(tmp_path / "recipe.yaml") if recipe else ""

    with pytest.raises(ValueError, match=said):
        train_model(spoilable.model_copy(update={"recipe": named}), dataset_id)

    assert (registry.list_models(spoilable), registry.champion(spoilable)) == before


def test_a_base_model_that_is_nowhere_is_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises((OSError, ValueError), match="no/such-model.*TWIN_BASE_MODEL"):
        base_folder(settings.model_copy(update={"base_model": "no/such-model"}))
