"""Samples of a world's documents: by the style that was measured, without what the index says is the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from llm_server import llm_server
from own_texts import entry, own_world, prose, take_in

from include.sample_making import own_documents, sample_documents
from include.settings import Settings
from ml.splits import held_out


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    made = own_world(settings, tmp_path, *map(entry, range(6)))
    take_in(made)
    return made


def test_samples_name_the_style_and_what_was_held_out_stays_so(world: Settings) -> None:
    documents = own_documents(world)

    first = sample_documents(world, documents)
    again = sample_documents(world, list(reversed(documents)), first.examples)

    assert again == first and len(first.examples) >= 10 and first.asked == {}
    assert all("Maren Oduya" in e.messages[0].content for e in first.examples)
    assert "words a sentence" in first.examples[0].messages[0].content
    (tested,) = held_out(first.examples)
    fewer = [d for d in documents if d.id == tested][:1] + [d for d in documents if d.id != tested][
        :4
    ]
    assert held_out(sample_documents(world, fewer, first.examples).examples) == {tested}


def test_where_all_passages_count_as_alike_nothing_is_left_to_learn(world: Settings) -> None:
    documents = own_documents(world)

    strict = sample_documents(world.model_copy(update={"leak_cosine": 0.01}), documents)
    blind = sample_documents(world.model_copy(update={"leak_cosine": 0.0}), documents)

    assert {e.split for e in strict.examples} == {"test"}
    assert strict.dropped == len(blind.examples) + blind.dropped - len(strict.examples) > 0


def test_without_documents_there_are_no_samples_and_nothing_is_asked(settings: Settings) -> None:
    assert sample_documents(settings, []).examples == [] and own_documents(settings) == []


def test_a_language_model_puts_the_questions_and_the_counts_say_so(
    settings: Settings, tmp_path: Path
) -> None:
    headed = [entry(n, f"## On number {n}\n\n{prose(n)}") for n in range(4)]
    with llm_server(lambda body: json.dumps({"question": asked_about(body)})) as server:
        world = own_world(settings, tmp_path, *headed)
        take_in(world)
        told = world.model_copy(update={"llm_url": server.url})
        made = sample_documents(told, own_documents(told))
        again = sample_documents(told, own_documents(told))

    answers = [e for e in made.examples if e.task == "answer"]
    assert made.asked == again.asked == {"written": 4} and again.examples == made.examples
    assert len(server.asked) == 4 and len(answers) == 4
    assert all(e.messages[-2].content.startswith("What of the ") for e in answers)


def asked_about(body: dict[str, Any]) -> str:
    """Ask about the first thing that a passage names."""
    return f"What of the {body['messages'][1]['content'].split()[1]}?"
