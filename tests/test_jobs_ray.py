"""Jobs on a real Ray that is guarded by a token: started, joined, followed, cancelled, failed and started again."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from conftest import free_port, free_range
from serving_world import ray_processes
from test_jobs import SOURCES, ended, wait_until

from include import jobs_ray
from include.jobs import cancel_job, job_id, job_log, job_state, start_job
from include.keys import ray_token_file
from include.running import running
from include.services import (
    RAY_WORKER_PORTS,
    child_environment,
    prepare,
    ray_service,
    remove_ray_folder,
)
from include.settings import Settings
from include.source_checks import FINE

# A stand-in for the code that travels: says what came along, starts a child that is deaf to SIGTERM, and stays.
LINGERING = """
import json, os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(300)"])
secret = "s3cret" in str(dict(os.environ))
pids = {"ours": os.getpid(), "child": child.pid}
print(json.dumps({"files": sorted(os.listdir()), "secret": secret, **pids}), flush=True)
time.sleep(300)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Run a Ray as the platform does, and name it as the place for jobs."""
    folder, dashboard = tmp_path_factory.mktemp("cluster"), free_port()
    world = Settings(
        data_dir=folder / "data",
        sources_file=folder / "sources.yaml",
        ray_port=free_range(11 + RAY_WORKER_PORTS),
        ray_dashboard_port=dashboard,
        jobs_url=f"http://127.0.0.1:{dashboard}",
        api_key="s3cret",  # type: ignore[arg-type]
    )
    service = ray_service(world)
    prepare(service, world)
    environment = child_environment(world.model_copy(update={"api_key": Settings().api_key}))
    service = replace(service, environment={**environment, **service.environment})
    try:
        with running(service, folder, seconds=150):
            yield world
    finally:
        remove_ray_folder(world)


@pytest.fixture
def world(cluster: Settings) -> Settings:
    """Take the sources of that world to be readable at once."""
    cluster.sources_file.unlink(missing_ok=True)
    cluster.sources_file.write_text(SOURCES)
    return cluster


@pytest.fixture
def slow(cluster: Settings) -> Settings:
    """Take the sources of that world to be a pipe, which whoever reads waits for."""
    cluster.sources_file.unlink(missing_ok=True)
    os.mkfifo(cluster.sources_file)
    return cluster


def delete(settings: Settings, attempt: str) -> None:
    from ray.job_submission import JobSubmissionClient

    token = ray_token_file(settings).read_text()
    headers = {"Authorization": f"Bearer {token}"}
    JobSubmissionClient(settings.jobs_url, headers=headers).delete_job(attempt)


def verb_of(settings: Settings) -> psutil.Process:
    """Wait until a verb runs on Ray."""
    wait_until(lambda: bool(ray_processes(settings, "-m include")))
    return ray_processes(settings, "-m include")[0]


@pytest.mark.faults
def test_a_failed_job_says_its_reason_and_is_started_again(world: Settings) -> None:
    world.sources_file.write_text("sources: [")
    name = start_job(world, "check_sources")
    failed = ended(world, name)

    assert (failed.status, failed.result) == ("failed", None)
    assert str(world.sources_file) in failed.error and "Traceback" not in failed.error

    world.sources_file.write_text(SOURCES)
    assert start_job(world, "check_sources") == name
    state = ended(world, name)
    said, offset = job_log(world, name)

    assert (state.status, state.result, state.error) == ("succeeded", {"s1": FINE}, "")
    assert state.log.endswith(f"/#/jobs/twin-{name}-2") and 0 < state.seconds < 120
    assert said.endswith(json.dumps({"s1": FINE}) + "\n")
    assert job_log(world, name, offset) == ("", offset)


@pytest.mark.faults
def test_who_starts_a_running_job_joins_it_and_a_verb_that_is_killed_is_a_failure_with_the_signal_named(
    slow: Settings,
) -> None:
    with ThreadPoolExecutor(4) as crowd:
        (name,) = set(crowd.map(lambda _: start_job(slow, "check_sources"), range(4)))
    verb = verb_of(slow)

    assert start_job(slow, "check_sources") == name
    assert job_state(slow, name).status == "running"
    assert "-m include check_sources" in job_log(slow, name)[0]
    assert len(ray_processes(slow, "-m include")) == 1
    verb.kill()
    state = ended(slow, name)
    assert state.status == "failed" and "SIGKILL" in state.error and "memory" in state.error


@pytest.mark.faults
def test_cancelling_ends_a_job_with_its_children_and_no_secret_travels(
    cluster: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "__init__.py").touch()
    (tmp_path / "include" / "__main__.py").write_text(LINGERING)
    (tmp_path / ".env").write_text("TWIN_API_KEY=s3cret")
    monkeypatch.setattr(jobs_ray, "ROOT", tmp_path)
    name = start_job(cluster, "crawl_all")
    wait_until(lambda: "child" in job_log(cluster, name)[0])
    told = json.loads(job_log(cluster, name)[0].splitlines()[-1])
    ours, child = psutil.Process(told["ours"]), psutil.Process(told["child"])

    assert told["files"] == ["include"] and told["secret"] is False
    assert cancel_job(cluster, name) is True
    assert psutil.wait_procs([ours, child], timeout=5)[1] == []
    state = job_state(cluster, name)
    assert (state.status, state.error) == ("failed", "It was cancelled.")
    assert cancel_job(cluster, name) is False


@pytest.mark.faults
def test_a_deleted_attempt_does_not_keep_the_next_one_from_starting(world: Settings) -> None:
    verb = "make_coffee"
    name = start_job(world, verb)
    assert ended(world, name).error.startswith("unknown verb 'make_coffee'")
    start_job(world, verb)
    ended(world, name)
    delete(world, f"twin-{name}-1")

    start_job(world, verb)
    assert ended(world, name).log.endswith(f"twin-{name}-3")


@pytest.mark.faults
def test_a_job_that_nobody_started_and_a_token_that_is_not_the_clusters_are_said_so(
    world: Settings, tmp_path: Path
) -> None:
    with pytest.raises(LookupError, match="no job 0000 at http://127.0.0.1.*Start it first"):
        job_state(world, "0000")
    stranger = world.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(PermissionError, match="takes another token than the one in .*ray_token"):
        start_job(stranger, "check_sources")
    assert cancel_job(world, job_id("never", "started")) is False


@pytest.mark.parametrize(
    "url", ["ray://127.0.0.1:{port}", "127.0.0.1:{port}", "http://127.0.0.1:{port}/"]
)
def test_an_address_where_no_ray_takes_jobs_is_said_so_at_once(tmp_path: Path, url: str) -> None:
    world = Settings(data_dir=tmp_path, jobs_url=url.format(port=free_port()))

    with pytest.raises(ConnectionError, match="Ray Jobs at .* did not answer .*TWIN_JOBS_URL"):
        start_job(world, "check_sources")
