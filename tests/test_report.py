"""What a lap's report says: what its tasks themselves gave back, real evidence, and addresses that can be copied."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from own_texts import own_artifacts
from rich.console import Console

from demo import report
from demo.airflow import Run, Task
from demo.report import Lap, ask, print_farewell, print_lap
from include.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHAIN = ("ingest_documents", "build_features", "build_dataset", "finetune_model", "promote_model")


class Results:
    """What tasks gave back, by run and task, as Airflow's client tells it."""

    def __init__(self, given: dict) -> None:
        self.given = given

    def result(self, run: Run, task: str, map_index: int = -1) -> object:
        return self.given.get((run.run_id, task, map_index))


def run(dag_id: str, run_id: str, *tasks: tuple[str, int]) -> Run:
    listed = tuple(Task(name, "success", NOW, index) for name, index in tasks)
    return Run(dag_id, run_id, "success", NOW, NOW, 7.0, listed)


def lap(number: int, **runs: list[Run]) -> Lap:
    return Lap(number, 42.0, {dag_id: runs.get(dag_id, []) for dag_id in CHAIN})


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=110, file=StringIO())


@pytest.fixture
def world(served, tmp_path) -> Settings:
    """Give the shared world a registry of its own: whatever other tests published there is not its newest model."""
    return own_artifacts(*served, tmp_path / "artifacts")


CRAWLS = run("ingest_documents", "i1", ("crawl_source", 0), ("crawl_source", 1))
BUILDS = run("build_features", "f1", ("clean_documents", -1), ("index_chunks", -1))
AGAIN = run("build_features", "f2", ("clean_documents", -1), ("index_chunks", -1))


def test_a_lap_adds_up_what_all_of_its_runs_did(world, console):
    results = Results(
        {
            ("i1", "crawl_source", 0): {"fetched": 3, "unchanged": 1, "gone": 0},
            ("i1", "crawl_source", 1): {"fetched": 2, "unchanged": 0, "gone": 1},
            ("f1", "index_chunks", -1): {"embedded": 40, "reused": 7, "deleted": 2},
            ("f2", "index_chunks", -1): {"embedded": 5, "deleted": 0},
            ("f2", "clean_documents", -1): {"cleaned": 1, "duplicates": 3},
        }
    )
    runs = lap(1, ingest_documents=[CRAWLS], build_features=[BUILDS, AGAIN])

    print_lap(world, results, runs, console)

    said = console.export_text()
    assert "5 fetched, 1 unchanged, 1 gone" in said
    assert "45 chunks embedded, 7 known, 2 taken out" in said
    assert "3 copies of others are set aside" in said
    assert "build_features: 14" in said
    assert "Nothing had changed" not in said


def test_a_lap_names_the_dataset_the_losses_and_what_the_gate_said(world, console):
    print_lap(world, Results({}), lap(1), console)

    said = console.export_text()
    assert "held out: " in said and " → " in said
    assert "train: " in said and "test: " in said


def test_a_lap_in_which_nothing_was_embedded_made_or_trained_says_so(world, console):
    results = Results({("i1", "crawl_source", 0): {"fetched": 0, "unchanged": 133}})

    print_lap(world, results, lap(3, ingest_documents=[CRAWLS]), console)

    assert "Nothing had changed: 133 texts asked about, 0 embeddings computed" in (
        console.export_text().replace("\n", " ").replace("  ", " ")
    )


def test_the_answer_is_shown_with_its_link_and_what_was_deleted_is_looked_for(
    answering, console, monkeypatch
):
    world = answering.world.model_copy(update={"serve_url": answering.url})
    monkeypatch.setitem(report.QUESTIONS, 2, "Why does fsync lie?")
    done = world.data_dir / "demo"
    done.mkdir(exist_ok=True)
    (done / "lap-2.done").touch()

    ask(world, console)

    said = console.export_text()
    assert "https://notes.example/maren-oduya/why-does-fsync-lie/" in said
    assert "Deleted in lap 2: “Garbage collection pauses" in said


def test_where_to_look_next_are_whole_lines(answering):
    narrow = Console(record=True, width=40, file=StringIO())

    print_farewell(answering.world, narrow)

    lines = narrow.export_text().splitlines()
    (airflow,) = (line for line in lines if line.startswith("Airflow UI"))
    assert "http://127.0.0.1:" in airflow and "admin / " in airflow
    for name in ("chat page", "Ray dashboard", "Data Docs", "corpus picture", "W&B runs", "Feast"):
        assert any(line.startswith(name) for line in lines), name
