"""The step `expand` with a language model behind a URL: it is asked briefly and once, and rules stand in for it."""

import threading

import pytest
from llm_server import llm_server

from include import expanding
from include.expanding import Expander, read_variants
from include.settings import Settings
from ml.expand import expand_by_rules

QUESTION = "How large should a connection pool be?"
RULES = expand_by_rules(QUESTION).texts
SAID = """1. Best size of a database pool
2) "How many connections to keep open"
- how large should a connection pool be?

How many connections to keep open
Pool sizing
A fourth way of asking"""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Be patient: on a busy machine the first question takes seconds to load the client."""
    monkeypatch.setattr(expanding, "PATIENCE", 30.0)


@pytest.fixture
def server():
    with llm_server(lambda body: SAID) as running:
        yield running


@pytest.fixture
def expander(tmp_path, server):
    made = Expander(world(tmp_path, server.url))
    yield made
    made.close()


def world(folder, url, **changed):
    return Settings(data_dir=folder, llm_url=url, llm_model="other", **changed)


def test_a_language_model_says_it_in_other_words_once(expander, server):
    for _ in range(2):
        variants = expander.expand(QUESTION)
        assert variants.by == "other"
        assert variants.texts == (
            "Best size of a database pool",
            "How many connections to keep open",
            "Pool sizing",
        )
    ((_, user),) = [a["messages"] for a in server.asked]
    assert user["content"] == QUESTION


def test_without_one_the_rules_say_it(tmp_path):
    assert Expander(world(tmp_path, "")).expand(QUESTION) == expand_by_rules(QUESTION)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://127.0.0.1:none/v1", "none"])
def test_where_nobody_answers_the_rules_stand_in_and_nobody_asks_again_at_once(tmp_path, url):
    expander = Expander(world(tmp_path, url))

    first, second = expander.expand(QUESTION), expander.expand(QUESTION)

    assert (first.texts, first.by) == (RULES, "rules: the language model did not answer")
    assert (second.texts, second.by) == (RULES, "rules: the language model failed a moment ago")


def test_a_failure_costs_one_request_and_is_forgotten_after_a_rest(expander, server, monkeypatch):
    monkeypatch.setattr(expanding, "REST", 0.0)
    server.failures += [503]

    assert expander.expand(QUESTION).by == "rules: the language model did not answer"
    assert len(server.asked) == 1
    assert expander.expand(QUESTION).by == "other"


def test_an_answer_that_comes_too_late_is_waited_for_briefly_and_serves_the_next(
    expander, server, monkeypatch
):
    monkeypatch.setattr(expanding, "PATIENCE", 0.3)
    monkeypatch.setattr(expanding, "REST", 0.0)
    ready = threading.Event()
    server.says = lambda body: SAID if ready.wait(5) else ""

    assert expander.expand(QUESTION).by == "rules: the language model was too slow"
    ready.set()
    monkeypatch.setattr(expanding, "PATIENCE", 30.0)
    assert expander.expand("Another question?").by == "other"
    assert expander.expand(QUESTION).by == "other"


def test_a_budget_that_is_spent_is_said(tmp_path, server):
    expander = Expander(world(tmp_path, server.url, llm_calls=1))

    assert expander.expand(QUESTION).by == "other"
    assert expander.expand("Why does fsync lie?").by == "rules: the budget of requests is spent"
    expander.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_twin_does_not_ask_itself_for_ever(tmp_path, server, host):
    itself = server.url.removesuffix("/v1").replace("127.0.0.1", host)
    expander = Expander(world(tmp_path, server.url, serve_url=itself))

    assert expander.expand(QUESTION).by == "rules: the language model is the twin itself"
    assert server.asked == []


def test_what_is_of_no_use_is_replaced_by_the_rules(expander, server):
    server.says = lambda body: f"{QUESTION}\n{'long ' * 100}\n...\n"

    variants = expander.expand(QUESTION)

    assert (variants.texts, variants.by) == (
        RULES,
        "rules: the language model said nothing of use",
    )


def test_a_number_that_belongs_to_a_question_stays():
    assert read_variants("3 ways to sleep\n2. 5 pools", "x") == ("3 ways to sleep", "5 pools")
