"""What a training tells while it runs: every step to the run and to who watches, some steps to the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Protocol

Report = Callable[[str], None]
Clock = Callable[[], float]

# Progress lines of one stage.
LINES = 12


@dataclass(frozen=True, slots=True)
class Step:
    """Where a stage (`sft` or `dpo`) is. `eta`: seconds to its end; `heldout_loss`: where somebody looked."""

    stage: str
    step: int
    steps: int
    loss: float
    eta: float
    heldout_loss: float | None = None


Watch = Callable[[Step], None]


class Log(Protocol):
    """What keeps the numbers of every step: a run, or the way to it."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add one step to the curves."""


class Curve:
    """Follows one stage; `offset` is what comes before its first step in the run."""

    def __init__(
        self,
        name: str,
        steps: int,
        offset: int,
        run: Log,
        report: Report,
        watch: Watch,
        clock: Clock,
    ) -> None:
        self.name, self._steps, self._offset = name, steps, offset
        self._run, self._report, self._watch, self._clock = run, report, watch, clock
        self._last = Step(name, 0, steps, 0.0, 0.0)
        self.begin(0)

    def begin(self, step: int) -> None:
        """Start the clock: this many steps were made by who was killed."""
        self._first, self._started = step, self._clock()

    def see(self, step: int, logs: Mapping[str, Any], tokens: int) -> None:
        """Take one step's numbers; `tokens` are all since the clock was started."""
        spent, done = self._clock() - self._started, max(step - self._first, 1)
        told = {f"{self.name}/{k}": float(v) for k, v in logs.items() if k != "epoch"}
        if spent > 0:
            told[f"{self.name}/tokens_per_second"] = tokens / spent
        self._run.log(told, self._offset + step)
        loss, eta = float(logs["loss"]), spent / done * (self._steps - step)
        self._last = Step(self.name, step, self._steps, loss, eta)
        self._watch(self._last)
        if step % max(self._steps // LINES, 1) == 0 or step in (1, self._steps):
            self._report(f"{self.name} step {step}/{self._steps} loss {loss:.3f} eta {eta:.0f} s")

    def look(self, step: int, loss: float) -> None:
        """Take the held-out loss after a step that was seen."""
        self._run.log({f"{self.name}/heldout_loss": loss}, self._offset + step)
        self._watch(replace(self._last, heldout_loss=loss))

    def leave_out(self, step: int, loss: float) -> None:
        """Tell that a step does more harm than good."""
        self._report(f"{self.name} step {step} is left out: its loss is {loss:.3g}")


def sum_up(name: str, steps: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Sum up a whole curve: its first and its last tenth, and how many steps were left out."""
    tenth = max(len(steps) // 10, 1)
    first, last = steps[:tenth], steps[-tenth:]
    summed = {
        f"{name}_loss_first": fmean(float(s["loss"]) for s in first),
        f"{name}_loss_last": fmean(float(s["loss"]) for s in last),
        f"{name}_steps": float(len(steps)),
        f"{name}_skipped": sum(float(s["skipped"]) for s in steps),
    }
    for key in ("rewards/accuracies", "rewards/margins"):
        if key in last[-1]:
            summed[f"{name}_{key.split('/')[1]}"] = fmean(float(s[key]) for s in last)
    return summed
