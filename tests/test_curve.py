"""What a training tells: every step to the run and to who watches, some to the report, with the time that is left."""

from collections.abc import Mapping

import pytest

from ml.curve import Curve, Step, sum_up


class Told:
    """A clock that goes two seconds further a step, and everything that was told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.logged: list[tuple[int, Mapping[str, float]]] = []
        self.said: list[str] = []
        self.seen: list[Step] = []

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.logged.append((step, values))

    def curve(self, steps: int, offset: int = 0) -> Curve:
        return Curve(
            *("dpo", steps, offset, self, self.said.append, self.seen.append, lambda: self.now)
        )


def test_a_step_is_told_with_its_rate_and_the_seconds_that_are_left() -> None:
    told = Told()
    curve = told.curve(30, offset=60)
    curve.begin(10)
    for step in (11, 12):
        told.now += 2
        curve.see(step, {"loss": 0.5, "grad_norm": 3.0, "epoch": 0.1}, tokens=100 * (step - 10))
    curve.look(12, 0.4)

    assert [step for step, _ in told.logged] == [71, 72, 72]
    assert told.logged[-1][1] == {"dpo/heldout_loss": 0.4}
    assert told.logged[1][1] == {
        "dpo/loss": 0.5,
        "dpo/grad_norm": 3.0,
        "dpo/tokens_per_second": 50.0,
    }
    assert told.seen[1] == Step("dpo", 12, 30, 0.5, eta=36.0)
    assert told.seen[2] == Step("dpo", 12, 30, 0.5, eta=36.0, heldout_loss=0.4)
    assert told.said == ["dpo step 12/30 loss 0.500 eta 36 s"]


def test_a_report_has_a_dozen_lines_the_first_and_the_last_step_among_them() -> None:
    told = Told()
    curve = told.curve(600)
    for step in range(1, 601):
        curve.see(step, {"loss": 1.0}, tokens=1)
    curve.leave_out(601, 99.0)

    assert 13 <= len(told.said) <= 15
    assert told.said[0].startswith("dpo step 1/600") and told.said[-2].startswith("dpo step 600/")
    assert told.said[-1] == "dpo step 601 is left out: its loss is 99"


def test_a_curve_is_summed_up_by_its_first_and_last_tenth() -> None:
    steps = [{"loss": float(n), "rewards/margins": 2.0 * n, "skipped": n == 3} for n in range(20)]

    summed = sum_up("dpo", steps)
    assert summed == pytest.approx(
        {
            "dpo_loss_first": 0.5,
            "dpo_loss_last": 18.5,
            "dpo_steps": 20.0,
            "dpo_skipped": 1.0,
            "dpo_margins": 37.0,
        }
    )
