"""Processes of this machine: ours by their mark, ended for certain, and who holds a port."""

import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
from small_world import small_services, small_world

from include.processes import (
    SERVICE_MARK,
    WORLD_MARK,
    end_processes,
    end_world,
    find_ours,
    memory_by_service,
    port_setting,
    taken_ports,
)
from include.services import platform_services, ray_service

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def start():
    started = []

    def begin(code, **marks):
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | marks, stdout=subprocess.PIPE
        )
        assert process.stdout
        process.stdout.readline()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def marks_of(folder, service="mongo"):
    return {WORLD_MARK: str(folder.resolve()), SERVICE_MARK: service}


def test_ours_are_found_by_their_mark_and_not_by_their_name(tmp_path, start):
    ours = start(STUBBORN, **marks_of(tmp_path))
    start(STUBBORN, **marks_of(tmp_path / "other"))
    (found,) = find_ours(tmp_path)
    assert (found.process.pid, found.service, found.job) == (ours.pid, "mongo", "")


def test_a_child_is_ours_as_well(tmp_path, start):
    start(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
          "print('up', flush=True); import time; time.sleep(60)", **marks_of(tmp_path))  # fmt: skip
    deadline = time.monotonic() + 5
    while len(list(find_ours(tmp_path))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert end_world(tmp_path) == 2
    assert list(find_ours(tmp_path)) == []


def test_one_that_ignores_the_request_is_made_to_end(tmp_path, start):
    process = start(STUBBORN)
    assert end_processes([psutil.Process(process.pid)], seconds=0.3) == 1
    assert process.wait(timeout=5) == -9


def test_memory_is_summed_by_service(tmp_path, start):
    start(STUBBORN, **marks_of(tmp_path, "weaviate"))
    (name,) = memory_by_service(tmp_path)
    assert name == "weaviate"
    assert memory_by_service(tmp_path)[name] > 1_000_000


def test_a_free_port_is_not_complained_about(tmp_path):
    settings = small_world(tmp_path)
    assert taken_ports(settings, small_services(settings)) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_listener_on_any_address_that_covers_loopback_takes_the_port(tmp_path, host):
    settings = small_world(tmp_path)
    with socket.create_server((host, settings.port("mongo"))):
        (said,) = taken_ports(settings, small_services(settings))
    assert said.endswith("Set TWIN_MONGO_PORT or TWIN_PORT_OFFSET.")


def test_a_counted_port_is_moved_by_the_setting_it_is_counted_from(tmp_path):
    settings = small_world(tmp_path, port_offset=10)
    ray = ray_service(settings)
    assert port_setting(settings, ray, ray.port + 3) == "ray_port"
    assert port_setting(settings, ray, settings.port("ray_dashboard")) == "ray_dashboard_port"
    airflow = next(s for s in platform_services(settings) if s.name == "airflow-api-server")
    assert port_setting(settings, airflow, airflow.port) == "airflow_port"
