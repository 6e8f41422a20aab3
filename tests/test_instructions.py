"""A language model may put questions into words; what it says is checked, and whatever goes wrong, the heading asks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import PARAGRAPH, cleaned
from llm_server import LlmServer, llm_server
from own_articles import STYLE, articles

from include import llm as door
from include.instructions import PATIENCE, Writer, find_fault, open_writer
from include.settings import Settings
from ml.drafts import Draft, draft_samples
from ml.examples import make_examples
from ml.splits import split_documents

ASKED = "Why should the rope that looks sound be checked?"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "FIRST_WAIT", 0.001)


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with llm_server(lambda body: json.dumps({"question": ASKED})) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, server: LlmServer) -> Settings:
    return Settings(data_dir=tmp_path / "data", llm_url=server.url)


def drafts(count: int = 1) -> list[Draft]:
    """Draft answers below a heading."""
    made = [cleaned(f"## On ropes\n\n{PARAGRAPH}{n}\n", url=f"https://x/{n}") for n in range(count)]
    return [next(d for d in draft_samples(c) if d.task == "answer") for c in made]


def test_a_good_question_is_taken_and_asked_for_once(world: Settings, server: LlmServer) -> None:
    (draft,) = drafts()
    for _ in range(2):
        with open_writer(world) as writer:
            assert writer(draft) == ASKED
        assert writer.counts == {"written": 1}

    (sent,) = server.asked
    assert sent["messages"][1]["content"] == draft.answer and writer.llm is not None
    assert writer.llm.counts.cached == 1


def test_only_answers_are_asked_about_and_nobody_is_asked_without_an_address(
    world: Settings, server: LlmServer
) -> None:
    (post,) = [d for d in draft_samples(cleaned(PARAGRAPH, kind="post")) if d.task == "post"]
    with open_writer(world) as writer:
        assert writer(post) == post.instruction
    with open_writer(world.model_copy(update={"llm_url": ""})) as nobody:
        assert nobody(drafts()[0]) == drafts()[0].instruction and nobody.counts == {}

    assert server.asked == [] and isinstance(nobody, Writer)


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (ASKED, ""),
        ("The rope looks sound.", "no-question"),
        (f"{'Rope ' * 41}?", "too-long"),
        ("How do I grow vegetables?", "off-topic"),
        ("Is it true that a rope which looks sound is the one to check?", "gives-away"),
    ],
)
def test_a_question_is_taken_only_if_it_asks_for_just_this(
    world: Settings, server: LlmServer, question: str, fault: str
) -> None:
    server.says = lambda body: json.dumps({"question": question})
    (draft,) = drafts()

    with open_writer(world) as writer:
        asked = writer(draft)

    assert find_fault(question, draft.answer) == fault
    assert asked == (draft.instruction if fault else ASKED)
    assert writer.counts == {fault or "written": 1}


def test_an_endpoint_that_is_down_is_given_up_and_the_headings_ask(
    world: Settings, server: LlmServer
) -> None:
    server.failures = [401] * 100

    with open_writer(world) as writer:
        asked = [writer(d) for d in drafts(6)]

    assert asked == [d.instruction for d in drafts(6)] and len(server.asked) == PATIENCE
    assert writer.counts == {"unanswered": PATIENCE, "given-up": 6 - PATIENCE}


def test_a_spent_budget_and_a_useless_answer_are_counted_and_the_rest_is_still_made(
    world: Settings, server: LlmServer
) -> None:
    def says(body: dict[str, Any]) -> str:
        return (
            "I cannot."
            if str(body["messages"][1]["content"]).endswith("0")
            else json.dumps({"question": ASKED})
        )

    server.says = says
    with open_writer(world.model_copy(update={"llm_calls": 3})) as writer:
        asked = [writer(d) for d in drafts(4)]

    assert [a == ASKED for a in asked] == [False, True, False, False]
    assert writer.counts == {"unusable": 1, "written": 1, "budget-spent": 2}


def test_tokens_are_a_budget_too(world: Settings, server: LlmServer) -> None:
    # The server says that each answer took five.
    with open_writer(world.model_copy(update={"llm_tokens": 7})) as writer:
        asked = [writer(d) for d in drafts(4)]

    assert [a == ASKED for a in asked] == [True, True, False, False] and len(server.asked) == 2
    assert writer.counts == {"written": 2, "budget-spent": 2}


def test_samples_with_written_questions_keep_the_authors_answers(
    world: Settings, server: LlmServer
) -> None:
    server.says = lambda body: json.dumps(
        {"question": f"What of {body['messages'][1]['content'].split()[1]}?"}
    )
    documents = articles(5)
    splits = split_documents(documents, 0.2)
    plain = make_examples(documents, splits, STYLE, "Maren")

    with open_writer(world) as writer:
        asked = make_examples(documents, splits, STYLE, "Maren", writer)

    assert [e.messages[-1] for e in asked] == [e.messages[-1] for e in plain]
    changed = {e.task for e, p in zip(asked, plain, strict=True) if e.id != p.id}
    assert changed == {"answer"} and writer.counts["written"] == 5
