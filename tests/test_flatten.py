"""A text without its voice says the same in other words, and is as long, or as short, as it has to be."""

import pytest

from ml.flatten import LENGTH_BAND, flatten, flatten_to, is_as_long
from ml.text import words

SAID = (
    "The rope looked sound (it was old); nobody had used it for a year, and it was rotten at the core. "
    "I don't think that we were very clever, but the fix was boring and quite good!"
)


def test_flattening_takes_the_semicolons_the_asides_and_the_shouting_out() -> None:
    flat = flatten(SAID)

    assert not set(";(!") & set(flat) and "it was old" not in flat
    assert "no individual had utilized it" in flat.lower() and "do not think" in flat


@pytest.mark.parametrize("longer", [True, False])
def test_a_flat_text_is_longer_or_shorter_as_wanted_within_the_band(longer: bool) -> None:
    flat = flatten_to(SAID, longer=longer)

    assert (len(flat) > len(SAID)) is longer
    assert abs(len(flat) / len(SAID) - 1) <= LENGTH_BAND and is_as_long(flat, SAID)
    assert words(flat) != words(SAID)


@pytest.mark.parametrize(
    "plain", ["", "Water flows down.", "Ships sail over seas every single summer."]
)
def test_a_text_without_voice_cannot_be_flattened(plain: str) -> None:
    assert flatten(plain) == flatten_to(plain, longer=False) == ""
