"""W&B online: what its own client brings to a stand-in for its server, and that no run depends on the server."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port
from PIL import Image
from search_world import search_world
from test_tracking import read_back
from wandb_server import WandbServer, wandb_server

from include import registry
from include.comparing import compare_runs
from include.learning import train_model
from include.settings import Settings
from ml import tracking
from ml.tracking import CURVE, ending_together, open_run, read_curve

SAID = "What nobody but the author says."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbServer]:
    with wandb_server(tmp_path_factory.mktemp("user") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def trained(
    server: WandbServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, str]:
    """Train online as the platform does, and compare the one training with itself."""
    world = search_world(tmp_path_factory.mktemp("online"), tiny_base, wandb_mode="online")
    model_id = str(train_model(world, "d0")["model_id"])
    compare_runs(world)
    return world, model_id


def write_run(
    folder: Path, mode: str, name: str, midway: Callable[[], None] = lambda: None
) -> None:
    """Open a run that has one of everything; something may happen midway."""
    made = folder / "made"
    made.mkdir(parents=True, exist_ok=True)
    (made / "weights").write_bytes(b"weights")
    page, image = made / "page.html", made / "image.png"
    page.write_text(f"<p>{SAID}</p>")
    Image.new("RGB", (4, 4)).save(image)
    with open_run("twin", "train", name, {"seed": 7}, folder / "runs", mode, "search-1") as run:
        run.uses("dataset-d1", "dataset", page)
        midway()
        for step in (1, 2, 3):
            run.log({"sft/loss": 3.0 - step, "sft/grad_norm": step / 8}, step)
        run.table("samples", ("prompt", "said"), [["a?", SAID], ["c?", "d"]])
        run.picture("corpus", image, page)
        run.page("comparison", page)
        run.artifact("model-m1", "model", [made / "weights"])
        run.summary({"heldout_loss_after": 2.5})


def timeless(value: Any, run_id: str) -> Any:
    """Leave out of what a server holds what another run would have otherwise: times, ids, machines."""
    if isinstance(value, dict):
        passing = ("_timestamp", "_runtime", "_wandb", "artifact_path", "_latest_artifact_path")
        kept = {k: v for k, v in value.items() if k not in passing}
        return {k.replace(run_id, "RUN"): timeless(v, run_id) for k, v in kept.items()}
    if isinstance(value, list):
        return [timeless(v, run_id) for v in value]
    return value.replace(run_id, "RUN") if isinstance(value, str) else value


def held(server: WandbServer, name: str) -> dict[str, Any]:
    """Sum up what a server holds of a run, so that two can be compared."""
    run = server.run(name)
    versions = {v: server.artifacts[v] for v in (*run.used, *run.made)}
    files = {
        v.split(":")[0]: {n: b for n, b in a.files.items() if n != "wandb_manifest.json"}
        for v, a in versions.items()
    }
    told = {k: run.told[k] for k in ("groupName", "jobType", "project")}
    seen = {n: b for n, b in run.files.items() if n.startswith("media/")}
    rest = {"config": run.config, "exit": run.exit_code, "files": sorted(run.files)}
    lineage = {"used": sorted(run.used), "made": sorted(run.made), "of": files}
    streamed = {"history": run.history, "summary": run.summary}
    return timeless({**told, **rest, **lineage, **streamed, "media": seen}, run.told["name"])


def points(lines: list[dict[str, Any]], name: str) -> dict[int, float]:
    """Return a curve by its steps."""
    return {line.get("_step", line.get("step")): line[name] for line in lines if name in line}


def command(said: str) -> list[Path]:
    """Find in a warning which folder is to be sent later, by which command."""
    return [Path(p) for p in re.findall(r"wandb sync --include-online (\S+)", said)]


def test_a_training_arrives_with_every_point_its_recipe_and_its_end(
    server: WandbServer, trained: tuple[Settings, str]
) -> None:
    world, model_id = trained
    run = server.run(model_id)
    kept = read_curve(registry.model_files(world, model_id) / CURVE)

    for name in ("sft/loss", "sft/grad_norm", "sft/heldout_loss", "dpo/loss", "dpo/grad_norm"):
        assert points(run.history, name) == pytest.approx(points(kept, name)), name
    assert sorted(points(run.history, "sft/loss")) == [1, 2, 3, 4]
    assert all(v > 0 for v in points(run.history, "sft/tokens_per_second").values())
    measured = registry.read_model(world, model_id).metrics
    assert run.summary["heldout_loss_after"] == pytest.approx(measured["heldout_loss_after"])
    assert (run.config["sft_steps"], run.config["lora_rank"]) == (4, 16)
    assert (run.told["jobType"], run.told["project"], run.exit_code) == ("train", "llm-twin", 0)


def test_lineage_goes_from_the_dataset_over_the_training_to_who_used_the_model(
    server: WandbServer, trained: tuple[Settings, str]
) -> None:
    world, model_id = trained
    training, comparison = server.run(model_id), server.run("1 trainings")
    (dataset,), (model,) = training.used, training.made

    assert dataset.startswith("dataset-d0:") and model.startswith(f"model-{model_id}:")
    # The very version that the training made, not only one of its name.
    assert comparison.used == {model}
    for version, folder in (
        (dataset, registry.dataset_folder(world, "d0")),
        (model, registry.model_folder(world, model_id)),
    ):
        files = {
            str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()
        }
        kept = dict(server.artifacts[version].files)
        assert kept.pop("wandb_manifest.json") and kept == files
        assert server.artifacts[version].committed


def test_a_comparison_arrives_as_a_table_and_a_page(
    server: WandbServer, trained: tuple[Settings, str]
) -> None:
    world, model_id = trained
    run = server.run("1 trainings")
    table = json.loads(run.files[run.summary["trainings"]["path"]])

    assert table["columns"][0] == "training" and [row[0] for row in table["data"]] == [model_id]
    page = (world.data_dir / "artifacts" / "runs.html").read_bytes()
    assert run.files[run.summary["comparison"]["path"]] == page
    # Nothing was asked but what W&B's client has to ask to send something.
    assert server.unknown == []


def test_a_run_that_is_sent_later_is_the_same_as_one_that_was_online(
    server: WandbServer, tmp_path: Path
) -> None:
    write_run(tmp_path, "online", "at once")
    write_run(tmp_path, "offline", "later")
    (offline,) = tmp_path.glob("runs/wandb/offline-run-*")
    server.sync(offline)
    at_once, later = held(server, "at once"), held(server, "later")

    assert later == at_once
    assert at_once["groupName"] == "search-1" and at_once["config"] == {"seed": 7}
    assert points(at_once["history"], "sft/grad_norm") == {1: 0.125, 2: 0.25, 3: 0.375}
    assert [v.split(":")[0] for v in at_once["used"]] == ["dataset-d1"]
    assert [v.split(":")[0] for v in at_once["made"]] == ["model-m1", "run-RUN-samples"]
    assert at_once["of"]["model-m1"] == {"weights": b"weights"}
    assert len(at_once["media"]) == 4 and at_once["summary"]["heldout_loss_after"] == 2.5


def test_the_key_and_the_texts_stay_where_they_belong(
    server: WandbServer, trained: tuple[Settings, str], tmp_path: Path
) -> None:
    world, _ = trained
    write_run(tmp_path, "online", "kept")
    home = Path.home()
    places = (world.data_dir, tmp_path, home)
    files = [f for place in places for f in place.rglob("*") if f.is_file()]

    assert [f for f in files if server.key.encode() in f.read_bytes()] == []
    assert server.key not in json.dumps([r.told for r in server.runs.values()])
    # W&B's own log is all that it may leave in a user's home: no erasure looks there.
    theirs = [f for f in (home / ".cache" / "wandb").rglob("*") if f.is_file()]
    assert theirs and all(f.match("logs/core-debug-*.log") for f in theirs)
    assert [f for f in home.rglob("*") if f.is_file() and SAID.encode() in f.read_bytes()] == []


def test_a_failure_inside_marks_the_run_as_failed_at_the_server(
    server: WandbServer, tmp_path: Path
) -> None:
    with (
        pytest.raises(RuntimeError, match="boom"),
        open_run("twin", "train", "failing", {}, tmp_path, "online") as run,
    ):
        run.log({"loss": 1.0}, 1)
        raise RuntimeError("boom")

    assert server.run("failing").exit_code == 1
    assert points(server.run("failing").history, "loss") == {1: 1.0}


def test_a_server_that_fails_in_the_middle_costs_no_run_and_no_record(
    server: WandbServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = time.monotonic()
    with monkeypatch.context() as patch:
        for bound in ("RETRIES", "PAUSE_SECONDS", "END_SECONDS"):
            patch.setattr(tracking, bound, 1)
        patch.setattr(server, "failing", 0)
        write_run(tmp_path, "online", "interrupted", lambda: setattr(server, "failing", 500))
    took = time.monotonic() - began
    before = server.run("interrupted")

    assert took < 15 and before.exit_code is None and before.made == set()
    assert "W&B did not take all of a run" in caplog.text
    server.sync(*command(caplog.text))
    write_run(tmp_path / "other", "online", "undisturbed")
    assert held(server, "interrupted") == held(server, "undisturbed")


def test_runs_that_end_together_wait_together_and_fail_together(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound, value in (("RETRIES", 1), ("PAUSE_SECONDS", 1), ("END_SECONDS", 2)):
        monkeypatch.setattr(tracking, bound, value)
    monkeypatch.setattr(server, "failing", 0)
    names = [f"trial-{n}" for n in range(4)]
    with pytest.raises(RuntimeError, match="boom"), ending_together() as enter:
        for name in names:
            enter(open_run("twin", "trial", name, {}, tmp_path, "online")).log({"loss": 1.0}, 1)
        server.failing = 500
        began = time.monotonic()
        raise RuntimeError("boom")

    # One after the other they would have waited at least four times as long as one may.
    assert time.monotonic() - began < 4 * 2
    server.failing = 0
    server.sync(tmp_path / "wandb")
    assert [server.run(name).exit_code for name in names] == [1] * 4


@pytest.mark.parametrize("trouble", ["away", "failing", "wrong key", "no key"])
def test_a_server_that_takes_no_run_costs_a_warning_that_says_how_to_send_it(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking, "BEGIN_SECONDS", 0.5)
    with wandb_server(tmp_path / "home") as server:
        if trouble == "away":
            monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free_port()}")
        if trouble == "wrong key":
            monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
        if trouble == "no key":
            monkeypatch.delenv("WANDB_API_KEY")
        server.failing = 500 if trouble == "failing" else 0
        write_run(tmp_path, "online", "m1")
        records = read_back(tmp_path / "runs")

    run_id = next(r["value"].run_id for r in records if r["kind"] == "run")
    assert [r["value"].name for r in records if r["kind"] == "artifact"] == [
        *("dataset-d1", f"run-{run_id}-samples", "model-m1")
    ]
    # What was begun online is gone: it would be shown as one more run.
    kept = [f for f in tmp_path.glob("runs/wandb/*run-*") if f.name != "latest-run"]
    assert command(caplog.text) == kept and server.runs == {}
    reasons = {"no key": "set WANDB_API_KEY, or run `wandb login`", "wrong key": "who are you?"}
    assert reasons.get(trouble, "Timed out while retrying") in caplog.text
    assert "f" * 40 not in caplog.text
