"""A single bad sample stops a whole dataset, and the reason says which rule it broke."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import MOMENT, PARAGRAPH, cleaned
from own_articles import STYLE, articles

from include.sample_quality import prove_samples
from include.settings import Settings
from include.validation import ValidationFailed
from ml.examples import make_examples
from ml.negatives import make_preferences
from ml.splits import split_documents
from ml.types import Example, Message, Preference, Span

OTHER = (
    "Tides follow the moon over the harbour wall, twice a day, and nobody has to ask them. The clerk writes them "
    "down all the same, because a table that is never compared with the water is only an opinion. "
)
ROPE = cleaned()
TIDE = cleaned(OTHER * 3, url="https://example.org/tide/", published_at=MOMENT)
SPAN = Span(ROPE.id, ROPE.revision, 0, len(PARAGRAPH))
HELD_OUT = Span(TIDE.id, TIDE.revision, 0, len(OTHER))


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def example(asked: str = "What about ropes?", answer: str = PARAGRAPH, split="train", span=SPAN):
    turns = (Message("user", asked), Message("assistant", answer))
    return Example((Message("system", "Be brief."), *turns), span, "answer", split)


def pair(rejected: str = "Ropes were inspected.", chosen: str = PARAGRAPH) -> Preference:
    asked = (Message("user", "What about ropes?"),)
    return Preference(asked, chosen, rejected, SPAN, "flattened", "train")


TEST = example("And tides?", OTHER, "test", HELD_OUT)


def test_samples_that_are_the_authors_words_pass(world: Settings) -> None:
    assert prove_samples(world, [ROPE, TIDE], [example(), TEST], [pair()]) is None


@pytest.mark.parametrize(
    ("examples", "pairs", "rule"),
    [
        ([example(answer="Nobody ever wrote this in any of the documents.")], [], "grounded"),
        ([TEST, example("And tides?")], [], "leaked"),
        ([TEST, example(answer=OTHER, span=HELD_OUT)], [], "leaked"),
        ([TEST, example()], [pair(rejected=OTHER)], "leaked"),
        (
            [TEST, example("What?", "twice a day", span=replace(HELD_OUT, start=52, end=63))],
            [],
            "crossed",
        ),
        ([example()], [pair(rejected=f" {PARAGRAPH}")], "tied"),
        ([example(), example()], [], "id"),
    ],
)
def test_a_single_bad_sample_stops_the_whole_dataset(world: Settings, examples, pairs, rule):
    with pytest.raises(ValidationFailed, match=f"dataset suite refused .* on {rule}"):
        prove_samples(world, [ROPE, TIDE], examples, pairs)


def test_what_is_refused_is_kept_with_the_value_that_offends(world: Settings) -> None:
    half = example(
        answer=PARAGRAPH[:100] + "and so the committee of the port was asked again in the spring"
    )

    with pytest.raises(ValidationFailed) as stop:
        prove_samples(world, [ROPE], [half], [])

    values = {r.reason: r.value for r in stop.value.rejected}
    assert values["grounded:values-to-be-in-set"] == "False"
    assert 0.3 < float(values["containment:values-to-be-between"]) < 0.9


def test_samples_of_a_text_that_has_changed_since_are_refused(world: Settings) -> None:
    changed = replace(ROPE, revision="another")

    with pytest.raises(ValidationFailed, match="1 × values-to-be-in-set on grounded"):
        prove_samples(world, [changed], [example()], [])


def test_pairs_that_length_gives_away_stop_the_dataset_and_even_ones_do_not(
    world: Settings,
) -> None:
    documents = articles(30)
    examples = make_examples(documents, split_documents(documents, 0.2), STYLE, "Maren")
    pairs = make_preferences(examples)
    brief = [replace(p, rejected=p.rejected[: len(p.chosen) - 30]) for p in pairs]

    assert prove_samples(world, documents, examples, pairs) is None
    with pytest.raises(ValidationFailed) as stop:
        prove_samples(world, documents, examples, brief)
    assert "Chosen texts are, in the mean, as long as rejected ones" in str(stop.value)
    assert "tells no more than a coin" in str(stop.value)
