"""The command line: one verb, its result as JSON on the last line, and a sentence where the call was wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from own_texts import entry, own_world

from include.__main__ import main
from include.pipeline import verbs
from include.services import child_environment
from include.settings import ROOT, Settings

STORY = (
    "list_sources crawl_source store_documents check_ingestion clean_documents index_chunks "
    "store_features reconcile_stores build_dataset answer_prompts check_dataset "
    "next_dataset train_model evaluate_model next_candidate decide_promotion watch_serving "
    "forget_document give_up_dataset"
).split()


@pytest.fixture
def world(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Make a world with one article, and let the environment name it."""
    made = own_world(settings, tmp_path, entry(1))
    for name, value in child_environment(made).items():
        monkeypatch.setenv(name, value)
    return made


def test_every_verb_of_the_story_can_be_run() -> None:
    assert set(STORY) <= verbs().keys()
    assert not [name for name in verbs() if name.startswith("_")]
    assert "open_documents" not in verbs() and "load_settings" not in verbs()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "no verb given"), (["make_coffee"], "unknown verb 'make_coffee'"), (["_now"], "'_now'")],
)
def test_what_is_no_verb_is_answered_with_the_list_of_verbs(capsys, arguments, said) -> None:
    assert main(arguments) == 2

    printed = capsys.readouterr()
    assert said in printed.err and printed.out == ""
    assert all(verb in printed.err for verb in STORY)


@pytest.mark.parametrize(
    "arguments",
    [["crawl_source"], ["list_sources", "one", "two"], ["watch_serving", "a while"]],
)
def test_wrong_arguments_are_answered_with_those_that_the_verb_takes(capsys, arguments) -> None:
    assert main(arguments) == 2

    said = capsys.readouterr().err
    assert said.startswith(arguments[0]) and "takes" in said and "Traceback" not in said


def test_a_number_is_taken_as_a_number(world: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch_serving", "48"]) == 0

    assert json.loads(capsys.readouterr().out)["questions"] == 0


def test_a_result_is_json_on_the_last_line_and_everything_else_is_said_elsewhere(
    world: Settings,
) -> None:
    command = [sys.executable, "-m", "include", "crawl_source", "own"]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    (line,) = ran.stdout.splitlines()
    assert json.loads(line) == {
        "source": "own",
        "fetched": 1,
        "unchanged": 0,
        "rejected": 0,
        "gone": 0,
        "suspected": 0,
    }
    assert "crawled own: 1 fetched" in ran.stderr


def test_a_verb_that_fails_ends_with_its_sentence(world: Settings) -> None:
    command = [sys.executable, "-m", "include", "crawl_source", "elsewhere"]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("ValueError: There is no source 'elsewhere'") and "it has own." in last
