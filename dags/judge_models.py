"""Let another language model compare two of ours: the one at `TWIN_LLM_URL`, by hand only; it decides nothing.

Each pair is judged in both orders, at one length, and once more; on pairs whose truth is known the judge itself is
tested. The page says how often it was right, what swayed it and whether it agrees with itself; no bias, no belief.
Requests are counted (`TWIN_LLM_CALLS`) and answers kept, so a second run goes on where the budget ended the first.
"""

from airflow.sdk import Param, dag
from twin_airflow.operators import RunJobOperator
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS

LEFT = "A model's id, the beginning of one, or an alias; empty: the champion."
RIGHT = "The same; empty, or base: what the left one stands on, untrained."


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    params={
        "left": Param("", type="string", description=LEFT),
        "right": Param("", type="string", description=RIGHT),
    },
    doc_md=__doc__,
    tags=["training"],
)
def judge_models() -> None:
    """Wire the task."""
    RunJobOperator(
        task_id="judge_models",
        verb="judge_models",
        arguments=["{{ params.left }}", "{{ params.right }}"],
        page=("What the judge's word is worth", "page"),
    )


judge_models()
