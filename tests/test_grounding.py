"""What stands in its source is told from what only sounds like it, and a text that changed grounds nothing."""

from dataclasses import replace

import pytest
from builders import PARAGRAPH, cleaned

from ml.grounding import (
    NOWHERE,
    best_support,
    count_terms,
    coverage,
    mean_support,
    measure_support,
    overlap,
    support,
)
from ml.types import Span

ROPE = cleaned(
    PARAGRAPH
    + "Tides follow the moon over the harbour wall, twice a day, and nobody has to ask them."
)
SPAN = Span(ROPE.id, ROPE.revision, 0, len(PARAGRAPH))
TEXTS = {ROPE.id: ROPE}


def test_the_words_of_a_span_are_grounded_whatever_stands_between_them() -> None:
    assert support(SPAN, PARAGRAPH, TEXTS).containment == 1.0
    spaced = PARAGRAPH.replace(" ", "\n  ").upper()
    assert support(SPAN, spaced, TEXTS).grounded


@pytest.mark.parametrize(
    ("span", "answer"),
    [
        (replace(SPAN, revision="another"), PARAGRAPH),
        (replace(SPAN, document_id="another"), PARAGRAPH),
        (replace(SPAN, start=len(PARAGRAPH), end=len(ROPE.text)), PARAGRAPH),
        (replace(SPAN, end=0), PARAGRAPH),
        (SPAN, ""),
        (SPAN, "A rope is checked on Tuesday because the replica which nobody watched was wrong."),
    ],
)
def test_another_revision_place_or_wording_grounds_nothing(span: Span, answer: str) -> None:
    assert not support(span, answer, TEXTS).grounded


def test_an_answer_that_is_partly_made_up_falls_below_the_floor() -> None:
    half = (
        PARAGRAPH[:90]
        + " and it was the committee of the port that had asked for it in the first place"
    )

    found = measure_support(half, ROPE.text)

    assert 0.3 < found.containment < 0.9 and not found.grounded


def test_the_subject_is_told_by_the_telling_words() -> None:
    assert overlap("Which rope is the one to check?", PARAGRAPH) == 1.0
    assert overlap("Gardens need vegetables and flowers.", PARAGRAPH) == 0.0
    assert overlap("Is it so?", PARAGRAPH) == 1.0


def test_a_summary_covers_what_several_other_parts_speak_of() -> None:
    summary, gardens = (
        "A clock that loses minutes breaks a promise.",
        "Gardens are pleasant in the evening.",
    )
    parts = [
        "The clock drifts by minutes.",
        "A clock is a promise.",
        "Minutes are lost, and promises broken.",
    ]

    assert coverage(summary, count_terms([summary, *parts])) == 1.0
    assert coverage(gardens, count_terms([gardens, *parts])) == 0.0
    # What a part says alone is not what the others are about.
    assert coverage(parts[1], count_terms(parts)) == coverage(summary, {}) == 0.0


def test_answers_that_name_no_source_are_measured_against_the_text_that_holds_most() -> None:
    other = cleaned(
        "Gardens need vegetables and flowers, and somebody who waters them when it is dry."
    ).text

    found = best_support(
        [PARAGRAPH, "Ropes are inspected by a committee every week.", other], [other, ROPE.text]
    )

    assert [f.grounded for f in found] == [True, False, True]
    assert mean_support(found)["grounded"] == 2 and mean_support([]) == {
        "grounded": 0.0,
        "containment": 0.0,
        "topic_overlap": 0.0,
    }
    assert best_support(["x"], []) == [NOWHERE]
