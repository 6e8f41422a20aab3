"""Bring back the previous champion: one click. The older model gets its own features and prompts."""

from airflow.sdk import dag
from twin_airflow.assets import CHAMPION
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["serving"],
)
def rollback_model() -> None:
    """Wire the tasks."""
    verb("roll_back", outlets=[CHAMPION])


rollback_model()
