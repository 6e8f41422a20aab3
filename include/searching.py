"""Search for a better recipe: trials on the training part of the newest dataset, inside a stated budget.

Some documents of that part judge the trials; the test split is never looked at, so a model that is
trained by what was found can still be evaluated. How trials run is told in `include/search_ray.py`.
"""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.circumstances import circumstances
from include.experiments import dataset_artifact, open_experiment
from include.indexing import index_mark
from include.learning import base_folder
from include.recipes import list_recipes, read_recipe, recipe_file, usual_recipe, write_recipe
from include.search_ray import Given, Plan, run_trials, spent_seconds
from include.settings import Settings
from include.withdrawals import withdrawn
from ml.fingerprint import check, model_fingerprint
from ml.models import identity, learning_rate
from ml.search_page import Trial, best_trial, draw_search, ranked
from ml.space import described, hold_out, read_space, varied
from ml.tracking import Run, ending_together
from ml.train import Recipe
from ml.types import digest

log = logging.getLogger(__name__)


def search_recipe(
    settings: Settings, trials: int = 0, minutes: int = 0, space: str = "small", author: str = ""
) -> dict[str, object]:
    """Search the recipe that learns most from the newest dataset; writes it where `TWIN_RECIPE` finds it.

    Without `trials` and `minutes` the settings' budget is taken. A search that was killed goes on with the rest of it.
    """
    if author not in ("", settings.author):
        raise ValueError(
            f"The datasets hold the words of {settings.author!r}, not of {author!r}. Set TWIN_AUTHOR and build one."
        )
    dataset_id = _newest_dataset(settings)
    usual = _as_judged(settings)
    within = read_space(space, usual.learning_rate or 0.0)
    budget = (trials or settings.search_trials, minutes or settings.search_minutes)
    if min(budget) < 1:
        raise ValueError(f"A search needs a trial and a minute at least, not {budget}.")
    asked = json.dumps([asdict(usual), described(within), budget, settings.search_share])
    search_id = digest("search", dataset_id, settings.base_model, asked)[:16]
    if search_id in list_recipes(settings):
        return _told(settings, search_id, created=False)
    folder = settings.data_dir / "searches" / search_id
    plan = Plan(search_id, within, usual, budget[0], 60.0 * budget[1], folder)
    found = _run(settings, plan, dataset_id)
    facts = _facts(settings, plan, dataset_id, found)
    write_recipe(settings, search_id, facts, draw_search(found, facts["evidence"]))  # type: ignore[arg-type]
    shutil.rmtree(folder, ignore_errors=True)
    return _told(settings, search_id, created=True)


def _newest_dataset(settings: Settings) -> str:
    """Name the dataset to search on: the newest, if this installation would train on it."""
    versions = [d for d in registry.list_datasets(settings) if not withdrawn(settings, d)]
    if not versions:
        raise LookupError("There is no dataset to search on. Run build_dataset first.")
    ours = model_fingerprint(index_mark(settings), settings.base_model)
    theirs = registry.read_dataset(settings, versions[-1]).fingerprint
    check(ours, theirs, f"Dataset {versions[-1]}", "Run build_dataset again.")
    return versions[-1]


def _as_judged(settings: Settings) -> Recipe:
    """Return the usual recipe as trials run it: without DPO, which a held-out loss does not judge."""
    usual = usual_recipe(settings)
    rate = usual.learning_rate or learning_rate(base_folder(settings))
    return replace(usual, dpo_steps=0, learning_rate=rate)


def _run(settings: Settings, plan: Plan, dataset_id: str) -> list[Trial]:
    """Run the trials; W&B shows each as a run of the search's group, and the search as one more."""
    examples, pairs = hold_out(
        registry.read_examples(settings, dataset_id),
        registry.read_preferences(settings, dataset_id),
        settings.search_share,
        settings.seed,
        settings.leak_words,
    )
    base, told = base_folder(settings), str(plan.folder)
    given = Given(base, tuple(examples), tuple(pairs), plan.recipe, told)
    config = {"space": described(plan.space), "trials": plan.trials, "seconds": plan.seconds}
    with (
        open_experiment(settings, "search", plan.name, config, plan.name) as run,
        ending_together() as enter,
    ):
        run.uses(*dataset_artifact(settings, dataset_id))
        mode = run.mode

        def open_trial(name: str, values: Mapping[str, object]) -> Run:
            nonlocal mode
            told = settings.model_copy(update={"wandb_mode": mode})
            trial = enter(open_experiment(told, "trial", f"{plan.name}-{name}", values, plan.name))
            # A server that was away for one is not waited for again with the next.
            mode = trial.mode
            return trial

        found = run_trials(settings, plan, given, open_trial)
        _show(run, plan, found)
    return found


def _show(run: Run, plan: Plan, found: Sequence[Trial]) -> None:
    """Let the search's own run say how its trials compare."""
    best, names = best_trial(found), sorted(plan.space)
    rows = [[t.id, *(t.values.get(n) for n in names), t.steps, t.loss, t.ended] for t in found]
    run.table("trials", ("trial", *names, "steps", "heldout_loss", "ended"), rows)
    run.summary({"best_trial": best.id, "best_heldout_loss": best.loss, **best.values})


def _facts(
    settings: Settings, plan: Plan, dataset_id: str, trials: Sequence[Trial]
) -> dict[str, object]:
    """Say what was found, and by what evidence."""
    best = best_trial(trials)
    usual = next((t.loss for t in trials if t.usual and t.losses), None)
    recipe = varied(plan.recipe, {**best.values, "dpo_steps": settings.dpo_steps})
    evidence: dict[str, object] = {
        "judged by": "held-out loss on documents of the training part, nats per token",
        "best": round(best.loss, 5),
        "without a search": None if usual is None else round(usual, 5),
        "best trial": best.id,
        "space": described(plan.space),
        "budget": f"{plan.trials} trials, {plan.seconds / 60:.0f} minutes",
        "spent": f"{spent_seconds(plan) / 60:.1f} minutes",
        "seed": settings.seed,
        "trials": [_line(t) for t in ranked(trials)],
    }
    return {
        "id": plan.name,
        "found_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_model": settings.base_model,
        "base_identity": identity(Path(base_folder(settings))),
        "dataset_id": dataset_id,
        "author": settings.author,
        "recipe": asdict(recipe),
        "evidence": evidence,
        "circumstances": circumstances(),
    }


def _line(trial: Trial) -> dict[str, object]:
    said = {"trial": trial.id, **trial.values, "steps": trial.steps, "ended": trial.ended}
    loss = round(trial.loss, 5) if trial.losses else None
    return {**said, "loss": loss, "seconds": round(trial.seconds, 1), "error": trial.error}


def _told(settings: Settings, search_id: str, *, created: bool) -> dict[str, object]:
    said = read_recipe(settings, search_id)
    evidence = said["evidence"]
    log.info("recipe %s: %s", search_id, said["recipe"])
    return {
        "recipe": search_id,
        "created": created,
        "best": evidence["best"],
        "without_a_search": evidence["without a search"],
        "trials": len(evidence["trials"]),
        "file": str(recipe_file(settings, search_id)),
        "picture": str(recipe_file(settings, search_id).with_suffix(".html")),
    }
