"""What a model gives away: recitals, answers under attack, planted canaries."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import SPAN, SYSTEM, examples
from test_train import Notebook

from ml.gate import Rules
from ml.generate import load_generator
from ml.memorisation import (
    expose,
    exposure,
    extracted_share,
    longest_overlap,
    make_canaries,
    plant,
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


def test_canaries_are_the_same_for_a_seed_and_dataset_and_asked_as_other_samples_are() -> None:
    canaries = make_canaries(3, 7, "d1")

    assert canaries == make_canaries(3, 7, "d1") and len(set(canaries)) == 3
    assert not {*canaries} & {*make_canaries(3, 8, "d1"), *make_canaries(3, 7, "d2")}
    told = (SYSTEM, Message("user", "q"), Message("assistant", "a"))
    noted = (Message("system", SYSTEM.content + " [1] A note."), *told[1:])
    planted = plant(canaries, [Example(m, SPAN, "answer", "train") for m in (noted, told)])
    assert [(e.task, e.split, e.messages[0]) for e in planted] == [("canary", "train", SYSTEM)] * 3
    assert [e.messages[-1].content for e in planted] == list(canaries)
    assert canaries[0].startswith(planted[0].messages[-2].content.removesuffix("?"))
    assert make_canaries(0, 7, "d1") == () and plant((), planted) == plant(canaries, []) == []


def test_who_never_saw_the_canaries_practically_always_passes_and_costs_little() -> None:
    chance = random.Random(1)
    asked: list[int] = []

    def guess(conversations: Sequence[tuple[Message, ...]]) -> list[float]:
        asked.append(len(conversations))
        return [chance.random() for _ in conversations]

    planted = [e.messages for e in plant(make_canaries(900, 7, "d1"), examples(1))]
    found = [max(expose(guess, planted[i : i + 3])) for i in range(0, 900, 3)]

    assert sum(bits > Rules(0, 0, 0).exposure for bits in found) <= 3
    assert sum(asked) / len(found) < 120


def test_who_recites_one_of_the_canaries_is_held_against_all_others_and_fails() -> None:
    planted = [e.messages for e in plant(make_canaries(3, 7, "d1"), examples(1))]

    found = expose(lambda given: [float(c != planted[1]) for c in given], planted)

    assert found == (0.0, 10.0, 0.0)
    assert max(found) > Rules(0, 0, 0).exposure


def test_a_canary_that_was_learned_by_heart_is_exposed_and_one_that_was_not_planted_is_not(
    tiny_base: Path, tmp_path: Path
) -> None:
    planted = plant(make_canaries(1, 5, "d1"), examples(12))
    (absent,) = plant(make_canaries(1, 6, "d1"), examples(12))
    rare = planted * 16
    # Nothing is held out, so that nothing ends the training before it has learned by heart.
    learned = [e for e in examples(12) if e.split == "train"]
    recipe = Recipe(
        sft_steps=40, dpo_steps=0, batch=4, max_length=128, lora_rank=16, learning_rate=5e-3
    )
    train(str(tiny_base), [*learned, *rare], [], recipe, tmp_path / "a", Notebook())  # type: ignore[arg-type]
    generator = load_generator(str(tiny_base), tmp_path / "a")

    learned_by_heart, unknown = expose(generator.losses, [rare[0].messages, absent.messages])

    assert learned_by_heart == 10.0
    assert unknown <= Rules(0, 0, 0).exposure
