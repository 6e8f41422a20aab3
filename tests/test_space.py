"""What a search varies and on what it judges: bad spaces are refused in words, and the test split is never seen."""

import json

import pytest
from search_world import spread_examples, spread_preferences

from ml.space import Dimension, described, hold_out, read_space, varied
from ml.train import Recipe


def test_a_named_space_goes_from_a_quarter_of_the_models_rate_to_four_times_it() -> None:
    space = read_space("small", 4e-3)

    assert space["learning_rate"] == Dimension(1e-3, 1.6e-2, log=True)
    assert space["lora_rank"] == Dimension(choices=(4, 8, 16, 32))
    assert list(read_space("rate", 1.0)) == ["learning_rate"]
    assert described(space) == {
        "learning_rate": "0.001 to 0.016 by powers",
        "lora_rank": "4 or 8 or 16 or 32",
    }


def test_a_space_of_ones_own_is_json() -> None:
    space = read_space(
        '{"batch": {"choices": [2, 4]}, "max_length": {"low": 64, "high": 128}}', 1.0
    )

    assert space == {"batch": Dimension(choices=(2, 4)), "max_length": Dimension(64, 128)}
    assert varied(Recipe(), {"batch": 2}) == Recipe(batch=2)


@pytest.mark.parametrize("text", ["", "huge", "[]", "{}", "{", "3"])
def test_what_is_no_space_is_answered_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="neither rate, small, wide nor a JSON object"):
        read_space(text, 1.0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("layers", "'layers' is none of a recipe; vary some of batch"),
        ("beta", "'beta' cannot be judged by a held-out loss"),
        ("seed", "'seed' cannot be judged"),
    ],
)
def test_a_number_that_cannot_be_varied_is_named(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_space(json.dumps({name: {"choices": [1]}}), 1.0)


@pytest.mark.parametrize(
    "values",
    [
        *(3, [1, 2], {}, {"low": 2, "high": 1}, {"low": "a", "high": "b"}),
        *({"low": 0, "high": 1, "log": True}, {"steps": 3}, {"choices": 3}, {"choices": []}),
    ],
)
def test_a_dimension_that_makes_no_sense_is_shown(values: object) -> None:
    with pytest.raises(ValueError, match="What to try as 'batch' is"):
        read_space(json.dumps({"batch": values}), 1.0)


def test_trials_are_judged_on_whole_documents_of_the_training_part_only() -> None:
    given = spread_examples()
    tested = {e.id for e in given if e.split == "test"}

    examples, pairs = hold_out(given, spread_preferences(), 0.4, 7, 60)
    learned, judged = (
        {e.span.document_id for e in examples if e.split == s} for s in ("train", "test")
    )

    assert not tested & {e.id for e in examples}
    assert (len(learned), len(judged), learned & judged) == (3, 2, set())
    assert pairs and {p.span.document_id for p in pairs} <= learned
    assert hold_out(given, [], 0.4, 7, 60)[0] == examples
    assert hold_out(given, [], 0.4, 8, 60)[0] != examples


def test_a_judge_is_left_however_small_the_share_and_a_learner_however_large() -> None:
    for share, judges in ((0.01, 1), (0.99, 4)):
        examples, _ = hold_out(spread_examples(), [], share, 7, 60)
        assert len({e.span.document_id for e in examples if e.split == "test"}) == judges


def test_too_few_or_too_like_documents_are_said_so() -> None:
    one = [e for e in spread_examples() if e.span.document_id in ("d0", "d5")]

    with pytest.raises(ValueError, match="comes from 1 documents; a search needs two"):
        hold_out(one, [], 0.2, 7, 60)
    with pytest.raises(ValueError, match="shares 3 words in a row.*nothing is left to learn from"):
        hold_out(spread_examples(), [], 0.2, 7, 3)
