"""The sensor that starts a training: at once when a dataset waits, deferred otherwise, and with its id in the end."""

import pytest
from airflow_world import await_event, deferred, enter, publish_dataset
from twin_airflow.sensors import NewDatasetSensor
from twin_airflow.triggers import NewDatasetTrigger

from include import registry
from include.settings import Settings


@pytest.fixture
def world(tmp_path, monkeypatch):
    return enter(monkeypatch, Settings(data_dir=tmp_path / "data"))


@pytest.fixture
def sensor():
    return NewDatasetSensor(task_id="wait", poll_seconds=0.05)


def test_a_dataset_that_waits_is_taken_at_once(world, sensor):
    publish_dataset(world, "d1")

    assert sensor.execute({}) == "d1"


def test_without_a_dataset_the_worker_is_given_back_and_the_trigger_waits(world, sensor):
    waiting = deferred(sensor.execute)

    assert isinstance(waiting.trigger, NewDatasetTrigger)
    assert waiting.trigger.poll_seconds == 0.05
    publish_dataset(world, "d1")
    assert getattr(sensor, waiting.method_name)({}, await_event(waiting.trigger)) == "d1"


def test_only_the_newest_dataset_is_worth_training_on(world, sensor):
    for name in ("d1", "d2"):
        publish_dataset(world, name)

    assert sensor.execute({}) == "d2"


def test_a_dataset_that_was_given_up_is_not_taken_again(world, sensor):
    publish_dataset(world, "d1")
    registry.mark_attempt(world, "d1", "training failed")

    deferred(sensor.execute)
    publish_dataset(world, "d2")
    assert sensor.execute({}) == "d2"
