"""The operator that runs a verb as a job: the worker is free meanwhile, and a failure says what the job said."""

import os
from types import SimpleNamespace

import pytest
from airflow_world import SOURCES, await_event, await_work, deferred, enter
from twin_airflow.operators import RunJobOperator
from twin_airflow.triggers import JobTrigger

from include.jobs import job_id
from include.manifests import artifacts_root
from include.processes import end_world
from include.settings import Settings
from include.source_checks import FINE


@pytest.fixture
def world(tmp_path, monkeypatch):
    file = tmp_path / "sources.yaml"
    file.write_text(SOURCES)
    yield enter(monkeypatch, Settings(data_dir=tmp_path / "data", sources_file=file))
    end_world(tmp_path / "data")


def run(task):
    """Run a task through its waiting, as Airflow does."""
    waiting = deferred(task.execute)
    assert isinstance(waiting.trigger, JobTrigger)
    return getattr(task, waiting.method_name)({}, await_event(waiting.trigger))


def test_a_task_gives_its_worker_back_and_returns_what_the_job_returned(world):
    task = RunJobOperator(task_id="t", verb="check_sources")

    assert deferred(task.execute).trigger.job_id == job_id("check_sources")
    assert run(task) == {"s1": FINE}


def test_a_task_whose_job_fails_for_good_says_what_the_job_said_and_is_not_tried_again(world):
    task = RunJobOperator(task_id="t", verb="crawl_source", arguments=["nowhere"])

    with pytest.raises(ValueError, match="failed: ValueError: There is no source 'nowhere'") as it:
        run(task)
    assert f"{job_id('crawl_source', 'nowhere')}/log.txt" in str(it.value)


def test_a_task_that_is_tried_again_joins_the_job_that_still_runs(world):
    world.sources_file.unlink()
    os.mkfifo(world.sources_file)
    task = RunJobOperator(task_id="t", verb="check_sources")
    first = deferred(task.execute).trigger
    job, _ = await_work(world, first.job_id)

    second = deferred(task.execute).trigger
    again, _ = await_work(world, second.job_id)
    assert (second.job_id, again.pid) == (first.job_id, job.pid)

    world.sources_file.write_text(SOURCES)
    assert task.resume({}, await_event(second)) == {"s1": FINE}


def test_a_task_whose_job_was_killed_fails_and_the_next_try_does_the_work(world):
    world.sources_file.unlink()
    os.mkfifo(world.sources_file)
    task = RunJobOperator(task_id="t", verb="check_sources")
    waiting = deferred(task.execute).trigger
    job, _ = await_work(world, waiting.job_id)
    job.kill()

    with pytest.raises(RuntimeError, match="lost: Its process ended without a word"):
        task.resume({}, await_event(waiting))
    world.sources_file.unlink()
    world.sources_file.write_text(SOURCES)
    assert run(task) == {"s1": FINE}


def test_a_button_opens_the_page_that_the_job_has_drawn(world):
    page = artifacts_root(world) / "judgements" / "m1-base.html"
    task = RunJobOperator(task_id="t", verb="judge_models", page=("What it is worth", "page"))
    (link,) = task.operator_extra_links
    done, failed = (
        SimpleNamespace(xcom_pull=lambda task_ids, r=result: r)
        for result in ({"page": str(page)}, None)
    )

    assert link.name == "What it is worth"
    assert link.get_link(task, ti_key=done) == "/twin/pages/judgements/m1-base.html"
    assert link.get_link(task, ti_key=failed) == ""


def test_arguments_may_name_what_an_earlier_task_returned():
    task = RunJobOperator(task_id="t", verb="train_model", arguments=["{{ word }}"])
    task.render_template_fields({"word": "d1"})

    assert task.arguments == ["d1"]
