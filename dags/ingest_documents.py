"""Crawl every source into MongoDB.

Every hour it asks which sources are due by their schedules, those without one daily; when none is, it ends there
and nothing downstream starts. One mapped task for each due source fetches what is new or changed; then one task
judges everything by the raw suite, keeps the good and quarantines the bad with its reasons. A bad source never
stops the others: what is good flows on as the asset `documents`, and the run turns red at its last task.
Started by hand it crawls sources without a schedule as well, whenever that is, and what failed before; with the
name of one source only that one, due or not.
"""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from airflow.sdk.types import DagRunProtocol
from twin_airflow.assets import DOCUMENTS
from twin_airflow.verbs import DEFAULT_ARGS, run_verb, verb


@dag(
    # Every hour; a run for the last one is not made up for when the DAG is unpaused.
    schedule=CronTriggerTimetable("0 * * * *", timezone="UTC", run_immediately=timedelta()),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={"source": Param("", type="string", description="One source id; empty: all of them.")},
    doc_md=__doc__,
    tags=["feature"],
)
def ingest_documents() -> None:
    """Wire the tasks."""

    @task.short_circuit
    def list_sources(params: dict[str, str], dag_run: DagRunProtocol) -> list[str]:
        if chosen := params.get("source"):
            return [chosen]
        by_the_clock = dag_run.run_type == "scheduled"
        return run_verb("list_sources", *["daily"] * by_the_clock)

    @task(map_index_template="{{ source_id }}")
    def crawl_source(source_id: str) -> object:
        from airflow.sdk import get_current_context

        get_current_context()["source_id"] = source_id
        return run_verb("crawl_source", source_id)

    crawled = crawl_source.expand(source_id=list_sources())
    stored = verb("store_documents", trigger_rule="all_done", outlets=[DOCUMENTS])
    crawled >> stored
    [crawled, stored] >> verb("check_ingestion", trigger_rule="none_failed")


ingest_documents()
