"""Let the champion and the base model answer prompts, then build a dataset whose pairs reject what they said.

Started by hand: each answer takes seconds. TWIN_DATASET_NEGATIVES says how many prompts are answered; with 0,
none is, and the dataset stays as it is. The answers are a job outside the worker, and are kept for later datasets.
"""

from airflow.sdk import dag
from twin_airflow.assets import DATASET
from twin_airflow.operators import RunJobOperator
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    doc_md=__doc__,
    tags=["training"],
)
def answer_prompts() -> None:
    """Wire the tasks."""
    answered = RunJobOperator(task_id="answer_prompts", verb="answer_prompts")
    answered >> verb("build_dataset", outlets=[DATASET])


answer_prompts()
