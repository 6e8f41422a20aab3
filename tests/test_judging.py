"""Judging our models with another one: over HTTP, kept as a record, and honest about a judge that can't judge."""

import json
import re
from pathlib import Path

import pytest
from llm_server import llm_server

from include import judging
from include.aliases import move_champion
from include.drawn_pages import find_page, list_pages
from include.judging import judge_models
from include.llm import LlmBudgetSpent
from include.manifests import artifacts_root
from ml.judge import rubric

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(judging, "ASKED", 2)
    monkeypatch.setattr(judging, "KNOWN", 4)
    monkeypatch.setattr(judging, "ANSWER_TOKENS", 12)
    monkeypatch.setattr("include.llm.FIRST_WAIT", 0.001)


def bland(body) -> str:
    """Judge by the bland words that ironing leaves behind."""
    said = body["messages"][-1]["content"]
    first, second = (
        len(re.findall("utilize|facilitate|demonstrate|regarding|therefore|however", part))
        for part in re.findall(r"<answer [AB]>\n(.*?)\n</answer", said, re.DOTALL)
    )
    better = "tie" if first == second else "A" if first < second else "B"
    return json.dumps({"reason": "fewer bland words", "better": better})


def test_two_models_are_compared_and_the_judge_is_put_to_the_test(served, tmp_path):
    shared, model_id = served
    with llm_server(bland) as server:
        world = shared.model_copy(
            update={"llm_url": server.url, "llm_model": "other", "data_dir": tmp_path}
        ).model_copy(update={"artifacts_url": str(artifacts_root(shared))})
        record = judge_models(world, model_id)
        asked, drawn = len(server.asked), Path(record["page"]).read_bytes()
        again = world.model_copy(update={"wandb_mode": "disabled"})
        assert judge_models(again, model_id)["summary"] == record["summary"]
        assert len(server.asked) == asked

    assert record["rubric"] == rubric()["version"] and record["judge"]["model"] == "other"
    assert (record["summary"]["pairs"], record["summary"]["failed"]) == (2, 0)
    assert record["bias"]["known_pairs"] == 4 and record["bias"]["first_place"] == 0.0
    # Three for each pair; two silent models are a tie without a question.
    assert record["requests"]["requests"] == asked in (12, 15, 18)
    (kept,) = (artifacts_root(world) / "judgements").glob("*.json")
    assert len(json.loads(kept.read_text())["judged"]) == 2 + 4
    (page,) = (p.path for p in list_pages(world) if p.group == "judgements")
    assert str(find_page(world, page)) == record["page"] and b"pull of the first place" in drawn
    (copy,) = tmp_path.glob("wandb/**/media/html/judgement*.html")
    assert copy.read_bytes() == drawn


def test_the_platforms_own_endpoint_may_be_asked_and_its_failures_are_counted(
    answering, monkeypatch
):
    monkeypatch.setattr(judging, "ASKED", 1)
    monkeypatch.setattr(judging, "KNOWN", 1)
    model_id = str(answering.slot.state().model_id)
    world = answering.world.model_copy(
        update={"llm_url": f"{answering.url}/v1", "serve_url": answering.url, "llm_calls": 100}
    ).model_copy(update={"wandb_mode": "disabled"})

    record = judge_models(world, model_id)

    # A model of a few hundred thousand weights writes no JSON, where it can read the whole question at all.
    assert record["summary"]["pairs"] == record["bias"]["known_pairs"] == 1
    assert record["bias"]["right"] == record["summary"]["left"] == 0
    assert record["requests"]["unusable"] + record["requests"]["failed"] >= 3
    assert record["judge"]["url"].startswith(answering.url)
    assert "nothing is known of its biases" in Path(record["page"]).read_text()


def test_a_spent_budget_ends_it_and_says_how_to_go_on(served):
    shared, model_id = served
    with llm_server(bland) as server:
        world = shared.model_copy(
            update={"llm_url": server.url, "llm_model": "poor", "llm_calls": 4}
        )
        with pytest.raises(LlmBudgetSpent, match="run again to go on"):
            judge_models(world, model_id)


def test_unless_told_the_champion_is_judged_against_what_it_stands_on(served, tmp_path):
    shared, model_id = served
    with llm_server(bland) as server:
        world = shared.model_copy(
            update={"llm_url": server.url, "llm_model": "other", "artifacts_url": str(tmp_path)}
        )
        # Settings name another base model since.
        changed = world.model_copy(update={"base_model": "Qwen2.5-0.5B"})
        for kind in ("models", "datasets"):
            (tmp_path / kind).symlink_to(artifacts_root(shared) / kind)
        with pytest.raises(LookupError, match="No model is 'champion'"):
            judge_models(changed)
        move_champion(changed, model_id)
        record = judge_models(changed)

    assert (record["left"], record["right"]) == (model_id, "base")
    assert Path(record["page"]).name == f"{model_id}-base.html"


def test_without_an_address_nobody_is_asked(served):
    shared, model_id = served
    with pytest.raises(LookupError, match="TWIN_LLM_URL"):
        judge_models(shared, model_id)
