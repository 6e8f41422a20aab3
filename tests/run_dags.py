"""Run DAGs in a real Airflow, one after another, and print what happened: a program for `test_dags.py`.

`python tests/run_dags.py DAG_ID[@scheduled][=CONF] …`, CONF in JSON, with Airflow's settings in the environment.
Airflow reads them when it is imported, so this is a process of its own.
"""

import json
import sys
import warnings
from unittest import mock


def main(plan: list[str]) -> None:
    """Run the DAGs and print, as JSON on the last line, how they were parsed and wired and how they ended."""
    warnings.simplefilter("ignore")
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag()
    told = {
        "errors": bag.import_errors,
        "seconds": {s.file: s.duration.total_seconds() for s in bag.dagbag_stats},
        "loaded": sorted({name.split(".")[0] for name in sys.modules}),
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
        "runs": {},
    }
    for step in plan:
        name, _, conf = step.partition("=")
        dag_id, _, how = name.partition("@")
        with started(how):
            run = bag.get_dag(dag_id).test(run_conf=json.loads(conf or "{}"))
        told["runs"][step] = {"state": run.state, "tasks": tasks(run)}
    told |= stored() | {"pages": pages()}
    sys.stdout.write("\n" + json.dumps(told, default=str) + "\n")


def started(how: str):
    """Let the next test run be one that Airflow's clock has started; a test run is one by hand otherwise."""
    from airflow.serialization.definitions.dag import SerializedDAG

    create = SerializedDAG.create_dagrun

    def created(self, **facts):
        return create(self, **facts | ({"run_type": how} if how else {}))

    return mock.patch.object(SerializedDAG, "create_dagrun", created)


def describe(dag) -> dict:
    """Say what a DAG is after Airflow has written it down, as the scheduler and the UI see it."""
    from airflow.serialization.serialized_objects import DagSerialization

    kept = DagSerialization.deserialize_dag(
        json.loads(json.dumps(DagSerialization.serialize_dag(dag)))
    )
    return {
        "schedule": kept.timetable.summary,
        "doc": kept.doc_md,
        "catchup": kept.catchup,
        "awake": kept.is_paused_upon_creation is False,
        "runs_at_once": kept.max_active_runs,
        "params": list(kept.params),
        "then": {t.task_id: sorted(t.downstream_task_ids) for t in kept.tasks},
        "retries": {t.task_id: t.retries for t in kept.tasks},
        "limits": {t.task_id: t.execution_timeout for t in kept.tasks},
    }


def tasks(run) -> dict:
    """Return state, result, label and number of tries of each task of a run."""
    return {
        t.task_id if t.map_index < 0 else f"{t.task_id}[{t.map_index}]": {
            "state": t.state,
            "value": t.xcom_pull(task_ids=t.task_id, map_indexes=t.map_index),
            "label": t.rendered_map_index,
            "tries": t.try_number,
        }
        for t in run.get_task_instances()
    }


def pages() -> dict:
    """Ask for the platform's pages as Airflow mounts them: as nobody, and as somebody who is logged in."""
    from airflow.api_fastapi.app import create_auth_manager, init_plugins
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import select

    manager, app = create_auth_manager(), FastAPI()
    manager.init()
    init_plugins(app)
    token = manager.generate_jwt(SimpleAuthManagerUser(username="admin", role="admin"))
    asked = select(XComModel).where(XComModel.key == "_link_PageLink")
    with create_session() as session:
        links = {x.task_id: x.value for x in session.scalars(asked) if x.value}
    nobody = TestClient(app)
    known = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    wrong = ("/twin/pages/verdicts/..%2f..%2frun/api_key", "/twin/pages/run/api_key")
    return {
        "links": links,
        "as nobody": [nobody.get(u).status_code for u in ("/twin/", *links.values()) if u],
        "overview": known.get("/twin/").text,
        "opened": {t: known.get(u).text[:15] for t, u in links.items() if u},
        "keys": [known.get(u).status_code for u in wrong],
        "locked": known.get(links["decide_promotion"]).headers["content-security-policy"],
    }


def stored() -> dict:
    """Read from Airflow's tables who makes an asset and who starts on it, its events, and what was not parsed."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.errors import ParseImportError
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        assets = {a.id: a for a in session.scalars(select(AssetModel))}
        events = session.scalars(select(AssetEvent).order_by(AssetEvent.id))
        return {
            "assets": {
                a.name: {
                    "made_by": sorted([t.dag_id, t.task_id] for t in a.producing_tasks),
                    "starts": sorted(d.dag_id for d in a.scheduled_dags),
                }
                for a in assets.values()
            },
            # `airflow dags list-import-errors` prints these.
            "listed_errors": list(session.scalars(select(ParseImportError.stacktrace))),
            "events": [[e.source_dag_id, assets[e.asset_id].name] for e in events],
        }


if __name__ == "__main__":
    main(sys.argv[1:])
