"""Words as a search compares them: forms of one word are one, and what every text says counts for nothing."""

import pytest

from ml.terms import covered, rarity, stem, terms, weigh


@pytest.mark.parametrize(
    "forms",
    [
        ("profile", "profiles", "profiling", "profiled"),
        ("quantise", "quantisation"),
        ("reply", "replies", "replied"),
        ("stop", "stopping", "stopped"),
    ],
)
def test_the_forms_of_a_word_are_one(forms):
    assert len({stem(f) for f in forms}) == 1


def test_short_words_are_left_whole():
    assert [stem(w) for w in ("bus", "is", "gas")] == ["bus", "is", "gas"]


def test_letters_that_only_look_different_are_equal_and_common_words_are_left_out():
    assert terms("The 𝗣𝗮𝗴𝗲𝗿 woke me!") == terms("pager woke")


def test_a_rare_word_weighs_more_and_an_unknown_one_most():
    counts = {"rope": 90, "ledger": 2}

    assert rarity("rope", counts, 100) < rarity("ledger", counts, 100) < rarity("x", counts, 100)


def test_the_share_of_a_question_that_a_text_has_goes_by_rarity():
    weights = weigh({"rope", "ledger"}, {"rope": 90, "ledger": 2}, 100)

    assert covered(weights, {"ledger"}) > 0.9 > 0.1 > covered(weights, {"rope"})
    assert covered(weights, {"rope", "ledger"}) == pytest.approx(1.0)
    assert covered({}, {"rope"}) == 0.0
