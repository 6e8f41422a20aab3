"""Trials without a Ray: what Optuna proposes, when ASHA ends a trial, and what a trial tells on its way."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include import search_ray
from include.search_ray import METRIC, TIME, Plan, _asha, _meter, _optuna, _Teller, spent_seconds
from include.settings import Settings
from ml.space import Dimension
from ml.train import Recipe

SPACE = {
    "learning_rate": Dimension(1e-3, 1e-1, log=True),
    "lora_rank": Dimension(choices=(4, 16)),
    "batch": Dimension(2, 6),
}


def plan(**changes: Any) -> Plan:
    recipe = Recipe(sft_steps=8, dpo_steps=0, learning_rate=0.01, lora_rank=16, batch=4, seed=3)
    told = {"space": SPACE, "recipe": recipe, "folder": Path("nowhere"), **changes}
    return Plan("s1", trials=4, seconds=9.0, **told)


def proposals(made: Plan, count: int) -> list[dict[str, Any]]:
    """Ask for trials one after another, each told to be better the smaller its rate."""
    search, asked = _optuna(made), []
    for number in range(count):
        asked.append(search.suggest(f"t{number}"))
        result = {METRIC: asked[-1]["learning_rate"], TIME: 9, "training_iteration": 1}
        search.on_trial_complete(f"t{number}", result)
    return asked


def test_the_usual_recipe_is_tried_first_and_the_rest_stays_inside_the_space() -> None:
    first, *others = proposals(plan(), 8)

    assert first == {"learning_rate": 0.01, "lora_rank": 16, "batch": 4}
    for tried in others:
        assert 1e-3 <= tried["learning_rate"] <= 1e-1 and tried["lora_rank"] in (4, 16)
        assert tried["batch"] in range(2, 7) and isinstance(tried["batch"], int)
    assert proposals(plan(), 8) == [first, *others]


def test_a_usual_recipe_outside_the_space_is_not_tried() -> None:
    (first,) = proposals(plan(space={"learning_rate": Dimension(0.1, 0.2)}), 1)

    assert 0.1 <= first["learning_rate"] <= 0.2


def scheduled(made: Plan, told: list[tuple[str, int, float]]) -> list[str]:
    """Let the scheduler hear of trials, and return what it decides each time."""
    scheduler = _asha(made)
    scheduler.set_search_properties(METRIC, "min")
    trials = {
        name: SimpleNamespace(trial_id=name, stub=False, evaluated_params={}) for name, _, _ in told
    }
    for trial in trials.values():
        scheduler.on_trial_add(None, trial)
    return [
        scheduler.on_trial_result(None, trials[name], {TIME: step, METRIC: loss})
        for name, step, loss in told
    ]


def test_a_trial_that_falls_behind_at_a_look_is_ended_and_the_others_train_to_their_end() -> None:
    told = [("a", 2, 2.0), ("b", 2, 3.0), ("a", 4, 1.5), ("c", 2, 1.0), ("a", 8, 1.2)]

    assert scheduled(plan(), told) == ["CONTINUE", "STOP", "CONTINUE", "CONTINUE", "CONTINUE"]
    assert scheduled(plan(), [("a", 9, 1.0)]) == ["STOP"]
    longer = plan(space={"sft_steps": Dimension(4, 20)})
    assert scheduled(longer, [("a", 20, 1.0), ("a", 21, 1.0)]) == ["CONTINUE", "STOP"]


def test_a_trial_tells_at_every_look_all_its_numbers_since_the_last_one() -> None:
    heard: list[dict[str, Any]] = []
    teller = _Teller(heard.append)

    teller.log({"sft/loss": 3.0}, 1)
    teller.log({"sft/loss": 2.5}, 2)
    teller.log({"sft/heldout_loss": 2.75}, 2)
    teller.log({"sft/loss": 2.25}, 3)
    teller.summary({"anything": 1})
    teller.end(4, 2.5)

    assert [(h[TIME], h[METRIC], h["finished"]) for h in heard] == [
        (2, 2.75, False),
        (4, 2.5, True),
    ]
    looked = [(1, {"sft/loss": 3.0}), (2, {"sft/loss": 2.5}), (2, {"sft/heldout_loss": 2.75})]
    assert heard[0]["curve"] == looked and heard[1]["curve"] == [(3, {"sft/loss": 2.25})]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_training_is_looked_at_too(steps: int) -> None:
    short = plan(recipe=Recipe(sft_steps=steps, learning_rate=0.01))

    assert scheduled(short, [("a", steps, 1.0), ("a", steps + 1, 1.0)])[-1] == "STOP"


def spend(made: Plan, ticks: list[float], *, killed: bool) -> None:
    """Let the meter of one attempt hear of a step at each of some times."""
    clock = [0.0]
    meter = _meter(made, lambda: clock[0])
    for clock[0] in ticks:
        meter.on_step_begin(iteration=0, trials=[])
    if not killed:
        meter.on_experiment_end(trials=[])


def test_what_a_killed_search_has_spent_is_kept_and_counts(tmp_path: Path) -> None:
    made = plan(folder=tmp_path)
    assert spent_seconds(made) == 0

    spend(made, [100.0, 100.5, 102.0, 102.5], killed=True)
    assert spent_seconds(made) == 2.0
    spend(made, [7.0, 7.5], killed=True)
    assert spent_seconds(made) == 2.0
    spend(made, [50.0, 53.0, 53.5], killed=False)
    assert spent_seconds(made) == 5.5


@pytest.mark.parametrize(("earlier", "left"), [([], 9.0), ([0.0, 4.0], 5.0)])
def test_a_search_is_given_the_rest_of_its_time(
    earlier: list[float], left: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray.tune

    made, told = plan(folder=tmp_path), {}
    spend(made, earlier, killed=True)
    monkeypatch.setattr(search_ray, "connected", lambda settings: nullcontext())
    monkeypatch.setattr(ray, "cluster_resources", dict)
    monkeypatch.setattr(ray.tune, "with_parameters", lambda *_, **__: lambda _: None)
    monkeypatch.setattr(
        ray.tune, "run", lambda *_, **options: told.update(options) or SimpleNamespace(trials=[])
    )

    assert search_ray.run_trials(Settings(data_dir=tmp_path), made, None, None) == []
    assert told["time_budget_s"] == left


def test_a_search_whose_time_was_spent_before_a_trial_began_starts_no_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(folder=tmp_path)
    spend(made, [0.0, 9.0], killed=True)
    monkeypatch.setattr(search_ray, "connected", lambda settings: pytest.fail("a Ray was started"))

    assert search_ray.run_trials(Settings(data_dir=tmp_path), made, None, None) == []
