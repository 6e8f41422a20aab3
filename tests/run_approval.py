"""Run promote_model in a real Airflow with a person who answers its form, or does not: for `test_approval.py`.

`python tests/run_approval.py USER:PASSWORD ANSWER …` starts the DAG once for each ANSWER, an option of the form or
`nobody`. The form is read and answered through Airflow's own API; where nobody answers, the scheduler's sweep
finds the time for it over.
"""

import json
import sys
import threading
import time
import warnings
from datetime import timedelta

from run_dags import tasks

from include.settings import ROOT

DAG_ID, TASK = "promote_model", "ask_a_person"
FORM = f"/api/v2/dags/{DAG_ID}/dagRuns/{{run}}/taskInstances/{TASK}/-1/hitlDetails"


class Person(threading.Thread):
    """Waits until the form is shown, reads it, and answers; or lets the time pass."""

    def __init__(self, http, login: dict, answer: str) -> None:
        super().__init__(daemon=True)
        self.http, self.login, self.answer, self.form = http, login, answer, {}

    def run(self) -> None:
        token = self.http.post("/auth/token", json=self.login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        run_id = self._parked()
        self.form = self.http.get(FORM.format(run=run_id), headers=headers).json()
        if self.answer == "nobody":
            return pass_time(run_id)
        chosen = {"chosen_options": [self.answer], "params_input": {}}
        said = self.http.patch(FORM.format(run=run_id), headers=headers, json=chosen)
        self.form["status"] = said.status_code

    def _parked(self) -> str:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        waiting = select(TaskInstance.run_id).where(
            TaskInstance.dag_id == DAG_ID,
            TaskInstance.task_id == TASK,
            TaskInstance.state == "awaiting_input",
        )
        while True:
            with create_session() as session:
                if run_id := session.scalar(waiting):
                    return run_id
            time.sleep(0.5)


def pass_time(run_id: str) -> None:
    """Put the deadline of a form into the past, and let the scheduler look."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        ours = (TaskInstance.run_id == run_id, TaskInstance.task_id == TASK)
        waiting = session.query(TaskInstance).where(*ours).one()
        passed = waiting.trigger_timeout - timedelta(days=4)
        session.execute(update(TaskInstance).where(*ours).values(trigger_timeout=passed))
    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()


def main(login: str, answers: list[str]) -> None:
    """Run the DAG and print, as JSON on the last line, how each run ended and what its form showed."""
    warnings.simplefilter("ignore")
    from airflow.api_fastapi.app import create_app
    from airflow.dag_processing.dagbag import DagBag
    from fastapi.testclient import TestClient

    dag = DagBag(ROOT / "dags" / f"{DAG_ID}.py").get_dag(DAG_ID)
    for task in dag.tasks:
        task.retries = 0
    user, _, password = login.partition(":")
    told = []
    with TestClient(create_app()) as http:
        for answer in answers:
            person = Person(http, {"username": user, "password": password}, answer)
            person.start()
            run = dag.test()
            person.join(timeout=60)
            told.append({"state": run.state, "tasks": tasks(run), "form": person.form})
    sys.stdout.write("\n" + json.dumps(told, default=str) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
