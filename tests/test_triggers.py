"""Triggers: they travel as plain values, fire once with what happened, and end a job only when a person asks."""

import asyncio
import json
import logging
import os
from importlib import import_module

import psutil
import pytest
from airflow_world import SOURCES, await_event, await_work, enter, first_event, publish_dataset
from twin_airflow.triggers import JobTrigger, NewDatasetTrigger

from include.jobs import job_state, start_job
from include.processes import end_world, find_ours
from include.settings import Settings


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Make a world whose sources are a pipe: whoever reads them waits until a test writes."""
    file = tmp_path / "sources.yaml"
    os.mkfifo(file)
    yield enter(monkeypatch, Settings(data_dir=tmp_path / "data", sources_file=file))
    end_world(tmp_path / "data")


@pytest.fixture
def job(world):
    """Start a job that waits."""
    name = start_job(world, "check_sources")
    await_work(world, name)
    return name


def lives(process: psutil.Process) -> bool:
    """A zombie has ended: only its parent can take it away."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("trigger", [NewDatasetTrigger(0.5), JobTrigger("a1b2", 0.25)])
def test_a_trigger_travels_as_plain_values_and_arrives_the_same(trigger):
    name, arguments = json.loads(json.dumps(trigger.serialize()))
    module, _, kind = name.rpartition(".")
    arrived = getattr(import_module(module), kind)(**arguments)

    assert type(arrived) is type(trigger)
    assert arrived.serialize() == trigger.serialize()
    assert all(isinstance(v, str | float) for v in arguments.values())


def test_a_job_that_runs_is_waited_for_and_its_end_is_told(world, job):
    trigger = JobTrigger(job, 0.05)

    with pytest.raises(TimeoutError):
        await_event(trigger, seconds=0.5)
    world.sources_file.write_text(SOURCES)
    assert await_event(trigger) == {"job_id": job, "status": "succeeded"}


def test_what_a_job_says_is_passed_on_once_while_it_runs(world, job, caplog):
    trigger = JobTrigger(job, 0.05)
    trigger._log = logging.getLogger("waiting")
    with (world.data_dir / "jobs" / job / "log.txt").open("a") as said:
        said.write("step 1 of 2\n")

    with caplog.at_level(logging.INFO, "waiting"), pytest.raises(TimeoutError):
        await_event(trigger, seconds=0.5)
    assert [r.message for r in caplog.records if r.name == "waiting"] == ["step 1 of 2"]


def test_a_triggerer_that_ends_leaves_the_job_alone_and_the_next_one_waits_on(world, job):
    async def ended() -> None:
        waiting = asyncio.create_task(first_event(JobTrigger(job, 0.05)))
        await asyncio.sleep(0.3)
        waiting.cancel()

    asyncio.run(ended())
    assert job_state(world, job).status == "running"

    world.sources_file.write_text(SOURCES)
    assert await_event(JobTrigger(job, 0.05))["status"] == "succeeded"


def test_who_ends_or_clears_the_task_ends_the_job_and_its_children(world, job):
    process, verb = await_work(world, job)

    asyncio.run(JobTrigger(job).on_kill())

    assert not lives(process) and not lives(verb)
    assert list(find_ours(world.data_dir)) == []
    assert await_event(JobTrigger(job)) == {"job_id": job, "status": "failed"}
    assert job_state(world, job).error == "It was cancelled."


def test_ending_a_task_whose_job_has_ended_does_nothing(world, job):
    world.sources_file.write_text(SOURCES)
    await_event(JobTrigger(job, 0.05))

    asyncio.run(JobTrigger(job).on_kill())

    assert job_state(world, job).status == "succeeded"


def test_a_dataset_that_waits_is_named_at_once(world):
    publish_dataset(world, "d1")

    assert await_event(NewDatasetTrigger(600)) == "d1"


def test_a_dataset_is_waited_for_until_it_is_there(world):
    async def awaited() -> str:
        waiting = asyncio.create_task(first_event(NewDatasetTrigger(0.05)))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.to_thread(publish_dataset, world, "d1")
        return (await asyncio.wait_for(waiting, 30)).payload

    assert asyncio.run(awaited()) == "d1"
