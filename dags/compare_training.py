"""Ask whether training is worth it: base, base with passages, with examples of the voice, SFT, and SFT with DPO.

By hand. It trains small models of its own on a quarter, a half and all of the documents, none of which is
registered or served, and writes one table and one picture per dataset: `artifacts/worth/<dataset>.html`.
"""

from airflow.sdk import Param, dag
from twin_airflow.operators import RunJobOperator
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS

WHICH = "The dataset's id; empty: the newest."


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    params={"dataset": Param("", type="string", description=WHICH)},
    doc_md=__doc__,
    tags=["training"],
)
def compare_training() -> None:
    """Wire the task."""
    RunJobOperator(
        task_id="compare_training",
        verb="compare_training",
        arguments=["{{ params.dataset }}"],
    )


compare_training()
