"""What was measured and decided: one record a model, the last one counts, and an id is never a path."""

from pathlib import Path

import pytest

from include import decisions
from include.settings import Settings


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_evaluations_verdicts_and_attempts_are_kept(world: Settings) -> None:
    assert decisions.read_evaluation(world, "m1") == {}
    assert decisions.read_verdict(world, "m1") == {}

    decisions.write_evaluation(world, "m1", {"candidate": {"loss": [2.5]}})
    decisions.write_evaluation(world, "m1", {"candidate": {"loss": [1.5]}})
    decisions.write_verdict(world, "m1", {"promote": False, "reasons": ("worse",)})
    decisions.mark_attempt(world, "d1", "too few")

    assert decisions.read_evaluation(world, "m1") == {"candidate": {"loss": [1.5]}}
    assert decisions.read_verdict(world, "m1") == {"promote": False, "reasons": ["worse"]}
    assert decisions.attempts(world) == {"d1": "too few"}


def test_a_page_lies_beside_the_verdict_and_nothing_lies_elsewhere(world: Settings) -> None:
    page = decisions.write_report(world, "m1", "<p>why</p>")

    assert page == world.data_dir / "artifacts" / "verdicts" / "m1.html"
    assert page.read_text() == "<p>why</p>"
    with pytest.raises(LookupError, match="is no id"):
        decisions.write_report(world, "../m1", "<p>why</p>")


def test_a_later_word_is_added_to_the_gates_and_leaves_no_question_open(world: Settings) -> None:
    gate = {"promote": True, "reasons": ["It is better."], "ask": True, "checks": [1]}
    decisions.write_verdict(world, "m1", gate)
    assert decisions.why_turned_down(world, "m1") == decisions.why_turned_down(world, "m2") == ""

    for _ in range(2):
        decisions.amend_verdict(world, "m1", False, "It fell silent.")

    amended = {"promote": False, "reasons": ["It is better.", "It fell silent."], "ask": False}
    assert decisions.read_verdict(world, "m1") == gate | amended
    assert decisions.why_turned_down(world, "m1") == "It fell silent."
    decisions.amend_verdict(world, "m1", True, "It spoke again.")
    assert decisions.why_turned_down(world, "m1") == ""
