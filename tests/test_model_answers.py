"""Models answer some of the author's prompts, once each; what they said is rejected by pairs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_texts import own_artifacts

from include import registry
from include.datasets import build_dataset
from include.model_answers import answer_prompts, answers_folder, kept_answers
from include.settings import Settings
from ml.files import read_json, write_json

SAID = "I would rather not say anything about that, because it is hard to say. "


@pytest.fixture
def world(served: tuple[Settings, str], tmp_path: Path) -> Iterator[Settings]:
    """Copy the session's trained world; what models said in it is taken away again."""
    shared, model_id = served
    made = own_artifacts(shared, model_id, tmp_path / "artifacts")
    yield made.model_copy(update={"dataset_negatives": 4})
    shutil.rmtree(answers_folder(made), ignore_errors=True)


def test_champion_and_base_share_the_prompts_and_pairs_reject_what_they_said(
    world: Settings, served: tuple[Settings, str]
) -> None:
    (before,) = registry.list_datasets(world)
    assert not build_dataset(world)["created"]
    registry.move_champion(world, served[1])

    first, again = answer_prompts(world), answer_prompts(world)

    assert (first, again) == ({"prompts": 4, "answered": 4}, {"prompts": 4, "answered": 0})
    kept = kept_answers(world)
    assert sorted(how for said in kept.values() for how, _ in said) == [
        "base",
        "base",
        "champion",
        "champion",
    ]
    # The smallest of models says next to nothing, of which no pair is made.
    for file in answers_folder(world).rglob("*.json"):
        write_json(file, read_json(file) | {"answer": SAID * 20})
    built = build_dataset(world)
    assert built["created"] and "of the samples are new or gone" in str(built["reason"])
    pairs = registry.read_preferences(world, str(built["dataset_id"]))
    assert {"base", "champion", "flattened"} == {p.how for p in pairs} and built[
        "dataset_id"
    ] != before


def test_without_a_champion_the_base_answers_alone_and_by_default_nobody_does(
    world: Settings,
) -> None:
    silent = world.model_copy(update={"dataset_negatives": 0})
    assert answer_prompts(silent) == {"prompts": 0, "answered": 0} and kept_answers(silent) == {}

    assert answer_prompts(world.model_copy(update={"dataset_negatives": 1}))["answered"] == 1
    assert {how for said in kept_answers(world).values() for how, _ in said} == {"base"}


def test_a_champion_whose_weights_were_changed_answers_nothing(
    world: Settings, served: tuple[Settings, str]
) -> None:
    registry.move_champion(world, served[1])
    weights = registry.model_folder(world, served[1]) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")

    with pytest.raises((OSError, ValueError), match="adapter_model.safetensors"):
        answer_prompts(world)

    assert not kept_answers(world)
