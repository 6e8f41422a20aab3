"""`make demo`: the whole loop on one machine, twice round, then once with nothing changed.

It serves the demo site, unpauses the DAGs, triggers only `ingest_documents`, and from then on only
watches. Killed at any moment, a new start goes on to the same end: what is done is read from the
stores, not remembered here.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from demo.airflow import Airflow, Run
from demo.report import Lap, ask, print_farewell, print_lap
from demo.site import import_history, lap_file, read_lap
from include import registry
from include.env_file import read_env, write_env
from include.evaluation import next_candidate
from include.jobs import job_id, job_log
from include.keys import airflow_login
from include.learning import next_dataset
from include.platform import start_program, up
from include.settings import ROOT, Settings, load_settings

CHAIN = ("ingest_documents", "build_features", "build_dataset", "finetune_model", "promote_model")
OTHERS = ("rollback_model", "forget_document", "watch_serving")
PATIENCE_SECONDS = 1800


def main() -> int:
    """Run the laps that are still to do, and leave the platform running."""
    console = Console()
    _prepare_settings()
    settings = load_settings()
    import_history(settings)
    up(settings)
    start_program(settings, "demo-site")
    user, password = airflow_login(settings)
    with closing(
        Airflow(f"http://127.0.0.1:{settings.port('airflow')}", user, password)
    ) as airflow:
        _unpause(settings, airflow)
        for number in _laps_to_do(settings):
            _move_site(settings, number)
            lap = _run_lap(settings, airflow, number, console)
            print_lap(settings, airflow, lap, console)
            if failed := [r for r in lap.latest().values() if r.state == "failed"]:
                _explain(failed, console)
                return 1
            (settings.data_dir / "demo" / f"lap-{number}.done").touch()
    ask(settings, console)
    print_farewell(settings, console)
    return 0


def _prepare_settings() -> None:
    """Let the crawler reach the demo site: two lines in .env, unless they are there."""
    file, port = ROOT / ".env", load_settings().port("demo")
    wanted = {"TWIN_CRAWL_ALLOW_HOSTS": f"127.0.0.1:{port}", "TWIN_CRAWL_DELAY": "0.05"}
    known = read_env(file)
    if missing := {name: value for name, value in wanted.items() if not known.get(name)}:
        write_env(file, missing)


def _unpause(settings: Settings, airflow: Airflow) -> None:
    """Wait until every DAG is known, and let them all run; the first crawl waits for its lap."""
    _wait("the DAGs to be parsed", lambda: set(CHAIN + OTHERS) <= set(airflow.dag_ids()), 120)
    for dag_id in CHAIN + OTHERS:
        if dag_id != "ingest_documents" or _ingested(settings):
            airflow.unpause(dag_id)


def _ingested(settings: Settings) -> bool:
    return (settings.data_dir / "demo" / "lap-1.done").exists()


def _laps_to_do(settings: Settings) -> list[int]:
    """Return the laps that are left; with both done, a third that finds nothing to do."""
    done = [n for n in (1, 2) if (settings.data_dir / "demo" / f"lap-{n}.done").exists()]
    return [n for n in (1, 2) if n not in done] or [3]


def _move_site(settings: Settings, number: int) -> None:
    if read_lap(settings) < number <= 2:
        file = lap_file(settings)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))


def _run_lap(settings: Settings, airflow: Airflow, number: int, console: Console) -> Lap:
    """Trigger the ingestion and watch until everything that follows from it has come to rest."""
    started = datetime.now(UTC)
    airflow.unpause("ingest_documents")
    airflow.trigger("ingest_documents")
    deadline = time.monotonic() + PATIENCE_SECONDS
    told: set[str] = set()
    with Live(console=console, refresh_per_second=2, transient=not console.is_terminal) as live:
        while True:
            elapsed = (datetime.now(UTC) - started).total_seconds()
            lap = Lap(number, elapsed, {d: _runs_since(airflow, d, started) for d in CHAIN})
            live.update(_picture(lap, _said(settings)))
            if not console.is_terminal:
                _tell(lap, told, console)
            if _at_rest(settings, lap.latest()):
                return lap
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"Lap {number} did not end in {PATIENCE_SECONDS} s; see `make logs`."
                )
            time.sleep(2)


def _runs_since(airflow: Airflow, dag_id: str, since: datetime) -> list[Run]:
    """List a stage's runs of this lap; the run that waits in the sensor counts once it has found work."""
    if dag_id != "finetune_model":
        return airflow.runs(dag_id, since)
    # It was queued before this lap began.
    runs = airflow.runs(dag_id, datetime.min.replace(tzinfo=UTC))
    works = [r for r in runs if r.states().get("train_model", "none") != "none"]
    return [r for r in works if not r.ended or r.ended_after(since)]


def _at_rest(settings: Settings, runs: dict[str, Run]) -> bool:
    """Tell whether the lap is over: all three data stages ended, and no dataset or candidate waits."""
    if any(r.state == "failed" for r in runs.values()):
        return True
    ended = [runs[d].ended for d in CHAIN[:3] if d in runs]
    busy = any(not r.ended for r in runs.values())
    if len(ended) < 3 or busy or next_dataset(settings) or next_candidate(settings):
        return False
    return bool(registry.champion(settings)) or not registry.list_models(settings)


def _said(settings: Settings) -> str:
    """Return the last thing that the training said, if there is one now."""
    dataset = next_dataset(settings)
    if not dataset:
        return ""
    log, _ = job_log(settings, job_id("train_model", dataset))
    return log.strip().rpartition("\n")[2][:120]


def _picture(lap: Lap, said: str) -> Table:
    title = f"Lap {lap.number} · {lap.seconds:.0f} s"
    table = Table(title=title, title_justify="left", caption=said, caption_justify="left")
    for heading in ("stage", "state", "tasks", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    latest = lap.latest()
    for dag_id in CHAIN:
        run = latest.get(dag_id)
        if run is None:
            table.add_row(dag_id, "[dim]waiting[/dim]", "", "")
            continue
        tasks = " ".join(f"{_mark(s)}{t}" for t, s in run.states().items())
        colour = {"success": "green", "failed": "red"}.get(run.state, "yellow")
        seconds = f"{run.seconds:.0f}" if run.ended else ""
        table.add_row(dag_id, f"[{colour}]{run.state}[/{colour}]", tasks, seconds)
    return table


def _tell(lap: Lap, told: set[str], console: Console) -> None:
    """Print a line for every stage that has begun or ended since the last look: for logs."""
    for run in lap.latest().values():
        line = f"{run.dag_id} {run.state}"
        if line not in told:
            told.add(line)
            console.print(f"lap {lap.number} · {lap.seconds:4.0f} s · {line}")


def _explain(failed: Sequence[Run], console: Console) -> None:
    """Name the tasks that failed, and where their words are."""
    for run in failed:
        tasks = [
            f"{t.name}[{t.map_index}]" if t.map_index >= 0 else t.name
            for t in run.tasks
            if t.state == "failed"
        ]
        console.print(
            f"[red]{run.dag_id} failed at {', '.join(tasks)}[/red]: its log is in the Airflow UI."
        )


def _mark(state: str) -> str:
    marks = {"success": "✓", "failed": "✗", "running": "▶", "deferred": "…", "skipped": "–"}
    return marks.get(state, "·")


def _wait(what: str, ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}; see `make logs`.")
        time.sleep(1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, httpx.HTTPError, ValueError) as error:
        Console(stderr=True).print(f"[red]{error}[/red]")
        sys.exit(1)
