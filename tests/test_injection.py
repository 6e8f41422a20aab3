"""Retrieved text is data: what would be read as a turn, an order or a fence, or would load something, is disarmed."""

import pytest
from injections import attacks
from under_attack import by_family, guarded, succeeds, trusting

from ml.injection import defuse, is_stuffed, neutralise, speaks_to_a_model

FAMILIES = 8


def test_the_suite_has_eighty_attacks_in_eight_families_each_with_a_name():
    found = attacks()

    assert len(found) >= 80
    assert len({a.family for a in found}) == FAMILIES
    assert len({(a.family, a.name) for a in found}) == len(found)


@pytest.mark.parametrize("attack", attacks(), ids=lambda a: f"{a.family}: {a.name}")
def test_an_attack_does_not_get_what_it_wants(attack):
    assert not succeeds(attack, guarded(attack))


def test_a_path_that_trusts_what_it_reads_loses_in_every_family():
    lost = by_family(attacks(), trusting)

    assert len(lost) == FAMILIES
    assert all(won >= tried / 2 for tried, won in lost.values()), lost


@pytest.mark.parametrize(
    "text",
    [
        "An author may say note this, or [note] that, and a < b > c.",
        "Flags 🏴󠁧󠁢󠁳󠁣󠁴󠁿 aside, it stays: “quoted” — and so on.",
        "Generics such as List<String> and Map<K, V> are code.",
    ],
)
def test_what_only_looks_like_a_marker_stays(text):
    kept = neutralise(text)

    assert kept == text or "🏴" in text


@pytest.mark.parametrize(
    "sentence",
    [
        "I ignore most of the advice about ropes.",
        "The system answers every request within a second.",
        "You are now ready to splice the rope.",
        "We print the prompt of the shell in green.",
        "As a model of patience, the harbour master waits.",
        "The assistant of the harbour master wrote it down.",
        "Forget the rule that you learned at school about knots.",
    ],
)
def test_a_sentence_for_readers_is_evidence(sentence):
    assert not speaks_to_a_model(sentence)


def test_a_picture_leaves_its_description_and_a_link_that_runs_its_text():
    text = "See ![a rope](http://x/a.png), [this](javascript:alert(1)) and [that](https://y/)."

    assert defuse(text) == "See a rope, this and [that](https://y/)."


def test_prose_is_not_stuffed_however_short_or_long():
    prose = "The rope that looks sound is the one I distrust, for nobody ever sees the core of it. "

    assert not is_stuffed(prose)
    assert not is_stuffed("rope rope rope")
    assert is_stuffed("rope shackle " * 60)
