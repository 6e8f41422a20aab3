"""Review what validation refused: list it, have it judged again, or let it pass although it failed.

A release holds for one revision of a text at one stage, needs a reason, and is kept with the name of
whoever started this run. What holds a secret or was asked to be forgotten is never released. What
is judged again flows on as the asset `documents`.
"""

from airflow.sdk import Param, dag, task
from twin_airflow.assets import DOCUMENTS
from twin_airflow.verbs import BY_HAND, DEFAULT_ARGS, verb

ACTIONS = {
    "list": "list_quarantine",
    "replay": "replay_quarantined",
    "release": "release_quarantined",
}


@dag(
    schedule=None,
    **BY_HAND,
    default_args=DEFAULT_ARGS,
    params={
        "action": Param("list", enum=[*ACTIONS], description="A release is replayed at once."),
        "stage": Param(
            "raw", enum=["raw", "clean", "chunk", "feature"], description="Where it was refused."
        ),
        "pattern": Param("*", type="string", minLength=1, description="A URL; * and ? hold."),
        "reason": Param("", type="string", description="Why it may pass; a release needs one."),
    },
    doc_md=__doc__,
    tags=["feature"],
)
def review_quarantine() -> None:
    """Wire the tasks."""

    @task.branch
    def choose_action(params: dict[str, str] | None = None) -> str:
        return ACTIONS[(params or {})["action"]]

    where = ("{{ params.stage }}", "{{ params.pattern }}")
    who = "{{ dag_run.triggering_user_name or 'nobody named' }}"
    released = verb("release_quarantined", *where, who, "{{ params.reason }}")
    replayed = verb(
        "replay_quarantined",
        *where,
        outlets=[DOCUMENTS],
        trigger_rule="none_failed_min_one_success",
    )
    choose_action() >> [verb("list_quarantine", *where), released, replayed]
    released >> replayed


review_quarantine()
