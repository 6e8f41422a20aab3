"""Rolling models out and back over HTTP, on a real Ray Serve: the champion moves last, and what fails is undone."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from openai import NotFoundError
from serving_world import ask, call, client, publish_broken, publish_copy

from include import registry
from include.documents import open_documents
from include.evaluation import next_candidate
from include.services import child_environment
from include.settings import Settings
from include.withdrawals import mark_stale
from ml.fingerprint import FingerprintMismatch
from ml.types import ModelVersion
from serving import deploy
from serving.deploy import (
    RESTORE_SECONDS,
    DeployFailed,
    Unfit,
    await_model,
    main,
    roll_back,
    roll_out,
    status,
)
from serving.shelf import offered

pytestmark = pytest.mark.services


@pytest.fixture
def world(deployed):
    return deployed.world


@pytest.fixture(scope="module")
def second(deployed):
    return publish_copy(deployed.world, deployed.model_id, "deploy-second")


PASSED = {"promote": True, "reasons": ["It is better."], "evidence": {"examples": 3.0}}


def passed(world, model_id, champion):
    """Let a model have passed its gate."""
    registry.write_evaluation(world, model_id, {"champion_id": champion})
    registry.write_verdict(world, model_id, PASSED)


@pytest.fixture
def stock(deployed):
    return client(deployed.world, deployed.url)


@pytest.fixture
def first(deployed):
    """Begin with the world's first model as the champion."""
    roll_out(deployed.world, deployed.model_id)
    return deployed.model_id


def test_a_rolled_out_model_is_the_champion_and_answers(world, first, second, stock):
    told = roll_out(world, second)

    assert (told["model_id"], told["replicas"]) == (second, 1)
    assert told["canary"] == "Nobody asked meanwhile: its golden questions alone count."
    assert (registry.champion(world), registry.previous(world)) == (second, first)
    assert ask(stock).model_version == second


def test_rolling_out_twice_changes_nothing(world, first, second):
    roll_out(world, second)
    roll_out(world, second)

    assert (registry.champion(world), registry.previous(world)) == (second, first)


def test_a_model_that_cannot_be_loaded_is_undone_and_the_next_one_is_not_blamed(
    world, first, second, stock, deployed
):
    broken = publish_copy(world, first, "deploy-truncated", truncate=True)

    passed(world, broken, first)

    with pytest.raises(Unfit) as raised:
        roll_out(world, broken)
    state = call(world, deployed.url).get("/model").json()

    assert f"Model {broken} was not rolled out: A replica could not load it" in str(raised.value)
    back = re.search(rf"The endpoint is back on {first} after ([\d.]+) s\.$", str(raised.value))
    assert float(back[1]) < RESTORE_SECONDS
    assert registry.champion(world) == first
    assert (state["model_id"], state["status"], state["error"]) == (first, "ready", "")
    assert ask(stock).model_version == first
    turned_down = registry.why_turned_down(world, broken)
    assert turned_down.startswith("It was not rolled out: A replica could not load it")
    assert f"twin@{broken}" not in offered(world) and next_candidate(world) != broken
    assert roll_out(world, second)["model_id"] == second


def test_a_model_that_fails_its_golden_questions_is_turned_down_and_comes_no_more(
    world, first, stock
):
    broken = publish_broken(world, first, "deploy-broken")
    passed(world, broken, first)
    assert f"twin@{broken}" in offered(world)

    with pytest.raises(Unfit, match="To 'Write .*' it answered 503: .*model failed"):
        roll_out(world, broken)

    assert registry.champion(world) == first and next_candidate(world) != broken
    verdict = registry.read_verdict(world, broken)
    assert verdict["reasons"][0] == "It is better."
    assert "it answered 503" in registry.why_turned_down(world, broken)
    with pytest.raises(NotFoundError, match=f"There is no model 'twin@{broken}'"):
        ask(stock, model=f"twin@{broken}")


def test_a_model_of_another_installation_is_refused_before_anything_moves(world, first, deployed):
    publish_copy(world, first, "deploy-foreign", fingerprint="0" * 32)

    with pytest.raises(FingerprintMismatch, match="train a new one with this installation"):
        roll_out(world, "deploy-foreign")
    assert call(world, deployed.url).get("/model").json()["wish"] == first


def test_a_model_that_does_not_exist_is_named(world, first):
    with pytest.raises(LookupError, match="no finished model 'nobody'"):
        roll_out(world, "nobody")
    assert registry.champion(world) == first


def test_an_endpoint_that_nobody_reaches_is_not_the_models_fault(world, first, second):
    passed(world, second, first)
    strict = world.model_copy(update={"serve_url": "http://127.0.0.1:9"})

    with pytest.raises(DeployFailed, match="Connection refused.*is back on") as raised:
        roll_out(strict, second)

    assert registry.champion(world) == first and not isinstance(raised.value, Unfit)
    assert registry.read_verdict(world, second) == PASSED
    assert f"twin@{second}" in offered(world)


def test_rolling_back_brings_the_previous_one_and_keeps_the_left_one_from_coming_back(
    world, first, second, stock
):
    roll_out(world, second)
    passed(world, second, first)

    assert roll_back(world)["model_id"] == first
    assert (registry.champion(world), registry.previous(world)) == (first, second)
    assert ask(stock).model_version == first
    assert registry.read_verdict(world, second) == {
        **PASSED,
        "promote": False,
        "reasons": [*PASSED["reasons"], f"It was rolled back to {first} by hand."],
        "ask": False,
    }
    assert next_candidate(world) is None
    assert f"twin@{second}" not in offered(world)

    with pytest.raises(PermissionError, match=f"{second} was turned down .It was rolled back to"):
        roll_back(world)
    assert ask(stock).model_version == first

    roll_out(world, second)
    reasons = registry.read_verdict(world, second)["reasons"]
    assert reasons[-1] == "It was rolled out by hand after that."
    assert registry.why_turned_down(world, second) == ""


def test_a_canary_that_a_killed_roll_out_left_beside_the_champion_is_taken_back(
    world, first, second, stock
):
    deploy.deploy(world, first, second, 50)
    await_model(world, first, 30, second)
    impatient = "import serving.deploy as d; d.ROLL_OUT_SECONDS = 0.1; d.main(['keep'])"
    hasty = child_environment(world) | {"TWIN_CANARY_SECONDS": "0"}
    with subprocess.Popen([sys.executable, "-c", impatient], env=hasty) as keeper:
        try:
            assert await_model(world, first, 30) == 1
        finally:
            keeper.terminate()

    assert keeper.returncode == 0
    assert ask(stock).model_version == first


def test_the_state_says_what_runs_and_what_the_replicas_hold(world, first):
    told = status(world)

    assert told["applications"] == {"twin": "RUNNING"}
    assert [r["model_id"] for r in told["replicas"]] == [first]
    assert [r["_id"] for r in told["replicas"]] == told["running"]


def test_the_command_line_rolls_out_too(world, first, second):
    done = subprocess.run(
        [sys.executable, "-m", "serving.deploy", "roll_out", second],
        env=child_environment(world),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert f"'model_id': '{second}'" in done.stdout
    assert registry.champion(world) == second


def test_an_unknown_verb_is_answered_with_the_known_ones(capsys):
    assert main(["explode"]) == 2
    assert capsys.readouterr().err == "use one of: keep, roll_out, roll_back, status\n"


def test_without_a_previous_champion_there_is_no_way_back(tmp_path):
    with pytest.raises(LookupError, match="no previous champion"):
        roll_back(Settings(data_dir=tmp_path))


def test_a_model_that_learned_what_was_forgotten_since_does_not_come_back(tmp_path):
    world = Settings(data_dir=tmp_path)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "adapter_model.safetensors").write_bytes(b"weights")
    names = dict.fromkeys(("parent", "dataset_id", "base_model", "fingerprint"), "any")
    for day, name in enumerate(("elder", "younger"), 1):
        made = datetime(2026, 3, day, tzinfo=UTC)
        facts = {"feature_service": "s", "recipe": {}, "metrics": {}, "files": {}}
        version = ModelVersion(name, created_at=made, **names, **facts)
        registry.publish_model(world, tmp_path / "made", version)
        registry.move_champion(world, name)
    mark_stale(world, "elder", {"d1": "a document of it was forgotten on 2026-03-03"})

    with pytest.raises(
        PermissionError, match="elder learned what was forgotten since .1 documents"
    ):
        roll_back(world)

    assert registry.champion(world) == "younger" and registry.read_verdict(world, "younger") == {}


def test_replicas_that_say_nothing_are_not_waited_for_without_end(settings):
    with pytest.raises(DeployFailed, match="After 1 s the replicas say: nothing"):
        await_model(settings, "m1", 1.0)


def test_a_replica_that_runs_and_is_not_heard_is_waited_for(settings, site):
    runs = {"r1": "RUNNING", "r2": "RUNNING", "r3": "STARTING"}
    told = [{"replica_id": name, "state": state} for name, state in runs.items()]
    its = {"deployments": {"Generator": {"replicas": told}}}
    site.pages["/api/serve/applications/"] = json.dumps({"applications": {"twin": its}})
    world = settings.model_copy(update={"serve_dashboard_url": site.url})
    ready = {"status": "ready", "model_id": "m1", "wish": "m1", "error": "", "canary": ""}
    with open_documents(world) as documents:
        documents.put_replica("r1", ready, datetime.now(UTC))
        with pytest.raises(DeployFailed, match=r"Ray Serve runs others that are silent: \['r2'\]"):
            await_model(world, "m1", 0.5)
        documents.put_replica("r2", ready, datetime.now(UTC))
    assert await_model(world, "m1", 0.5) == 2
