"""Sum up, every hour, what the endpoint did in the last day: questions, abstentions, seconds, feedback."""

from datetime import datetime

from airflow.sdk import dag
from twin_airflow.verbs import DEFAULT_ARGS, verb


@dag(
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["serving"],
)
def watch_serving() -> None:
    """Wire the tasks."""
    verb("watch_serving")


watch_serving()
