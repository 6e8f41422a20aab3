"""Ask the gate about the newest candidate, and roll it out if it passes.

The gate compares candidate and champion on the same frozen examples and says in words why. With
TWIN_APPROVAL=human a person has the last word, in a form of the Airflow UI; three days without an answer
hold the candidate: this run fails, the next one asks again. A roll-out that fails restores the champion.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from twin_airflow.assets import CANDIDATE, CHAMPION
from twin_airflow.pages import DECISION, page_address
from twin_airflow.verbs import DEFAULT_ARGS, run_verb, verb


@dag(
    schedule=[CANDIDATE],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={"page_address": page_address},
    doc_md=__doc__,
    tags=["serving"],
)
def promote_model() -> None:
    """Wire the tasks."""

    @task.short_circuit
    def next_candidate() -> str | None:
        return run_verb("next_candidate")

    @task.branch
    def who_decides(verdict: dict[str, object]) -> str:
        return "ask_a_person" if verdict["promote"] and verdict["ask"] else "roll_out"

    ask_a_person = HITLOperator(
        task_id="ask_a_person",
        subject="Promote model {{ ti.xcom_pull(task_ids='next_candidate') }}?",
        body=DECISION,
        options=["Promote", "Keep the champion"],
        response_timeout=timedelta(days=3),
        retries=0,
    )

    @task(outlets=[CHAMPION], trigger_rule="none_failed_min_one_success")
    def roll_out(model_id: str, answer: dict[str, object] | None) -> object:
        verdict = run_verb("hear_person", model_id, answer)
        if not verdict["promote"]:
            raise AirflowSkipException(f"The champion stays: {' '.join(verdict['reasons'])}")
        return run_verb("roll_out", model_id)

    candidate = next_candidate()
    decided = verb("decide_promotion", candidate, page=("Decision record", "report"))
    who_decides(decided) >> [ask_a_person, roll_out(candidate, ask_a_person.output)]


promote_model()
