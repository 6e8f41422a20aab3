"""The door to a language model (include/llm.py): asked once, within a budget, retried, and checked."""

import json

import pytest
from llm_server import llm_server
from pydantic import BaseModel

from include import llm
from include.llm import LlmBudgetSpent, LlmFailed, LlmUnusable, open_llm
from include.settings import Settings
from ml.types import Message

QUESTION = [Message("user", "Which is the better?")]


class Choice(BaseModel):
    better: str
    sure: bool


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(llm, "FIRST_WAIT", 0.001)


@pytest.fixture
def server():
    with llm_server(lambda body: "the first") as running:
        yield running


@pytest.fixture
def world(tmp_path, server):
    return Settings(data_dir=tmp_path, llm_url=server.url, llm_model="judge", llm_calls=5)


def test_the_same_question_is_asked_once_and_remembered_by_the_next_opening(world, server):
    for _ in range(2):
        with open_llm(world) as door:
            assert door.ask(QUESTION) == "the first"
    assert len(server.asked) == 1
    assert door.counts.as_dict() | {"cached": 1, "requests": 0} == door.counts.as_dict()
    assert server.asked[0]["model"] == "judge"


def test_another_take_or_another_model_is_another_question(world, server):
    with open_llm(world) as door:
        door.ask(QUESTION)
        door.ask(QUESTION, take=1)
    with open_llm(world.model_copy(update={"llm_model": "other"})) as door:
        door.ask(QUESTION)
    assert [(a["model"], a["seed"]) for a in server.asked] == [
        ("judge", 0),
        ("judge", 1),
        ("other", 0),
    ]


def test_a_passing_fault_is_tried_again_and_counted(world, server):
    server.failures += [503, 429]
    with open_llm(world) as door:
        assert door.ask(QUESTION) == "the first"
    assert (door.counts.requests, door.counts.retried, door.counts.failed) == (3, 2, 0)
    assert (door.counts.prompt_tokens, door.counts.completion_tokens) == (3, 2)


def test_a_refusal_is_not_repeated_and_says_what_to_check(world, server):
    server.failures += [401]
    with open_llm(world) as door, pytest.raises(LlmFailed, match="Check TWIN_LLM_KEY"):
        door.ask(QUESTION)
    assert (len(server.asked), door.counts.failed) == (1, 1)


def test_a_failure_is_never_kept_as_an_answer(world, server):
    server.failures += [500] * 3
    with open_llm(world) as door:
        with pytest.raises(LlmFailed):
            door.ask(QUESTION)
        assert door.ask(QUESTION) == "the first"


def test_the_budget_counts_every_request_and_what_was_answered_stays(world, server):
    with open_llm(world) as door:
        for take in range(5):
            door.ask(QUESTION, take=take)
        with pytest.raises(LlmBudgetSpent, match="TWIN_LLM_CALLS"):
            door.ask(QUESTION, take=5)
        assert door.ask(QUESTION, take=4) == "the first"
    with open_llm(world) as door:
        door.ask(QUESTION, take=5)
    assert len(server.asked) == 6


@pytest.mark.parametrize("page", ["<html>Log in</html>", "[1]", "no JSON", '{"choices": [{}]}'])
def test_an_answer_in_another_format_is_a_failure_with_advice(world, server, page):
    server.page = page
    with open_llm(world) as door, pytest.raises(LlmFailed, match="OpenAI's format"):
        door.ask(QUESTION)


def test_nobody_at_the_address_is_said_with_the_address(world):
    silent = world.model_copy(update={"llm_url": "http://127.0.0.1:9/v1"})
    with (
        open_llm(silent) as door,
        pytest.raises(LlmFailed, match=r"127\.0\.0\.1:9/v1.*TWIN_LLM_URL"),
    ):
        door.ask(QUESTION)


def test_without_an_address_it_says_which_setting_names_one(tmp_path):
    with pytest.raises(LookupError, match="TWIN_LLM_URL"), open_llm(Settings(data_dir=tmp_path)):
        pass


def test_an_answer_in_a_form_is_read_whatever_stands_around_it(world, server):
    server.says = lambda body: 'Sure!\n```json\n{"better": "A", "sure": true}\n```'
    with open_llm(world) as door:
        assert door.ask_for(QUESTION, Choice) == Choice(better="A", sure=True)
    assert server.asked[0]["response_format"]["json_schema"]["schema"]["required"] == [
        "better",
        "sure",
    ]


def test_an_endpoint_that_knows_no_forms_is_asked_without_one_from_then_on(world, server):
    server.knows_forms = False
    server.says = lambda body: '{"better": "A", "sure": true}'
    with open_llm(world) as door:
        for take in range(2):
            assert door.ask_for(QUESTION, Choice, take=take).better == "A"
    assert ["response_format" in a for a in server.asked] == [True, False, False]


def test_an_answer_out_of_form_is_asked_for_once_more_with_the_fault(world, server):
    answers = iter(["A, I think", '{"better": "A", "sure": false}'])
    server.says = lambda body: next(answers)
    with open_llm(world) as door:
        assert door.ask_for(QUESTION, Choice) == Choice(better="A", sure=False)
    last = server.asked[1]["messages"]
    assert last[1]["content"] == "A, I think"
    assert "no JSON object with the fields better, sure" in last[2]["content"]


def test_two_answers_out_of_form_are_a_failure_of_their_own(world, server):
    server.says = lambda body: json.dumps({"better": "A"})
    with open_llm(world) as door, pytest.raises(LlmUnusable, match="sure: Field required"):
        door.ask_for(QUESTION, Choice)
    assert door.counts.unusable == 1


def test_the_platforms_own_key_goes_to_its_own_endpoint_only(world, server):
    own = world.model_copy(update={"serve_url": server.url.removesuffix("/v1")})
    with open_llm(own) as door:
        door.ask(QUESTION)
    with open_llm(world) as door:
        door.ask(QUESTION, take=1)
    assert server.keys[0].startswith("Bearer twin-")
    assert server.keys[1] == "Bearer none"
