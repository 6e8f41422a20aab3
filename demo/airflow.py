"""A small client of Airflow's REST API: unpause, trigger, and see how runs stand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

# Waiting for work is not work: a sensor's time is left out of a run's seconds.
WAITING = "wait_for_dataset"


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a run, or one of a mapped task's instances."""

    name: str
    state: str
    started: datetime | None
    map_index: int


@dataclass(frozen=True, slots=True)
class Run:
    """One DAG run; its tasks in the order they started, its seconds from the first that worked."""

    dag_id: str
    run_id: str
    state: str
    queued_at: datetime
    ended_at: datetime | None
    seconds: float
    tasks: tuple[Task, ...]

    def states(self) -> dict[str, str]:
        """Say how each task stands; of a mapped one, how its last instance does."""
        return {t.name: t.state for t in self.tasks}

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen in this run."""
        return self.state in ("success", "failed")

    def ended_after(self, moment: datetime) -> bool:
        """Tell whether the run ended, and after a moment."""
        return self.ended_at is not None and self.ended_at > moment


class Airflow:
    """A logged-in session with the API server."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        answer = self.http.post("/auth/token", json={"username": user, "password": password})
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def dag_ids(self) -> list[str]:
        """Name the DAGs that are known by now."""
        return [d["dag_id"] for d in self._get("/api/v2/dags", limit=100)["dags"]]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self.http.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str) -> str:
        """Start a run by hand; returns its id."""
        answer = self.http.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None})
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def runs(self, dag_id: str, since: datetime) -> list[Run]:
        """List the runs queued since a moment, oldest first, with their tasks."""
        found = self._get(f"/api/v2/dags/{dag_id}/dagRuns", order_by="-run_after", limit=10)
        runs = [self._run(dag_id, r) for r in found["dag_runs"]]
        return [r for r in reversed(runs) if r.queued_at >= since]

    def result(self, run: Run, task: str, map_index: int = -1) -> Any:
        """Return what a task of a run gave back, None where it gave nothing."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task}/xcomEntries"
        answer = self.http.get(
            f"{path}/return_value", params={"map_index": map_index, "deserialize": True}
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()["value"]

    def _run(self, dag_id: str, record: dict[str, str]) -> Run:
        run_id = record["dag_run_id"]
        found = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        by_start = sorted(found["task_instances"], key=lambda t: t["start_date"] or "9")
        tasks = [
            Task(t["task_id"], t["state"] or "none", _time(t["start_date"]), t["map_index"])
            for t in by_start
        ]
        begun = [t.started for t in tasks if t.started and t.name != WAITING]
        end = _time(record["end_date"])
        return Run(
            dag_id,
            run_id,
            record["state"],
            _time(record["queued_at"]) or _time(record["run_after"]) or datetime.max,
            end,
            (end - min(begun)).total_seconds() if begun and end else 0.0,
            tuple(tasks),
        )

    def _get(self, path: str, **query: str | int) -> dict:  # type: ignore[type-arg]
        answer = self.http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
