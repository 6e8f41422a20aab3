"""Jobs on a Ray cluster: the other half of `include/jobs.py`, for installations that name one in `TWIN_JOBS_URL`.

Ray forbids using an id twice, so every start of a job is an attempt, `twin-<job>-<number>`; the last
one counts. The code travels with the job; settings travel as environment variables, but none that is
a secret: those are the cluster's own.
"""

import logging
import shlex
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from include.job_words import CANCELLED, JobState, Status, complaint, find_result, killed
from include.keys import ray_token_file
from include.services import settings_environment
from include.settings import ROOT, Settings

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

log = logging.getLogger(__name__)

# What a verb does not need is not sent, nor secrets, which .gitignore keeps back only where there is one.
LEFT_BEHIND = [
    ".git",
    ".venv",
    ".env",
    ".env.*",
    "data",
    "docs",
    "tests",
    "**/__pycache__",
    "wandb",
]
# Ray makes a job end after 3 s; it is waited for, or who starts it again would join what is ending.
STOP_SECONDS, LOOK_SECONDS = 30.0, 0.2
STATUS: dict[str, Status] = {
    "PENDING": "running",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "STOPPED": "failed",
}


def start(settings: Settings, name: str, verb: str, arguments: Sequence[str]) -> None:
    """Submit a verb, unless it runs already."""
    client = _connect(settings)
    attempts = _attempts(client, name)
    if attempts and STATUS[attempts[-1].status] == "running":
        return
    # Earlier attempts may have been deleted, so they are not counted.
    attempt = f"twin-{name}-{_number(attempts[-1]) + 1 if attempts else 1}"
    try:
        client.submit_job(
            # In place of the shell that Ray starts, so that the verb's own end is what Ray sees.
            entrypoint="exec " + shlex.join(["python", "-m", "include", verb, *arguments]),
            submission_id=attempt,
            runtime_env={
                "working_dir": str(ROOT),
                "excludes": LEFT_BEHIND,
                "env_vars": travelling(settings),
            },
        )
    except RuntimeError as error:
        # Somebody else started the same attempt a moment ago: theirs is ours.
        if "already exists" not in str(error):
            raise
    log.info("job %s runs %s on %s as %s", name, verb, settings.jobs_url, attempt)


def state(settings: Settings, name: str) -> JobState:
    """Tell how a job is doing; LookupError for one that was never started."""
    client = _connect(settings)
    last = _last(client, settings, name)
    status, result, error = STATUS[last.status], None, ""
    if status == "failed":
        stopped = last.status == "STOPPED"
        error = CANCELLED if stopped else _why(client, last)
    if status == "succeeded":
        try:
            result = find_result(client.get_job_logs(_attempt(last)))
        except ValueError as wrong:
            status, error = "failed", str(wrong)
    started = (last.start_time or time.time() * 1000) / 1000
    ended = last.end_time / 1000 if last.end_time else time.time()
    where = f"{settings.jobs_url}/#/jobs/{last.submission_id}"
    return JobState(name, status, result, error, where, max(ended - started, 0.0))


def read_log(settings: Settings, name: str) -> bytes:
    """Return all that a job has said."""
    client = _connect(settings)
    logs: str = client.get_job_logs(_attempt(_last(client, settings, name)))
    return logs.encode()


def cancel(settings: Settings, name: str) -> bool:
    """Let Ray end a job and its children, and wait until they have; False if none ran."""
    client = _connect(settings)
    attempts = _attempts(client, name)
    if not attempts or STATUS[attempts[-1].status] != "running":
        return False
    attempt = _attempt(attempts[-1])
    stopped: bool = client.stop_job(attempt)
    deadline = time.monotonic() + STOP_SECONDS
    while STATUS[client.get_job_status(attempt)] == "running":
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{attempt} at {settings.jobs_url} still runs {STOP_SECONDS:.0f} s after Ray was asked to end it."
            )
        time.sleep(LOOK_SECONDS)
    return stopped


def travelling(settings: Settings) -> dict[str, str]:
    """Return the settings that a job elsewhere is told: no secrets, and no defaults but the data folder.

    The default data folder lies beside the code, which is somewhere else there.
    """
    defaults = settings_environment(Settings())
    return {
        name: value
        for name, value in without_secrets(settings).items()
        if value != defaults[name] or name == "TWIN_DATA_DIR"
    }


def without_secrets(settings: Settings) -> dict[str, str]:
    """Spell out all settings as environment variables but those that are secrets."""
    told = settings_environment(settings)
    secrets = [n for n in Settings.model_fields if isinstance(getattr(settings, n), SecretStr)]
    return {k: v for k, v in told.items() if k.removeprefix("TWIN_").lower() not in secrets}


def _why(client: "JobSubmissionClient", last: "JobDetails") -> str:
    """Say why an attempt failed: its verb's own words, unless it never ran or had no time to speak."""
    code = last.driver_exit_code
    if code is None:
        return complaint(last.message or "Ray gave no reason.")
    return killed(code) if code < 0 else complaint(client.get_job_logs(_attempt(last)))


def _connect(settings: Settings) -> "JobSubmissionClient":
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    file, url = ray_token_file(settings), settings.jobs_url
    headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
    try:
        # Of other addresses Ray would make something else, and wait for it.
        if not url.startswith(("http://", "https://")):
            raise ValueError("that is no http://host:port")
        return JobSubmissionClient(url, headers=headers)
    except AuthenticationError as error:
        raise PermissionError(
            f"Ray Jobs at {url} takes another token than the one in {file}. Write that cluster's into the file."
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise ConnectionError(
            f"Ray Jobs at {url} did not answer ({error}). Look at TWIN_JOBS_URL, or leave it empty "
            "to run jobs on this machine."
        ) from error


def _attempts(client: "JobSubmissionClient", name: str) -> list["JobDetails"]:
    """List the starts of a job, the last one last."""
    ours = [j for j in client.list_jobs() if _attempt(j).startswith(f"twin-{name}-")]
    return sorted(ours, key=_number)


def _number(job: "JobDetails") -> int:
    return int(_attempt(job).rsplit("-", 1)[1])


def _attempt(job: "JobDetails") -> str:
    """Return the id of one attempt; what Ray runs for somebody else may have none."""
    return job.submission_id or ""


def _last(client: "JobSubmissionClient", settings: Settings, name: str) -> "JobDetails":
    attempts = _attempts(client, name)
    if not attempts:
        raise LookupError(f"There is no job {name} at {settings.jobs_url}. Start it first.")
    return attempts[-1]
