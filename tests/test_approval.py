"""A person has the last word (TWIN_APPROVAL=human): the form in a real Airflow, answered through its API, or not."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders import model_version
from conftest import empty_database

from include import registry
from include.airflow_services import airflow_environment, prepare_airflow
from include.keys import airflow_login
from include.services import child_environment
from include.settings import ROOT, Settings
from ml.evaluate import Scores

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

ANSWERS = ("nobody", "Promote", "Keep the champion")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mongo_url: str) -> Settings:
    """Make a world with one model that passes the gate, and whose endpoint nobody runs."""
    empty_database(mongo_url)
    folder = tmp_path_factory.mktemp("approval")
    made = Settings(
        data_dir=folder / "data",
        mongo_url=mongo_url,
        approval="human",
        serve_dashboard_url="http://127.0.0.1:9",
    )
    weights = folder / "weights"
    weights.mkdir()
    (weights / "adapter_model.safetensors").write_bytes(b"weights")
    registry.publish_model(made, weights, replace(model_version("m1", "f1"), dataset_id="d1"))
    better, base = (Scores((loss,) * 40, (0.6,) * 12, (0.0,) * 12, 50.0) for loss in (4.0, 5.0))
    scores = {"candidate": better.as_dict(), "base": base.as_dict(), "champion_id": ""}
    registry.write_evaluation(made, "m1", scores)
    return made


@pytest.fixture(scope="module")
def told(world: Settings) -> dict[str, dict]:
    """Run the DAG once for each answer, and return what each run told."""
    environment = child_environment(world)
    prepare_airflow(world, Path(sys.executable).with_name("airflow"), environment)
    ran = subprocess.run(
        [
            *(sys.executable, str(ROOT / "tests" / "run_approval.py")),
            *(":".join(airflow_login(world)), *ANSWERS),
        ],
        env=environment | airflow_environment(world) | {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return dict(zip(ANSWERS, json.loads(ran.stdout.splitlines()[-1]), strict=True))


def states(run: dict) -> dict[str, str]:
    return {name: task["state"] for name, task in run["tasks"].items()}


def test_the_form_shows_the_reasons_and_opens_the_decision_record(told):
    form = told["Keep the champion"]["form"]

    assert form["subject"] == "Promote model m1?"
    assert form["options"] == ["Promote", "Keep the champion"]
    assert "Held-out loss is surely lower than that of its base model" in form["body"]
    assert "[Decision record](/twin/pages/verdicts/m1.html)" in form["body"]


def test_whoever_keeps_the_champion_ends_the_run_without_a_roll_out(told, world):
    run = told["Keep the champion"]

    assert run["form"]["status"] == 200
    assert states(run)["ask_a_person"] == "success" and states(run)["roll_out"] == "skipped"
    verdict = registry.read_verdict(world, "m1")
    assert verdict["promote"] is False
    assert verdict["reasons"][-1] == "admin was asked and chose: Keep the champion."


def test_whoever_promotes_lets_the_run_go_on_to_the_roll_out(told):
    run = told["Promote"]

    # Nobody runs the endpoint of this world, so the roll-out is tried and fails, and the champion stays.
    assert states(run) == {
        "next_candidate": "success",
        "decide_promotion": "success",
        "who_decides": "success",
        "ask_a_person": "success",
        "roll_out": "failed",
    }


def test_without_an_answer_the_candidate_is_held_and_asked_about_again(told, world):
    run = told["nobody"]

    assert run["form"]["options"] == ["Promote", "Keep the champion"]
    assert states(run)["ask_a_person"] == "failed"
    assert states(run)["roll_out"] == "upstream_failed"
    assert told["Promote"]["tasks"]["next_candidate"]["value"] == "m1"
    assert registry.champion(world) is None
