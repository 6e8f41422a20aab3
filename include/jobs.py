"""Jobs: verbs that run longer than whoever asked for them, each in a session of its own, and found again by its id.

A job is a folder `data_dir/jobs/<id>`: `state.json`, `log.txt` (what the verb says) and `output.txt` (its
result). Where `TWIN_JOBS_URL` names a Ray cluster, the same functions use it (`include/jobs_ray.py`). A
job is alive as long as the process is that its state names; a process with the same number that was
created at another time is somebody else's.
"""

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from include import jobs_ray
from include.job_words import (
    CANCELLED,
    JobState,
    Status,
    complaint,
    find_result,
    killed,
    whole_lines,
)
from include.processes import JOB_MARK, SERVICE_MARK, WORLD_MARK, end_processes, find_ours
from include.services import child_environment
from include.settings import ROOT, Settings, load_settings
from ml.files import locked, write_whole
from ml.types import digest

log = logging.getLogger(__name__)

__all__ = ["JobState", "cancel_job", "job_id", "job_log", "job_state", "start_job"]

LOST = "Its process ended without a word: it was killed, or the machine went down. Start it again."
# Of Linux: send me this signal when the thread that started me ends.
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class _Record:
    """What `state.json` holds; `created` and `started` are seconds since 1970."""

    verb: str
    arguments: tuple[str, ...]
    status: Status = "running"
    pid: int = 0
    created: float = 0.0
    started: float = 0.0
    seconds: float = 0.0
    result: object = None
    error: str = ""


def job_id(verb: str, *arguments: str) -> str:
    """Name the job of a verb and its arguments: asking twice is asking for the same one."""
    return digest("job", verb, *arguments)[:16]


def start_job(settings: Settings, verb: str, *arguments: str) -> str:
    """Start a verb as a job and return its id; one that runs already is joined.

    A job that has ended is started again, however it ended: every verb may run twice, and knows what
    is left to do. So who wants the result of a finished job asks `job_state`, not this.
    """
    name = job_id(verb, *arguments)
    if settings.jobs_url:
        jobs_ray.start(settings, name, verb, arguments)
        return name
    folder = _folder(settings, name)
    with _held(folder):
        record = _read(folder)
        if record is None or not _running(record):
            _end_all(settings, name)  # workers of one that was killed
            _launch(settings, folder, _Record(verb, arguments, started=time.time()))
    return name


def job_state(settings: Settings, name: str) -> JobState:
    """Tell how a job is doing; LookupError for one that was never started."""
    if settings.jobs_url:
        return jobs_ray.state(settings, name)
    folder = _folder(settings, name)
    record, file = _known(folder), folder / "log.txt"
    if record.status == "running":
        with _held(folder):
            # It may have ended since we read, or not yet begun.
            record = _known(folder)
            if _running(record):
                record = replace(record, seconds=time.time() - record.started)
            elif record.status == "running":
                spent = max(file.stat().st_mtime - record.started, 0.0)
                record = replace(record, status="lost", error=LOST, seconds=spent)
    return JobState(name, record.status, record.result, record.error, str(file), record.seconds)


def job_log(settings: Settings, name: str, offset: int = 0) -> tuple[str, int]:
    """Return the whole lines of a job's log from a byte on, and the byte to ask from next."""
    if settings.jobs_url:
        return whole_lines(jobs_ray.read_log(settings, name), offset)
    file = _folder(settings, name) / "log.txt"
    return whole_lines(file.read_bytes(), offset) if file.exists() else ("", 0)


def cancel_job(settings: Settings, name: str, *, grace: float = 8.0) -> bool:
    """End a job and all that it started: asked first, and made to after `grace` seconds; False if none ran."""
    if settings.jobs_url:
        return jobs_ray.cancel(settings, name)
    folder = _folder(settings, name)
    record = _read(folder)
    if record is None or not _running(record):
        return False
    _end_all(settings, name, grace)
    _finish(folder, replace(record, status="failed", error=CANCELLED))
    return True


def run_job(settings: Settings, name: str) -> int:
    """Be the process of a job: run its verb, and write down how that ended."""
    folder = _folder(settings, name)
    with _held(folder):
        record = _known(folder)
        if record.pid != os.getpid() and _running(record):
            return 0  # somebody else was quicker
        record = replace(record, pid=os.getpid(), created=psutil.Process().create_time())
        _write(folder, record)
    code = _run_verb(record, folder)
    _end_all(settings, name)  # workers that a killed verb left
    text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
    try:
        result = (
            find_result((folder / "output.txt").read_text(encoding="utf-8")) if not code else None
        )
        ended = replace(record, status="failed" if code else "succeeded", result=result)
    except ValueError:
        ended = replace(record, status="failed", error=f"{record.verb} returned no JSON.")
    if code:
        ended = replace(ended, error=killed(code) if code < 0 else complaint(text))
    _finish(folder, ended)
    return code


def _run_verb(record: _Record, folder: Path) -> int:
    """Run `python -m include VERB ARGUMENTS`, which cannot outlive us."""
    ours = os.getpid()

    def die_with_us() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != ours:  # we ended before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    command = [sys.executable, "-m", "include", record.verb, *record.arguments]
    with (folder / "output.txt").open("w") as output, (folder / "log.txt").open("a") as said:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=said,
            preexec_fn=die_with_us if sys.platform == "linux" else None,
            check=False,
        ).returncode


def _launch(settings: Settings, folder: Path, record: _Record) -> None:
    """Start the process of a job; the lock is held, so it waits until its number is written down."""
    (folder / "log.txt").write_text("")
    _write(folder, record)
    marks = {WORLD_MARK: str(settings.data_dir.resolve()), JOB_MARK: folder.name}
    # Not a part of the service that started it: that one's restart must not end the job.
    environment = {k: v for k, v in child_environment(settings).items() if k != SERVICE_MARK}
    with (folder / "log.txt").open("a") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "include.jobs", folder.name],
            cwd=ROOT,
            env=environment | marks,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    created = psutil.Process(process.pid).create_time()
    _write(folder, replace(record, pid=process.pid, created=created))
    # Else it would stay a zombie for as long as this process lives.
    threading.Thread(target=process.wait, daemon=True).start()
    log.info("job %s runs %s as process %d", folder.name, record.verb, process.pid)


def _finish(folder: Path, record: _Record) -> None:
    """Write down how a job ended, unless another process has taken it over."""
    with _held(folder):
        now = _read(folder)
        if now is None or now.pid != record.pid or now.status != "running":
            return
        record = replace(record, seconds=time.time() - record.started)
        with (folder / "log.txt").open("a") as said:
            said.write(f"job {record.status} after {record.seconds:.0f} s. {record.error}".strip())
            said.write("\n")
        _write(folder, record)


def _running(record: _Record) -> bool:
    """Tell whether a job has not ended, and the very process that its record names lives."""
    if record.status != "running" or not record.pid:
        return False
    try:
        process = psutil.Process(record.pid)
        # The system counts in hundredths of a second.
        same = abs(process.create_time() - record.created) < 0.02
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end_all(settings: Settings, name: str, grace: float = 8.0) -> None:
    """End the processes of a job but this one, whoever's children they are and in whatever session."""
    # A process may start another while we look, so look until there is none.
    while found := [o.process for o in find_ours(settings.data_dir) if o.job == name]:
        end_processes(found, seconds=grace)


def _folder(settings: Settings, name: str) -> Path:
    return settings.data_dir.resolve() / "jobs" / name


def _held(folder: Path) -> AbstractContextManager[None]:
    return locked(folder / ".lock")


def _known(folder: Path) -> _Record:
    record = _read(folder)
    if record is None:
        raise LookupError(f"There is no job {folder.name} in {folder.parent}. Start it first.")
    return record


def _read(folder: Path) -> _Record | None:
    file = folder / "state.json"
    if not file.exists():
        return None
    values: Mapping[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return _Record(**{**values, "arguments": tuple(values["arguments"])})  # type: ignore[arg-type]


def _write(folder: Path, record: _Record) -> None:
    write_whole(folder / "state.json", json.dumps(asdict(record), indent=1))


if __name__ == "__main__":
    sys.exit(run_job(load_settings(), sys.argv[1]))
