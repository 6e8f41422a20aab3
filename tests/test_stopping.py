"""When a stage ends, and what is said of it: too long, too short, or enough."""

import pytest

from ml.stopping import Look, best_look, has_stalled, tell


def looks(*losses: float) -> list[Look]:
    return [Look(10 * n, loss) for n, loss in enumerate(losses, 1)]


@pytest.mark.parametrize(
    ("losses", "patience", "stalled"),
    [
        ((), 2, False),
        ((3.0, 2.9), 2, False),
        ((3.0, 3.1, 3.2), 2, True),
        ((3.0, 3.1, 2.9), 2, False),
        ((3.0, 2.9995, 2.9993), 2, True),
        ((3.0, 2.9, 2.8, 2.85, 2.86), 2, True),
        ((3.0, 3.1, 3.2), 0, False),
        ((3.0, 3.1), 1, True),
    ],
)
def test_a_stage_ends_when_no_look_gained_for_as_long_as_it_is_patient(
    losses: tuple[float, ...], patience: int, stalled: bool
) -> None:
    assert has_stalled(looks(*losses), patience) is stalled


def test_the_first_of_equal_looks_is_the_best() -> None:
    assert best_look(looks(3.0, 2.5, 2.5, 2.6)) == Look(20, 2.5)


@pytest.mark.parametrize(
    ("losses", "done", "said"),
    [
        ((3.0, 3.2, 3.4), 30, "stopped early at step 30 of 40: the held-out loss rose (3.000 at step 10, 3.400 now)"),
        ((3.0, 2.9995, 2.9993), 30, "stopped early at step 30 of 40: the held-out loss fell no further"),
        ((3.0, 2.5, 2.4, 2.6), 40, "lowest at step 30 (2.400, 2.600 at the end), whose adapter is kept: longer"),
        ((3.4, 3.2, 3.0, 2.8), 40, "still falling at the last step, 40 (3.000 at step 30, 2.800 now): underfitted"),
        ((3.4, 3.0, 2.81, 2.80), 40, "levelled off: the held-out loss is 2.800 after all 40 steps"),
        ((), 40, "ran all 40 steps; nothing is held out"),
    ],
)  # fmt: skip
def test_how_a_stage_ended_is_a_sentence(losses: tuple[float, ...], done: int, said: str) -> None:
    assert said in tell(looks(*losses), done, 40)
