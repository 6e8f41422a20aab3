"""The trials of a search on Ray Tune: Optuna says what to try next, ASHA ends what falls behind.

They run on a Ray of the search's own, or on the one that `TWIN_RAY_ADDRESS` names (all of its machines
must see `data_dir`, where the trials lie). Each trial is the platform's own training (`ml/train.py`).
What a kill leaves is restored: ended trials stay ended, the others go on at their last checkpoint, and of the
minutes only the rest is left. Without a rest the search ends at once with what it found.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.engine_ray import LOCAL, connected
from include.job_words import complaint
from include.settings import Settings
from ml.files import read_json, write_json
from ml.search_page import Ended, Trial
from ml.space import Dimension, Space, varied
from ml.splits import held_out
from ml.tracking import Run
from ml.train import Recipe, train
from ml.types import Example, Preference

if TYPE_CHECKING:
    from ray.tune import Callback
    from ray.tune.schedulers import TrialScheduler
    from ray.tune.search import Searcher

log = logging.getLogger(__name__)

METRIC, TIME = "heldout_loss", "step"
# A trial may be ended when it has made this share of its steps, and again at every doubling.
FIRST_LOOK, REDUCTION = 4, 2
# Trials of a search on a Ray of its own that run at once; each has one core to itself.
AT_ONCE = 2
# Seconds after which a search notes again what it has spent; a kill loses as many at most.
NOTED_EVERY = 1.0
OpenTrial = Callable[[str, Mapping[str, object]], Run]


@dataclass(frozen=True, slots=True)
class Plan:
    """A search: what is varied in which recipe, how much it may cost, and where its state lies."""

    name: str
    space: Space
    recipe: Recipe
    trials: int
    seconds: float
    folder: Path


@dataclass(frozen=True, slots=True)
class Given:
    """What every trial is given; `folder` is the search's."""

    base: str
    examples: tuple[Example, ...]
    preferences: tuple[Preference, ...]
    recipe: Recipe
    folder: str


def run_trials(settings: Settings, plan: Plan, given: Given, open_trial: OpenTrial) -> list[Trial]:
    """Run a search to its end, from where a killed one stopped; returns every trial that was begun."""
    left = plan.seconds - spent_seconds(plan)
    return _go_on(settings, plan, given, open_trial, left) if left > 0 else _begun(plan)


def _go_on(
    settings: Settings, plan: Plan, given: Given, open_trial: OpenTrial, seconds: float
) -> list[Trial]:
    """Let Tune run trials for the seconds that are left."""
    # Tune's own tables would go to the output, and its trials to another folder.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    where = settings.model_copy(update={"ray_address": settings.ray_address or LOCAL})
    with connected(where):
        import ray
        from ray import tune
        from ray.tune.logger import JsonLoggerCallback

        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        trainable = tune.with_parameters(_run_trial, given=given)
        done = tune.run(
            tune.with_resources(trainable, {"cpu": 1, "gpu": gpus}),
            name=plan.name,
            storage_path=str(plan.folder.resolve()),
            resume=_has_begun(plan),
            metric=METRIC,
            mode="min",
            search_alg=_optuna(plan),
            scheduler=_asha(plan),
            num_samples=plan.trials,
            time_budget_s=seconds,
            max_concurrent_trials=AT_ONCE,
            callbacks=[JsonLoggerCallback(), _mirror(open_trial), _meter(plan, time.monotonic)],
            raise_on_failed_trial=False,
            verbose=0,
        )
        return [_trial(t, plan) for t in done.trials]


def spent_seconds(plan: Plan) -> float:
    """Return how long trials have run in a search, in all its attempts together."""
    return float(read_json(_note(plan)).get("seconds", 0.0))


def _note(plan: Plan) -> Path:
    return plan.folder / "spent.json"


def _has_begun(plan: Plan) -> bool:
    return any((plan.folder / plan.name).glob("experiment_state-*.json"))


def _begun(plan: Plan) -> list[Trial]:
    """Read the trials of a search that was killed when its time was up; no Ray is started for that."""
    from ray.tune import ExperimentAnalysis

    if not _has_begun(plan):
        return []
    folder = str((plan.folder / plan.name).resolve())
    return [_trial(t, plan) for t in ExperimentAnalysis(folder).trials or []]


def _optuna(plan: Plan) -> "Searcher":
    """Say what is tried: the usual recipe first, then what Optuna proposes."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    usual = _usual(plan)
    return OptunaSearch(
        {name: _distribution(name, d) for name, d in plan.space.items()},
        metric=METRIC,
        mode="min",
        seed=plan.recipe.seed,
        points_to_evaluate=[usual] if _is_within(usual, plan.space) else None,
    )


def _asha(plan: Plan) -> "TrialScheduler":
    """Say which trial is ended before its time: one whose loss is among the worse half when it is looked at."""
    from ray.tune.schedulers import ASHAScheduler

    steps = plan.recipe.sft_steps
    if varied := plan.space.get("sft_steps"):
        steps = int(max((*map(float, varied.choices), varied.high)))
    first = max(steps // FIRST_LOOK, 1)
    return ASHAScheduler(
        time_attr=TIME, max_t=steps + 1, grace_period=first, reduction_factor=REDUCTION
    )


def _usual(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan.recipe, name) for name in plan.space}


def _distribution(name: str, dimension: Dimension) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if isinstance(getattr(Recipe(), name), int):
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _is_within(values: Mapping[str, Any], space: Space) -> bool:
    """Tell whether the usual recipe is a point of the space, so that it can be tried first."""
    return all(
        v in d.choices if (d := space[n]).choices else d.low <= v <= d.high
        for n, v in values.items()
    )


def _run_trial(config: dict[str, Any], given: Given) -> None:
    """Be one trial: train as the platform trains, and tell every held-out loss."""
    from ray import tune

    name = tune.get_context().get_trial_id()
    recipe = varied(given.recipe, config)
    said = _Teller(tune.report)
    folder = Path(given.folder) / "trials" / name
    metrics = train(
        *(given.base, given.examples, given.preferences, recipe, folder, said, log.info),
        # What judges the trials is of the training part: it is no test, and may be looked at on the way.
        watched=held_out(given.examples),
    )
    said.end(recipe.sft_steps + 1, float(metrics["heldout_loss_after"]))


class _Teller(Run):
    """A run that tells Tune: at every look at the held-out loss, all numbers since the last one."""

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._report, self._waiting = report, list[tuple[int, dict[str, float]]]()

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Keep one step's numbers until there is a held-out loss among them."""
        self._waiting.append((step, dict(values)))
        if "sft/heldout_loss" in values:
            self._tell(step, values["sft/heldout_loss"], finished=False)

    def summary(self, values: Mapping[str, object]) -> None:
        """Pass: the last word is `end`."""

    def end(self, step: int, loss: float) -> None:
        """Tell the held-out loss of the finished model."""
        self._tell(step, loss, finished=True)

    def _tell(self, step: int, loss: float, *, finished: bool) -> None:
        curve, self._waiting = self._waiting, []
        self._report({TIME: step, METRIC: loss, "finished": finished, "curve": curve})


def _mirror(open_trial: OpenTrial) -> "Callback":
    """Make what hears of every trial and passes it on to a run of its own."""
    from ray import tune

    class Mirror(tune.Callback):
        def __init__(self) -> None:
            self.runs: dict[str, Run] = {}

        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
        ) -> None:
            name = str(trial.trial_id)
            if name not in self.runs:
                self.runs[name] = open_trial(name, trial.config)
            for step, values in result["curve"]:
                self.runs[name].log(values, step)
            self.runs[name].summary({METRIC: result[METRIC], TIME: result[TIME]})
            log.info("trial %s step %d: held-out loss %.4f", name, result[TIME], result[METRIC])

    return Mirror()


def _meter(plan: Plan, clock: Callable[[], float]) -> "Callback":
    """Make what notes on the way how much of the time is spent: nobody is told of a kill."""
    from ray import tune

    class Meter(tune.Callback):
        def __init__(self) -> None:
            self.before, self.noted = spent_seconds(plan), 0.0
            self.began: float | None = None

        def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:
            self.began = clock() if self.began is None else self.began
            if clock() - self.began - self.noted >= NOTED_EVERY:
                self._note()

        def on_experiment_end(self, trials: list[Any], **_: Any) -> None:
            self._note()

        def _note(self) -> None:
            self.noted = clock() - self.began if self.began is not None else 0.0
            write_json(_note(plan), {"seconds": self.before + self.noted})

    return Meter()


def _trial(trial: Any, plan: Plan) -> Trial:
    """Read what Tune has kept of a trial."""
    file = Path(trial.path) / "result.json"
    told = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    ended: Ended = "finished" if told and told[-1]["finished"] else "ended early"
    error = ""
    if trial.status == trial.ERROR:
        ended, error = "failed", complaint(_error_of(trial))
    values = {name: trial.config[name] for name in plan.space}
    return Trial(
        id=str(trial.trial_id),
        values=values,
        # What a kill cut short was told again.
        losses=tuple(sorted({int(r[TIME]): float(r[METRIC]) for r in told}.items())),
        ended=ended,
        seconds=float(told[-1]["time_total_s"]) if told else 0.0,
        error=error,
        usual=values == _usual(plan),
    )


def _error_of(trial: Any) -> str:
    file = trial.error_file
    return Path(file).read_text() if file and Path(file).exists() else "It said nothing."
