"""Verbs as Airflow tasks: found by their name, run with Airflow's settings, tried again only where that may help."""

import inspect
import re

import pytest
from airflow_world import SOURCES, enter
from twin_airflow.verbs import DEFAULT_ARGS, find_verb, run_verb

from include.__main__ import verbs
from include.settings import ROOT, Settings
from include.source_checks import FINE
from include.validation import ValidationFailed
from serving.deploy import DeployFailed, Unfit

WIRING = "\n".join(p.read_text() for p in sorted((ROOT / "dags").glob("*.py")))
TOLD = sorted(set(re.findall(r'\b(?:run_)?verb\(\s*"(\w+)"', WIRING)))
JOBS = sorted(set(re.findall(r'\bverb="(\w+)"', WIRING)))


def test_a_verb_runs_with_the_settings_of_this_airflow(tmp_path, monkeypatch):
    file = tmp_path / "sources.yaml"
    file.write_text(SOURCES)
    enter(monkeypatch, Settings(data_dir=tmp_path, sources_file=file))

    assert run_verb("check_sources") == {"s1": FINE}


@pytest.mark.parametrize("name", TOLD)
def test_every_verb_that_a_dag_names_is_there_and_takes_the_settings_first(name):
    assert next(iter(inspect.signature(find_verb(name)).parameters)) == "settings"


@pytest.mark.parametrize("name", JOBS)
def test_every_job_that_a_dag_names_can_be_run_from_the_command_line(name):
    assert name in verbs()


def test_the_dags_name_verbs_at_all():
    assert len(TOLD) > 10 and {"evaluate_model", "train_model", "search_recipe"} <= set(JOBS)


def test_a_verb_that_nobody_tells_is_said_so_with_where_it_was_looked_for():
    with pytest.raises(LookupError, match=r"'make_coffee'.*include\.cleaning.*serving\.deploy"):
        find_verb("make_coffee")


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (ValueError("settings are wrong"), "fail"),
        (ValidationFailed("too much is bad"), "fail"),
        (PermissionError("nobody allowed it"), "fail"),
        (Unfit("it says nothing"), "fail"),
        (DeployFailed("the endpoint is full"), "default"),
        (ConnectionError("the server is away"), "default"),
        (TimeoutError("it takes too long"), "default"),
        (RuntimeError("the job was killed"), "default"),
    ],
)
def test_only_what_may_mend_is_tried_again(error, action):
    assert DEFAULT_ARGS["retry_policy"].evaluate(error, 1, 2).action.value == action
