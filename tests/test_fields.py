"""Names beyond a request's own: the harmless pass, and any other is told, however deep and however long."""

import pytest

from serving.fields import NAME, Open


class Part(Open):
    text: str = ""
    harmless = frozenset({"colour"})


class Whole(Open):
    parts: list[Part] = []
    first: Part | None = None
    done_anyway = {"wings": (0, [])}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"wings": 0},
        {"wings": []},
        {"wings": None, "unheard_of": None},
        {"parts": [{"text": "a", "colour": "red"}], "first": {"colour": {"any": "thing"}}},
    ],
)
def test_what_asks_for_nothing_passes(given):
    assert Whole.model_validate(given).refusal() is None


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"wings": 2}, "wings"),
        ({"colour": "red"}, "colour"),
        ({"parts": [{}, {"wings": 0}]}, "parts.1.wings"),
        ({"first": {"txt": "a"}}, "first.txt"),
        ({"x" * 5_000: 1}, "x" * NAME),
    ],
)
def test_what_nobody_knows_is_named_with_its_place(given, param):
    refusal = Whole.model_validate(given).refusal()

    assert refusal.param == param
    assert refusal.message.startswith(f"'{param}' is not supported by this endpoint; leave it out.")


def test_a_name_that_is_nearly_right_is_told_the_right_one():
    assert Whole.model_validate({"part": []}).refusal().message.endswith(" Did you mean 'parts'?")
