"""Search a better recipe for the fine-tuning: trials on the newest dataset, inside a budget, by hand only.

Ray Tune runs them, Optuna proposes what to try, ASHA ends what falls behind; they are judged on documents
of the training part, never on the test split. The best recipe becomes a file under `recipes/` of the
artifacts, with its evidence and a picture; set `TWIN_RECIPE` to its id and `finetune_model` takes it.
Clearing or failing the task ends the search; starting it again with the same form goes on with it.
"""

from airflow.sdk import Param, dag
from twin_airflow.operators import RunJobOperator
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    params={
        "trials": Param(12, type="integer", minimum=1, description="Trainings at most."),
        "minutes": Param(30, type="integer", minimum=1, description="Minutes at most."),
        "space": Param(
            "small",
            type="string",
            examples=["rate", "small", "wide"],
            description='What is varied: rate, small, wide, or JSON such as {"batch": {"choices": [4, 8]}}.',
        ),
        "author": Param("", type="string", description="Whose twin; empty: TWIN_AUTHOR."),
    },
    doc_md=__doc__,
    tags=["training"],
)
def search_recipe() -> None:
    """Wire the task."""
    asked = ("trials", "minutes", "space", "author")
    RunJobOperator(
        task_id="search_recipe",
        verb="search_recipe",
        arguments=[f"{{{{ params.{name} }}}}" for name in asked],
    )


search_recipe()
