"""The numbers of a training: what makes no sense is refused before anything is loaded."""

import math
from dataclasses import asdict

import pytest

from ml.recipe import Recipe


@pytest.mark.parametrize("rate", [0, 0.0, -1e-4, math.nan, math.inf])
def test_a_learning_rate_that_teaches_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"learning_rate of the recipe is {rate}.*above 0"):
        Recipe(learning_rate=rate)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sft_steps": 0}, "sft_steps of the recipe is 0; it must be 1 or more"),
        ({"batch": 0}, "batch of the recipe is 0"),
        ({"lora_rank": -4}, "lora_rank of the recipe is -4"),
        ({"max_length": 3}, "max_length of the recipe is 3; it must be 16 or more"),
        ({"beta": 0.0}, "beta is 0.0"),
        ({"warmup": 1.0}, "warmup 1.0"),
        ({"schedule": "wild"}, "'wild'; use one of cosine, linear, constant"),
    ],
)
def test_other_numbers_that_make_no_sense_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recipe(**wrong)


def test_a_recipe_comes_back_from_what_a_manifest_keeps_of_it() -> None:
    recipe = Recipe(sft_steps=7, learning_rate=1e-3, schedule="linear")

    assert Recipe(**asdict(recipe)) == recipe
