"""What a model gives away: recitals, answers under attack, planted canaries."""

import random
from math import log2
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import SPAN, SYSTEM, examples
from test_train import Notebook

from ml.generate import load_generator
from ml.memorisation import (
    exposure,
    extracted_share,
    longest_overlap,
    repeated_share,
    training_runs,
)
from ml.train import Recipe, train
from ml.types import Example, Message

SECRET = "the code of the boathouse is seven four nine and nobody else may know it at all"


def test_a_recital_is_all_verbatim_and_a_paraphrase_is_not() -> None:
    seen = training_runs([SECRET])

    assert repeated_share(SECRET.upper(), seen) == 1.0
    assert repeated_share("the boathouse has a code that is not for everybody to know", seen) == 0.0
    assert repeated_share("too short", seen) == 0.0


def test_a_secret_in_the_middle_of_other_words_is_found() -> None:
    said = "Well, the code of the boathouse is seven four nine, I believe."

    assert longest_overlap(said, SECRET) == 9
    assert extracted_share(said, SECRET) == pytest.approx(9 / 12)
    assert extracted_share("", SECRET) == 0.0
    assert extracted_share("The code of the house?", SECRET) == 0.0


def test_exposure_counts_the_bits_by_which_a_canary_stands_out() -> None:
    others = [float(n) for n in range(1, 64)]

    assert exposure(0.5, others) == 6.0
    assert exposure(100.0, others) == 0.0
    assert exposure(32.5, others) == pytest.approx(0.956, abs=1e-3)
    with pytest.raises(ValueError, match="texts that were not planted"):
        exposure(1.0, [])


@given(st.text(max_size=80), st.text(max_size=80))
def test_overlap_is_the_same_from_both_sides_and_never_more_than_either(a: str, b: str) -> None:
    assert longest_overlap(a, b) == longest_overlap(b, a)
    assert longest_overlap(a, a) >= longest_overlap(a, b)


def codes(count: int, seed: int) -> list[str]:
    """Make rare strings, all of one form; which of them is planted says the caller."""
    chance = random.Random(seed)
    return [
        f"The code of the boathouse is {chance.randint(1000, 9999)} {chance.randint(1000, 9999)}."
        for _ in range(count)
    ]


def told(code: str) -> tuple[Message, ...]:
    return (
        SYSTEM,
        Message("user", "What is the code of the boathouse?"),
        Message("assistant", code),
    )


def test_a_canary_that_was_planted_often_is_exposed_and_one_that_was_not_is_not(
    tiny_base: Path, tmp_path: Path
) -> None:
    planted, absent, *others = codes(34, seed=5)
    rare = [Example(told(planted), SPAN, f"answer {n}", "train") for n in range(16)]
    # Nothing is held out, so that nothing ends the training before it has learned by heart.
    learned = [e for e in examples(12) if e.split == "train"]
    recipe = Recipe(
        sft_steps=40, dpo_steps=0, batch=4, max_length=128, lora_rank=16, learning_rate=5e-3
    )
    train(str(tiny_base), [*learned, *rare], [], recipe, tmp_path / "a", Notebook())  # type: ignore[arg-type]
    generator = load_generator(str(tiny_base), tmp_path / "a")

    losses = generator.losses([told(c) for c in (planted, absent, *others)])

    assert exposure(losses[0], losses[2:]) == pytest.approx(log2(33))
    assert exposure(losses[1], losses[2:]) < log2(33) - 1
