"""Several processes that train together: the curve of one, errors that are heard, and none that outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from samples import spread, spread_pairs

from ml.recipe import Recipe
from ml.stages import Measured, Stage, learn_answers, learn_preferences
from ml.team import ALONE, Team, Tell, in_team
from ml.train import _learn_along

ROOT = Path(__file__).resolve().parent.parent
RECIPE = Recipe(sft_steps=8, dpo_steps=4, batch=4, dpo_batch=2, max_length=128, lora_rank=4)
WATCHED = frozenset({"d0-0", "d3-1"})
# A process with a team that never ends by itself.
LEADER = """
from test_team import linger
from ml.team import in_team
in_team(2, linger, (), lambda what, values: print(*values, flush=True))
"""


def learn_both(stage: Stage, samples: Any) -> Measured:
    """Do both stages in one go."""
    return learn_answers(stage, spread()) | learn_preferences(stage, spread_pairs())


def fail(team: Team, tell: Tell) -> dict[str, Any]:
    """Fail in the second process only, while the first one waits for it."""
    import torch

    if team.index == 1:
        raise ValueError("The second one is wrong.")
    torch.distributed.all_reduce(torch.ones(1))
    return {}


def linger(team: Team, tell: Tell) -> dict[str, Any]:
    """Say which process this is, and stay."""
    import torch

    mine = torch.zeros(2)
    mine[team.index] = float(os.getpid())
    torch.distributed.all_reduce(mine)
    tell("pids", tuple(int(x) for x in mine.tolist()))
    time.sleep(600)
    return {}


def taught(team_size: int, base: Path, folder: Path) -> tuple[Measured, dict[int, float]]:
    """Do both stages with so many processes; returns what was measured, and the loss of each step."""
    losses: dict[int, float] = {}

    def hear(what: str, values: tuple[Any, ...]) -> None:
        if what == "log":
            numbers, step = values
            for name in numbers.keys() & {"sft/loss", "dpo/loss"}:
                losses[step] = numbers[name]

    given = (learn_both, str(base), RECIPE, folder, (), WATCHED)
    if team_size == 1:
        return _learn_along(ALONE, hear, *given), losses
    return in_team(team_size, _learn_along, given, hear), losses


def test_two_processes_learn_as_one_does(tiny_base: Path, tmp_path: Path) -> None:
    alone, wanted = taught(1, tiny_base, tmp_path / "alone")
    together, losses = taught(2, tiny_base, tmp_path / "together")

    assert sorted(losses) == sorted(wanted) == list(range(1, 13))
    assert losses == pytest.approx(wanted, abs=2e-3)
    assert losses[8] < losses[1] - 0.3
    numbers = {k: v for k, v in alone.items() if isinstance(v, float)}
    assert {k: together[k] for k in numbers} == pytest.approx(numbers, abs=2e-3)
    assert (tmp_path / "together" / "adapter_model.safetensors").exists()


def test_an_error_in_one_process_ends_all_and_is_heard() -> None:
    with pytest.raises(ValueError, match="^The second one is wrong"):
        in_team(2, fail, (), lambda what, values: None)


def test_processes_end_with_the_one_that_started_them() -> None:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    with subprocess.Popen(
        [sys.executable, "-c", LEADER],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as leader:
        assert leader.stdout is not None
        members = [psutil.Process(int(p)) for p in leader.stdout.readline().split()]
        assert len(members) == 2 and all(m.is_running() for m in members)
        leader.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(members, timeout=30)

    assert (len(gone), alive) == (2, [])
