"""The decision record: what was decided and why, for people, without scripts or a network."""

from ml.gate import Check, Verdict
from ml.verdict_page import draw_verdict

GUARD = Check("loss", "guard", True, "Held-out loss is no worse.", 0.01, -0.02, 0.03, 0.05)
BROKEN = Check("likeness", "guard", False, "It lost its <voice>.", 0.3, 0.2, 0.4, 0.15)


def page(*checks: Check) -> str:
    promote = all(c.passed for c in checks)
    verdict = Verdict(promote, tuple(c.said for c in checks), {"examples": 40.0}, checks)
    return draw_verdict(verdict, {"candidate": "m2"}, [("Why?", "<script>alert(1)</script>")])


def test_every_check_is_drawn_with_its_bound_and_its_words() -> None:
    drawn = page(GUARD)

    assert '<h1 class="good">Promote</h1>' in drawn and "m2" in drawn
    assert drawn.count("<svg") == 1 and "Held-out loss is no worse." in drawn
    assert 'aria-label="0.010, bound 0.050"' in drawn


def test_what_failed_stands_out() -> None:
    drawn = page(GUARD, BROKEN)

    assert "Keep the champion" in drawn and drawn.count(">fails<") == 1


def test_nothing_that_a_model_said_runs_in_the_page() -> None:
    drawn = page(GUARD, BROKEN)

    assert "<script" not in drawn and "&lt;script&gt;" in drawn and "&lt;voice&gt;" in drawn
    assert "http" not in drawn


def test_checks_without_a_spread_are_drawn_as_well() -> None:
    assert "nan" not in page(Check("extraction", "limit", True, "Never.", 0.0, 0.0, 0.0, 0.0))


def test_what_was_measured_beside_the_models_has_its_place():
    verdict = Verdict(True, (), {}, (GUARD,))

    drawn = draw_verdict(
        verdict, {}, [], {"answers": {"hit_at_5": 0.75}, "voices": {}, "support": {"error": 0.1}}
    )

    assert "The answer path" in drawn and "hit at 5</td><td>0.7500" in drawn
    assert "The judge of likeness" not in drawn and "The measure of groundedness" in drawn
