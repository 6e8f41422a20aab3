"""Asking from a terminal: the answer with its sources, or a sentence that says what is wrong."""

import io
import re
import runpy
import subprocess
import sys

import pytest
from conftest import free_port
from rich.console import Console
from serving_world import QUESTION, SOURCE_URL, UNKNOWN, endpoint, settled

from include.services import child_environment
from serving.ask import ask, name_documents
from serving.slot import Slot
from serving.twin import LocalSpeaker


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def said(console):
    return console.file.getvalue()


def at(world, url):
    return world.model_copy(update={"serve_url": url})


def test_a_question_is_answered_with_quotation_sources_and_model(answering, console, served):
    status = ask(at(answering.world, answering.url), QUESTION, console)

    assert status == 0
    assert "fsync had not lied" in said(console)
    (named,) = [line for line in said(console).splitlines() if line.endswith(SOURCE_URL)]
    assert re.fullmatch(r"(\[\d\])+ Why does fsync lie\?  \S+", named)
    assert said(console).rstrip().endswith(f"twin@{served[1]}")


def test_a_document_is_named_once_with_the_numbers_of_its_passages():
    sources = [
        {"number": n, "title": t, "url": f"https://example.org/{t}"}
        for n, t in enumerate(("rope", "soup", "rope"), start=1)
    ]

    assert name_documents(sources) == [
        "[1][3] rope  [blue]https://example.org/rope[/blue]",
        "[2] soup  [blue]https://example.org/soup[/blue]",
    ]


def test_the_command_line_does_the_same(answering):
    world = at(answering.world, answering.url)
    asked = subprocess.run(
        [sys.executable, "-m", "serving.ask", *QUESTION.split()],
        env=child_environment(world),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (asked.returncode, asked.stderr) == (0, "")
    assert SOURCE_URL in asked.stdout


def test_what_is_not_known_is_said_without_sources(answering, console):
    assert ask(at(answering.world, answering.url), UNKNOWN, console) == 0
    assert "I have not written about that" in said(console)
    assert "[1]" not in said(console)


def test_an_endpoint_that_is_away_is_named_with_what_to_do(served, console):
    nowhere = f"http://127.0.0.1:{free_port()}"

    assert ask(at(served[0], nowhere), QUESTION, console) == 1
    assert said(console) == f"Nothing answers at {nowhere}. Start the platform with `make up`.\n"


def test_an_endpoint_without_a_model_says_why_in_its_own_words_brackets_and_all(answering, console):
    slot = Slot(answering.world, lambda state: None)
    slot.wish("[/red]")
    with endpoint(answering.world, LocalSpeaker(settled(slot)), answering.twin) as url:
        status = ask(at(answering.world, url), QUESTION, console)

    assert status == 1
    assert said(console).startswith("No model is loaded: LookupError: '[/red]' is no id")


def test_a_proxy_of_the_environment_is_not_asked(answering, console, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert ask(at(answering.world, answering.url), QUESTION, console) == 0


def test_asking_nothing_says_how_to_ask(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ask", " "])
    monkeypatch.delitem(sys.modules, "serving.ask")

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("serving.ask", run_name="__main__")

    assert ended.value.code == 2
    assert "Ask something" in capsys.readouterr().err
