"""Turn a verb of the platform into an Airflow task: loaded when the task runs, so that DAG files stay light."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, XComArg, task

from include import pipeline
from twin_airflow.pages import PageLink

# The endpoint's verbs come last: rolling out and back, and asking it much.
STORY = (*pipeline.STORY, "serving.deploy", "serving.batch")

# Bad data, bad settings and what is not there stay so; a server that is away, or a killed process, comes back.
FOR_GOOD = ("ValueError", "LookupError", "PermissionError", "FileNotFoundError")
RETRY_WHAT_MAY_MEND = ExceptionRetryPolicy(
    rules=[RetryRule([f"builtins.{name}" for name in FOR_GOOD], action=RetryAction.FAIL)]
)
DEFAULT_ARGS = {
    "retries": 2,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": RETRY_WHAT_MAY_MEND,
    "execution_timeout": timedelta(minutes=30),
}
# How a DAG runs that only people start, beside `schedule=None`, which stays in its file: at once, one run at a time.
BY_HAND: dict[str, Any] = {
    "is_paused_upon_creation": False,
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
}


def is_for_good(complaint: str) -> bool:
    """Tell from what a failed job said last, such as `ValueError: …`, that another try would say it again."""
    return complaint.partition(":")[0].strip() in FOR_GOOD


def run_verb(name: str, *arguments: object) -> object:
    """Run one verb with the settings of this Airflow."""
    from twin_airflow.settings import platform_settings

    return find_verb(name)(platform_settings(), *arguments)


def find_verb(name: str) -> Callable[..., object]:
    """Find a verb by its name."""
    for module in STORY:
        if found := getattr(import_module(module), name, None):
            return found
    raise LookupError(f"No verb is called {name!r}; looked in {', '.join(STORY)}.")


def verb(
    name: str, *arguments: object, page: tuple[str, str] | None = None, **options: object
) -> XComArg:
    """Make the task that runs a verb; `options` are those of any Airflow task.

    `page` is (the words of a button, the key of the verb's result that names the file it opens).
    """

    @task(task_id=name, **options)
    def call(*given: object) -> object:
        return run_verb(name, *given)

    made = call(*arguments)
    if page:
        made.operator.operator_extra_links = (PageLink(*page),)
    return made
