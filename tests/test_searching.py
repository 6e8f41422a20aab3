"""A search for a recipe: real trials on a Ray of its own (include/search_ray.py), and a file that a training takes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml
from search_world import search_world, spread_examples
from test_tracking import items, records_of
from wandb_server import wandb_server

from include import recipes, registry
from include.searching import search_recipe
from include.services import child_environment
from include.settings import ROOT, Settings
from ml.fingerprint import FingerprintMismatch
from ml.search_page import Trial, best_trial

SPACE = json.dumps(
    {"lora_rank": {"choices": [2, 8, 16]}, "learning_rate": {"low": 1e-3, "high": 8e-3}}
)
JOBS = ("search", "trial")


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name where the trials of that search are kept, which removes them at its end."""
    return tmp_path_factory.mktemp("trials") / "kept"


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, trials: Path
) -> tuple[Settings, dict[str, object]]:
    """Search once, three trials of four steps, for the tests that only look."""
    world = search_world(tmp_path_factory.mktemp("searched"), tiny_base)
    keep = SimpleNamespace(rmtree=lambda folder, **_: folder.rename(trials))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("include.searching.shutil", keep)
        return world, search_recipe(world, 3, 10, SPACE)


@pytest.fixture
def world(tmp_path: Path, tiny_base: Path) -> Settings:
    return search_world(tmp_path, tiny_base, wandb_mode="disabled")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_best_of_the_trials_is_what_a_training_takes(searched) -> None:
    world, found = searched
    said = recipes.read_recipe(world, str(found["recipe"]))
    trials = said["evidence"]["trials"]

    best = min((t for t in trials if t["ended"] == "finished"), key=lambda t: t["loss"])
    taken = recipes.recipe_of(world.model_copy(update={"recipe": found["recipe"]}))

    assert (found["created"], found["trials"], found["best"]) == (True, 3, best["loss"])
    assert (taken.lora_rank, taken.learning_rate) == (best["lora_rank"], best["learning_rate"])
    assert (taken.sft_steps, taken.dpo_steps) == (world.sft_steps, world.dpo_steps)
    assert {t["ended"] for t in trials} <= {"finished", "ended early"}
    # The usual recipe is tried first, so the file can say what the search was worth.
    assert found["without_a_search"] >= found["best"]
    assert (said["dataset_id"], said["base_model"]) == ("d0", world.base_model)


@pytest.mark.slow
def test_a_search_that_is_sent_to_wandb_is_one_group_there(searched, tmp_path: Path) -> None:
    world, found = searched
    runs = world.data_dir / "wandb" / "wandb"
    shutil.copytree(runs, tmp_path / "wandb", symlinks=True)
    with wandb_server(tmp_path / "home") as server:
        server.sync(tmp_path / "wandb")

    assert {r.told["groupName"] for r in server.runs.values()} == {found["recipe"]}
    by_job = {job: [r for r in server.runs.values() if r.told["jobType"] == job] for job in JOBS}
    (search,), trials = by_job["search"], by_job["trial"]
    assert [v.split(":")[0] for v in search.used] == ["dataset-d0"] and search.summary["best_trial"]
    assert len(trials) == 3 and len({json.dumps(t.config) for t in trials}) == 3
    assert all("sft/loss" in t.history[0] and "heldout_loss" in t.summary for t in trials)
    assert {r.exit_code for r in server.runs.values()} == {0} and server.unknown == []


def test_a_search_asks_a_server_that_is_away_once_and_not_with_every_trial(
    world: Settings, tmp_path: Path, monkeypatch, caplog
) -> None:
    def two_trials(settings, plan, given, open_trial) -> list[Trial]:
        for name in ("t1", "t2"):
            open_trial(name, {"lora_rank": 2}).log({"sft/loss": 3.0}, 1)
        return [Trial("t1", {"lora_rank": 2, "learning_rate": 1e-3}, ((1, 3.0),), "finished", 1.0)]

    monkeypatch.setattr("include.searching.run_trials", two_trials)
    monkeypatch.setattr("ml.tracking.BEGIN_SECONDS", 0.5)
    online = world.model_copy(update={"wandb_mode": "online"})
    with wandb_server(tmp_path / "home") as server:
        server.failing = 500
        found = search_recipe(online, 2, 10, SPACE)
    files = list(world.data_dir.glob("wandb/wandb/offline-run-*/run-*.wandb"))
    told = [next(r["value"] for r in records_of(f) if r["kind"] == "run") for f in files]

    assert caplog.text.count("W&B took no run") == 1
    assert sorted((t.job_type, t.run_group) for t in told) == [
        (job, found["recipe"]) for job in ("search", "trial", "trial")
    ]


@pytest.mark.slow
def test_a_search_is_one_group_of_runs_that_used_the_dataset(searched) -> None:
    world, found = searched
    files = list(world.data_dir.glob("wandb/wandb/offline-run-*/run-*.wandb"))
    runs = {}
    for records in map(records_of, files):
        told = next(r["value"] for r in records if r["kind"] == "run")
        assert told.run_group == found["recipe"]
        runs[told.display_name] = (told.job_type, records)

    jobs = sorted(job for job, _ in runs.values())
    assert jobs == ["search", "trial", "trial", "trial"]
    _, records = runs[str(found["recipe"])]
    (used,) = [
        r["value"] for r in records if r["kind"] == "artifact" and r["value"].type == "dataset"
    ]
    assert (used.name, used.use_after_commit) == ("dataset-d0", True)
    for job, trial in runs.values():
        curve = [items(r["value"].item) for r in trial if r["kind"] == "history"]
        assert job == "search" or any("sft/loss" in step for step in curve)


@pytest.mark.slow
def test_a_search_that_is_finished_is_not_made_again_and_leaves_no_trials(searched) -> None:
    world, found = searched
    page = Path(str(found["picture"])).read_text()

    assert search_recipe(world, 3, 10, SPACE) == found | {"created": False}
    assert page.count("<circle") == 3 and "(usual)" in page and "(best)" in page
    assert list((world.data_dir / "searches").iterdir()) == []
    assert registry.list_models(world) == []


@pytest.mark.slow
def test_a_search_that_was_killed_when_its_time_was_up_ends_at_once_with_what_it_found(
    searched, trials: Path, tmp_path: Path, monkeypatch
) -> None:
    world, found = searched
    name, told = str(found["recipe"]), {"data_dir": tmp_path / "data", "wandb_mode": "disabled"}
    killed = world.model_copy(update=told)
    shutil.copytree(world.data_dir, killed.data_dir, ignore=shutil.ignore_patterns("wandb"))
    recipes.recipe_file(killed, name).unlink()
    state = shutil.copytree(trials, killed.data_dir / "searches" / name)
    evidence = recipes.read_recipe(world, name)["evidence"]
    spent = json.loads((state / "spent.json").read_text())["seconds"]
    assert spent > 0 and evidence["spent"] == f"{spent / 60:.1f} minutes"
    (state / "spent.json").write_text('{"seconds": 600.5}')
    monkeypatch.setattr("include.search_ray.connected", lambda _: pytest.fail("a Ray was started"))

    again = search_recipe(killed, 3, 10, SPACE)

    assert again["created"] and again["best"] == found["best"]
    said = recipes.read_recipe(killed, name)["evidence"]
    assert said == evidence | {"spent": "10.0 minutes"}


def test_what_cannot_be_searched_is_a_sentence(world: Settings) -> None:
    empty = world.model_copy(update={"artifacts_url": str(world.data_dir / "nothing")})
    wrong = [
        (
            world,
            (),
            {"author": "tobias-reck"},
            ValueError,
            "words of 'maren-oduya', not of 'tobias",
        ),
        (world, (), {"space": "huge"}, ValueError, "The space 'huge' is neither"),
        (world, (-1, 1), {}, ValueError, "a trial and a minute at least"),
        (empty, (), {}, LookupError, "no dataset to search on. Run build_dataset first"),
        (
            world.model_copy(update={"leak_words": 2}),
            (),
            {},
            ValueError,
            "nothing is left to learn",
        ),
        (world.model_copy(update={"chunk_tokens": 90}), (), {}, FingerprintMismatch, "Dataset d0"),
    ]
    for settings, budget, options, kind, said in wrong:
        with pytest.raises(kind, match=said):
            search_recipe(settings, *budget, **options)
    assert recipes.list_recipes(world) == []


def test_trials_never_see_the_test_split() -> None:
    tested = [e for e in spread_examples() if e.split == "test"]

    assert tested and {e.span.document_id for e in tested} == {"d5"}
    with pytest.raises(RuntimeError, match="None of 1 trials was judged"):
        best_trial([Trial("t", {}, (), "failed", 0.0)])


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_search_that_was_killed_goes_on_and_ended_trials_stay_ended(world: Settings) -> None:
    command = [sys.executable, "-m", "include", "search_recipe", "4", "20", SPACE]
    state = world.data_dir / "searches"
    ran = subprocess.Popen(command, cwd=ROOT, env=child_environment(world))
    until = time.monotonic() + 900
    while not (ended := finished(state)) and time.monotonic() < until:
        assert ran.poll() is None, "the search ended before it could be killed"
        time.sleep(0.2)
    (note,) = state.glob("*/spent.json")
    spent = json.loads(note.read_text())["seconds"]
    children = psutil.Process(ran.pid).children(recursive=True)
    os.kill(ran.pid, signal.SIGKILL)
    ran.wait()
    _, alive = psutil.wait_procs(children, timeout=60)

    found = search_recipe(world, 4, 20, SPACE)
    evidence = yaml.safe_load(Path(str(found["file"])).read_text())["evidence"]
    said, minutes = evidence["trials"], float(evidence["spent"].split()[0])

    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert ended and found["created"] and found["trials"] == 4
    assert spent > 0 and minutes >= round(spent / 60, 1)
    assert ended.items() <= {t["trial"]: t["loss"] for t in said}.items()


def finished(state: Path) -> dict[str, float]:
    """Read which trials are finished, and how they ended."""
    lines = [f.read_text().splitlines() for f in state.rglob("result.json")]
    last = [json.loads(told[-1]) for told in lines if told]
    return {r["trial_id"]: round(r["heldout_loss"], 5) for r in last if r["finished"]}
