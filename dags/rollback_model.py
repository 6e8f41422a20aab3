"""Bring back the previous champion: one click. The older model gets its own features and prompts."""

from datetime import datetime

from airflow.sdk import dag
from twin_airflow.assets import CHAMPION
from twin_airflow.verbs import DEFAULT_ARGS, verb


@dag(
    schedule=None,
    is_paused_upon_creation=False,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["serving"],
)
def rollback_model() -> None:
    """Wire the tasks."""
    verb("roll_back", outlets=[CHAMPION])


rollback_model()
