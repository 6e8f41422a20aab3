"""Jobs: real processes that are found again, joined, lost, cancelled, and read while they run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from include import jobs
from include.job_words import complaint, find_result, whole_lines
from include.jobs import JobState, cancel_job, job_id, job_log, job_state, start_job
from include.jobs_ray import travelling
from include.processes import end_world, find_ours
from include.settings import Settings
from include.source_checks import FINE

SOURCES = """
authors: [{id: ada, name: Ada}]
sources: [{id: s1, author: ada, kind: page, where: "https://e.org", consent: own}]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Settings]:
    """Make a world whose sources can be read at once."""
    file = tmp_path / "sources.yaml"
    file.write_text(SOURCES)
    settings = Settings(data_dir=tmp_path / "data", sources_file=file)
    yield settings
    end_world(settings.data_dir)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Settings]:
    """Make a world whose sources are a pipe: whoever reads them waits until a test writes."""
    file = tmp_path / "sources.yaml"
    os.mkfifo(file)
    settings = Settings(data_dir=tmp_path / "data", sources_file=file)
    yield settings
    end_world(settings.data_dir)


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def ended(settings: Settings, name: str) -> JobState:
    wait_until(lambda: job_state(settings, name).status != "running")
    return job_state(settings, name)


def working(settings: Settings, name: str) -> tuple[psutil.Process, psutil.Process]:
    """Wait until a job's verb runs; returns the job's process and the verb's."""
    file = settings.data_dir / "jobs" / name / "state.json"
    job = psutil.Process(json.loads(file.read_text())["pid"])
    wait_until(lambda: any("check_sources" in p.cmdline() for p in job.children()))
    return job, job.children()[0]


def worker_of(verb: psutil.Process) -> subprocess.Popen[bytes]:
    """Start a process as a verb does that starts workers: with its environment, in another session."""
    sleep = [sys.executable, "-c", "import time; time.sleep(120)"]
    return subprocess.Popen(sleep, env=verb.environ(), start_new_session=True)


def test_a_job_returns_what_its_verb_returned(world: Settings) -> None:
    name = start_job(world, "check_sources")
    state = ended(world, name)

    assert (state.status, state.result, state.error) == ("succeeded", {"s1": FINE}, "")
    assert name == job_id("check_sources")
    assert 0 < state.seconds < 60
    assert f"job succeeded after {state.seconds:.0f} s." in Path(state.log).read_text()


def test_a_failed_job_says_what_its_verb_said(world: Settings) -> None:
    state = ended(world, start_job(world, "crawl_source", "nowhere"))

    assert state.status == "failed"
    assert "nowhere" in state.error and "s1" in state.error
    assert "Traceback" not in state.error and state.result is None


def test_a_verb_that_does_not_exist_is_a_failed_job(world: Settings) -> None:
    state = ended(world, start_job(world, "make_coffee"))

    assert state.status == "failed"
    assert state.error.startswith("unknown verb 'make_coffee'")


def test_a_job_that_nobody_started_is_said_so(world: Settings) -> None:
    with pytest.raises(LookupError, match="Start it first"):
        job_state(world, "0" * 16)
    assert job_log(world, "0" * 16) == ("", 0)
    assert cancel_job(world, "0" * 16) is False


def test_starting_a_running_job_joins_it_and_a_finished_one_runs_again(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    job, _ = working(slow, name)

    assert start_job(slow, "check_sources") == name
    assert [p.process.pid for p in find_ours(slow.data_dir)].count(job.pid) == 1
    assert job_state(slow, name).status == "running"

    slow.sources_file.write_text(SOURCES)
    assert ended(slow, name).status == "succeeded"
    assert start_job(slow, "check_sources") == name
    again, _ = working(slow, name)
    assert again.pid != job.pid
    assert cancel_job(slow, name)


def test_two_who_start_at_the_same_moment_start_one_job(slow: Settings) -> None:
    with ThreadPoolExecutor(8) as crowd:
        names = list(crowd.map(lambda _: start_job(slow, "check_sources"), range(8)))

    job, verb = working(slow, names[0])
    assert len(set(names)) == 1
    assert {p.process.pid for p in find_ours(slow.data_dir)} == {job.pid, verb.pid}


def test_a_killed_job_takes_its_verb_with_it_is_lost_and_starts_again(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    job, verb = working(slow, name)
    job.send_signal(signal.SIGKILL)

    psutil.wait_procs([verb], timeout=10)
    assert not verb.is_running()
    state = job_state(slow, name)
    assert state.status == "lost"
    assert "Start it again" in state.error

    assert start_job(slow, "check_sources") == name
    working(slow, name)
    slow.sources_file.write_text(SOURCES)
    assert ended(slow, name).result == {"s1": FINE}


def test_a_verb_that_is_killed_alone_is_a_failure_with_the_signal_named(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    working(slow, name)[1].send_signal(signal.SIGKILL)

    state = ended(slow, name)
    assert state.status == "failed"
    assert "SIGKILL" in state.error and "memory" in state.error


def test_cancelling_ends_the_job_and_its_verb(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    working(slow, name)

    assert cancel_job(slow, name) is True
    assert list(find_ours(slow.data_dir)) == []
    state = job_state(slow, name)
    assert (state.status, state.error) == ("failed", "It was cancelled.")
    assert cancel_job(slow, name) is False


def test_cancelling_ends_a_job_that_ignores_being_asked(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    _, verb = working(slow, name)
    verb.suspend()  # a stopped process cannot follow SIGTERM

    assert cancel_job(slow, name, grace=0.5) is True
    assert list(find_ours(slow.data_dir)) == []


def test_cancelling_ends_what_the_verb_started_in_a_session_of_its_own(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    worker = worker_of(working(slow, name)[1])

    assert cancel_job(slow, name) is True
    assert worker.wait(10) == -signal.SIGTERM


def test_what_a_killed_verb_started_ends_with_it_and_with_its_job(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    _, verb = working(slow, name)
    worker = worker_of(verb)
    verb.kill()
    assert ended(slow, name).status == "failed"
    assert worker.wait(10) == -signal.SIGTERM

    start_job(slow, "check_sources")
    job, verb = working(slow, name)
    worker = worker_of(verb)
    job.kill()
    assert ended(slow, name).status == "lost" and worker.poll() is None
    start_job(slow, "check_sources")
    assert worker.wait(10) == -signal.SIGTERM


def test_a_stranger_with_the_number_of_a_dead_job_is_not_taken_for_it(world: Settings) -> None:
    name = start_job(world, "check_sources")
    ended(world, name)
    file = world.data_dir / "jobs" / name / "state.json"
    # This very process got the number; the job's was created an hour before.
    told = {"status": "running", "pid": os.getpid(), "created": time.time() - 3600}
    file.write_text(json.dumps(json.loads(file.read_text()) | told))

    assert job_state(world, name).status == "lost"
    assert cancel_job(world, name) is False
    start_job(world, "check_sources")
    assert ended(world, name).status == "succeeded"


def test_the_log_is_read_on_from_where_one_was(slow: Settings) -> None:
    name = start_job(slow, "check_sources")
    working(slow, name)
    file = slow.data_dir / "jobs" / name / "log.txt"
    with file.open("a") as said:
        said.write("step 1 — 🧵\nstep")
    first, offset = job_log(slow, name, 0)
    nothing, same = job_log(slow, name, offset)
    with file.open("a") as said:
        said.write(" 2\n")
    second, last = job_log(slow, name, offset)

    assert first == "step 1 — 🧵\n"
    assert (nothing, same) == ("", offset)
    assert second == "step 2\n"
    assert last == file.stat().st_size


def test_a_log_that_was_begun_anew_is_read_from_its_start() -> None:
    assert whole_lines(b"new\n", 99) == ("new\n", 4)


def test_a_job_sees_the_settings_of_who_started_it_and_no_secret_is_in_its_command(
    slow: Settings,
) -> None:
    changed = Settings.model_validate(
        slow.model_dump() | {"api_key": "s3cret", "vectors_api_key": "s3cret", "seed": 11}
    )
    name = start_job(changed, "check_sources")
    job, verb = working(changed, name)

    assert verb.environ()["TWIN_SEED"] == "11"
    assert verb.environ()["TWIN_API_KEY"] == "s3cret"
    assert "s3cret" not in " ".join([*job.cmdline(), *verb.cmdline()])
    written = [
        f for f in (changed.data_dir / "jobs" / name).iterdir() if b"s3cret" in f.read_bytes()
    ]
    assert written == []
    assert os.getsid(verb.pid) == job.pid != os.getsid(0)


def test_a_job_outlives_the_service_that_started_it(
    slow: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(jobs.SERVICE_MARK, "airflow-scheduler")
    name = start_job(slow, "check_sources")
    working(slow, name)

    ours = list(find_ours(slow.data_dir))
    assert len(ours) == 2
    assert all(o.job and o.service == "" for o in ours)


def test_a_complaint_is_the_message_under_the_last_traceback() -> None:
    said = (
        "Traceback (most recent call last):\n  File x\nKeyError: 'first'\n\nDuring handling:\n\n"
        'Traceback (most recent call last):\n  File "y", line 3\n    f()\n    ^^^\n'
        "ValueError: It is wrong.\n  seed: too small\nDo better.\n"
    )
    assert complaint(said) == "ValueError: It is wrong.\n  seed: too small\nDo better."
    assert complaint("hello\nno traceback\n\n") == "no traceback"
    assert complaint("") == "It said nothing."


def test_a_result_is_the_last_line_that_is_json() -> None:
    assert find_result('chatter\n{"a": 1}\n2026-01-01 a log line\n') == {"a": 1}
    with pytest.raises(ValueError, match="no result"):
        find_result("chatter\n")


def test_a_job_on_a_cluster_is_told_no_secret_and_no_default(tmp_path: Path) -> None:
    told = travelling(
        Settings.model_validate(
            {"data_dir": tmp_path, "api_key": "s3cret", "mongo_url": "mongodb://m"}
        )
    )

    assert told == {"TWIN_DATA_DIR": str(tmp_path), "TWIN_MONGO_URL": "mongodb://m"}
