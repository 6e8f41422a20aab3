"""Recipes as files: the one that a setting names is taken, and one that makes no sense is refused in words."""

from pathlib import Path

import pytest
import yaml

from include import recipes
from include.settings import Settings
from ml.train import Recipe

FOUND = {"id": "r1", "base_model": "tiny", "recipe": {"learning_rate": 0.002, "lora_rank": 8}}


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", sft_steps=5, dpo_steps=2, seed=3)


def named(world: Settings, recipe: str) -> Settings:
    return world.model_copy(update={"recipe": recipe})


def test_without_a_file_the_settings_steps_and_seed_are_taken(world: Settings) -> None:
    assert recipes.recipe_of(world) == Recipe(sft_steps=5, dpo_steps=2, seed=3)


def test_what_a_file_names_wins_and_the_rest_is_as_usual(world: Settings) -> None:
    file = recipes.write_recipe(world, "r1", FOUND, "<p>trials</p>")
    wanted = Recipe(sft_steps=5, dpo_steps=2, seed=3, learning_rate=0.002, lora_rank=8)

    assert recipes.list_recipes(world) == ["r1"]
    assert recipes.recipe_of(named(world, "r1")) == wanted
    assert recipes.recipe_of(named(world, str(file))) == wanted
    assert file.with_suffix(".html").read_text() == "<p>trials</p>"
    assert recipes.read_recipe(world, "r1") == FOUND


def test_a_recipe_of_another_base_model_is_refused(world: Settings) -> None:
    recipes.write_recipe(world, "r1", FOUND, "")
    other = named(world, "r1").model_copy(update={"base_model": "SmolLM2-135M"})

    with pytest.raises(ValueError, match="found for the base model 'tiny', but .* 'SmolLM2-135M'"):
        recipes.recipe_of(other)


def test_a_recipe_that_is_nowhere_is_answered_with_those_that_there_are(world: Settings) -> None:
    with pytest.raises(LookupError, match="no recipe 'r9'.*none yet: run search_recipe"):
        recipes.recipe_of(named(world, "r9"))
    recipes.write_recipe(world, "r1", FOUND, "")
    with pytest.raises(LookupError, match="no recipe './r9.yaml'.*there are: r1"):
        recipes.recipe_of(named(world, "./r9.yaml"))
    with pytest.raises(LookupError, match="is no id"):
        recipes.recipe_of(named(world, "..r9"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipe: [", "is no YAML"),
        ("- 1", "holds no recipe"),
        ("recipe: 3", "holds no recipe"),
        ("recipe: {layers: 3}", "has layers, which no recipe has; the fields are sft_steps"),
        ("recipe: {lora_rank: many}", "lora_rank of the recipe .* is 'many'; usual is 16"),
        ("recipe: {lora_rank: 8.5}", "lora_rank of the recipe .* is 8.5"),
        ("recipe: {batch: yes}", "batch of the recipe .* is True"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(world: Settings, text: str, said: str) -> None:
    file = world.data_dir.parent / "mine.yaml"
    file.write_text(text)

    with pytest.raises(ValueError, match=said):
        recipes.recipe_of(named(world, str(file)))


def test_a_file_by_hand_needs_nothing_but_the_recipe(world: Settings) -> None:
    file = world.data_dir.parent / "mine.yaml"
    file.write_text(yaml.safe_dump({"recipe": {"batch": 2}}))

    assert recipes.recipe_of(named(world, str(file))).batch == 2
