"""Build the author's instruct and preference samples, and publish a dataset version if enough of them are new.

Every answer is a span of a source document; the dataset suite refuses a version with a single
sample that is not.
"""

from datetime import datetime

from airflow.sdk import dag
from twin_airflow.assets import DATASET, FEATURES
from twin_airflow.verbs import DEFAULT_ARGS, verb


@dag(
    schedule=[FEATURES],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["training"],
)
def build_dataset() -> None:
    """Wire the tasks."""
    verb("build_dataset", outlets=[DATASET])


build_dataset()
