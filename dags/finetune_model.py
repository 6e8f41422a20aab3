"""Fine-tune on every new dataset version: SFT, then DPO, then evaluation.

One run always waits, deferred, in the sensor. Training and evaluation are jobs outside the worker;
clearing or failing a task in the UI ends its job. A dataset on which training fails for good is
given up, so that the next run waits for a new one; clear the failed task to try it again.
"""

from datetime import datetime

from airflow.sdk import dag
from twin_airflow.assets import CANDIDATE
from twin_airflow.operators import RunJobOperator
from twin_airflow.sensors import NewDatasetSensor
from twin_airflow.verbs import DEFAULT_ARGS, verb


@dag(
    schedule="@continuous",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS | {"execution_timeout": None},
    doc_md=__doc__,
    tags=["training"],
)
def finetune_model() -> None:
    """Wire the tasks."""
    dataset = NewDatasetSensor(task_id="wait_for_dataset")
    trained = RunJobOperator(
        task_id="train_model",
        verb="train_model",
        arguments=["{{ ti.xcom_pull(task_ids='wait_for_dataset') }}"],
    )
    evaluated = RunJobOperator(
        task_id="evaluate_model",
        verb="evaluate_model",
        arguments=["{{ ti.xcom_pull(task_ids='train_model')['model_id'] }}"],
        outlets=[CANDIDATE],
    )
    given_up = verb("give_up_dataset", dataset.output, trigger_rule="one_failed", retries=0)
    dataset >> trained >> evaluated
    [trained, evaluated] >> given_up


finetune_model()
