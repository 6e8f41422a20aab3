"""Intervals hold what they promise, claims share one error level, and what can't be compared is said so."""

import math
from statistics import fmean

import numpy as np
import pytest

from ml.bootstrap import FEWEST, holm, paired_difference

SEED = 7


def test_a_constant_difference_is_known_exactly() -> None:
    d = paired_difference([1.5] * 10, [1.0] * 10, SEED)

    assert (d.mean, d.low, d.high) == (0.5, 0.5, 0.5)
    assert d.chance_not_below(0.6) == 0.0 and d.chance_not_below(0.4) == 1.0


def test_the_same_seed_gives_the_same_interval() -> None:
    left, right = np.random.default_rng(1).normal(size=(2, 30))

    assert paired_difference(left, right, SEED) == paired_difference(left, right, SEED)


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_interval_holds_the_truth_about_nineteen_times_of_twenty(draw: str) -> None:
    rng = np.random.default_rng(3)
    truth = 1.0 if draw == "exponential" else 0.0
    found = [paired_difference(getattr(rng, draw)(size=30), [0.0] * 30, n) for n in range(200)]

    held = sum(d.low <= truth <= d.high for d in found)
    assert 182 <= held <= 199


def test_too_few_pairs_prove_nothing() -> None:
    d = paired_difference([0.0, 0.1], [5.0, 5.0], SEED)

    assert d.pairs < FEWEST and d.chance_not_below(0.0) == 1.0


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ([], [], "there are 0 and 0"),
        ([1.0], [1.0, 2.0], "there are 1 and 2"),
        ([math.nan, 1.0], [1.0, 1.0], "not a number"),
    ],
)
def test_scores_that_do_not_pair_up_are_a_sentence(left, right, said) -> None:
    with pytest.raises(ValueError, match=said):
        paired_difference(left, right, SEED)


def test_claims_share_one_error_level() -> None:
    assert holm({"loss": 0.02, "likeness": 0.9}, 0.05) == {"loss"}
    assert holm({"loss": 0.03, "likeness": 0.9}, 0.05) == frozenset()
    assert holm({"loss": 0.02, "likeness": 0.04}, 0.05) == {"loss", "likeness"}
    assert holm({}, 0.05) == frozenset()


def test_the_heavier_claim_has_the_larger_share_of_the_level() -> None:
    weights = {"loss": 0.8, "likeness": 0.2}

    assert holm({"loss": 0.039, "likeness": 0.9}, 0.05, weights) == {"loss"}
    assert holm({"loss": 0.9, "likeness": 0.02}, 0.05, weights) == frozenset()
    assert holm({"loss": 0.039, "likeness": 0.049}, 0.05, weights) == {"loss", "likeness"}


@pytest.mark.parametrize("draw", ["standard_normal", "skewed", "heavy"])
def test_a_claim_about_nothing_stands_in_at_most_one_of_twenty(draw: str) -> None:
    rng = np.random.default_rng(5)
    draws = {
        "standard_normal": lambda: rng.standard_normal(40),
        "skewed": lambda: rng.exponential(1, 40) - 1,
        "heavy": lambda: rng.standard_t(4, 40),
    }
    chances = [
        paired_difference(draws[draw](), [0.0] * 40, SEED).chance_not_below(0.0) for _ in range(300)
    ]

    # 99% of such rows have at most 24 where one in twenty is the rule.
    assert sum(c <= 0.05 for c in chances) <= 24


def test_the_visible_gain_shrinks_with_the_number_of_pairs() -> None:
    rng = np.random.default_rng(1)
    few, many = (paired_difference(rng.normal(0, 0.1, n), [0.0] * n, SEED) for n in (40, 160))

    # By the normal rule it would be 2.486 standard errors; a little more, for errors vary as well.
    assert few.visible_gain(0.05) == pytest.approx(2.7 * few.error, rel=0.1)
    assert many.visible_gain(0.05) < few.visible_gain(0.05)
    assert paired_difference([1.0] * 9, [1.0] * 9, SEED).visible_gain(0.05) == 0


@pytest.mark.parametrize("tail", ["normal", "skewed"])
def test_the_gain_that_is_called_visible_is_seen_about_four_times_in_five(tail: str) -> None:
    rng, zero = np.random.default_rng(2), [0.0] * 60
    draw = {"normal": lambda: rng.normal(0, 1, 60), "skewed": lambda: rng.exponential(1, 60) - 1}[
        tail
    ]
    said = fmean(paired_difference(draw(), zero, SEED).visible_gain(0.05) for _ in range(60))
    tries = [paired_difference(draw() - said, zero, SEED).chance_not_below(0.0) for _ in range(150)]

    assert 0.72 <= sum(c <= 0.05 for c in tries) / len(tries) <= 0.93
