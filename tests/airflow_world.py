"""The plugin in a test's own process: a world's settings around it, and triggers that are awaited."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil
import pytest
from samples import examples, preferences

from include import registry
from include.airflow_services import mongo_connection
from include.services import settings_environment
from include.settings import Settings
from ml.types import DatasetVersion

SOURCES = """
authors: [{id: ada, name: Ada}]
sources: [{id: s1, author: ada, kind: page, where: "https://e.org", consent: own}]
"""


def enter(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Settings:
    """Let everything in this process see a world as a program of its platform does."""
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", mongo_connection(settings))
    return settings


def deferred(execute: Callable[[dict], object]):
    """Run a task until it gives its worker back; returns what it waits for."""
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as raised:
        execute({})
    return raised.value


async def first_event(trigger):
    """Wait until a trigger fires."""
    return await anext(trigger.run())


def await_event(trigger, seconds: float = 60) -> object:
    """Wait until a trigger fires and return what it says, as the triggerer would write it down."""
    event = asyncio.run(asyncio.wait_for(first_event(trigger), seconds))
    return json.loads(json.dumps(event.payload))


def await_work(settings: Settings, job_id: str) -> tuple[psutil.Process, psutil.Process]:
    """Wait until a job's verb runs; returns the job's process and the verb's."""
    job = psutil.Process(
        json.loads((settings.data_dir / "jobs" / job_id / "state.json").read_text())["pid"]
    )
    deadline = time.monotonic() + 60
    while not any("include" in p.cmdline() for p in job.children()):
        assert time.monotonic() < deadline, "the job did not begin"
        time.sleep(0.05)
    return job, job.children()[0]


def publish_dataset(settings: Settings, dataset_id: str) -> None:
    """Publish a dataset version that nobody has trained on."""
    version = DatasetVersion(dataset_id, "", "f", datetime.now(UTC), {}, {"d1": "r1"}, {})
    registry.write_dataset(settings, version, examples(), preferences(), "")
