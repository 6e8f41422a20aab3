"""What a model gives away: recitals, answers under attack, planted canaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.memorisation import (
    exposure,
    extracted_share,
    longest_overlap,
    repeated_share,
    training_runs,
)

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
