"""Files forget too (include/erasure_files.py): experiments, decisions, kept answers, logs, and what training left."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from own_texts import entry, own_world, take_in
from test_forgetting import SENTENCE, URL, learn

from include import forgetting, registry
from include.crawlers.repository import copies_with
from include.learning import open_experiment
from include.manifests import artifacts_root
from include.settings import Settings
from ml.gate import Verdict
from ml.verdict_page import draw_verdict

OTHER = "Nothing of the kind was ever said by anybody, not even in passing."


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world whose programs, jobs and models quote one of its documents, and something else."""
    few = settings.model_copy(update={"min_examples": 5, "base_model": "any"})
    made = own_world(few, tmp_path, *map(entry, range(6)))
    take_in(made)
    _, model_id = learn(made)
    folder = made.data_dir / "training" / model_id
    folder.mkdir()
    (folder / "training.json").write_text("{}")
    for name in ("logs/serve.log", "jobs/j1/log.txt", "airflow/logs/dag_id=x/attempt=1.log"):
        file = made.data_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": f"it said\n{SENTENCE}."})
        file.write_text(f"{OTHER}\n{line}\ncrawled {URL}\n")
    for name, said in (("a", SENTENCE), ("b", OTHER)):
        file = made.data_dir / "llm" / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"messages": [{"content": f"Ask about: “{said}”"}]}))
        compared = artifacts_root(made) / "judgements" / f"{name}-base.json"
        compared.parent.mkdir(exist_ok=True)
        compared.write_text(json.dumps({"judged": [{"pair": {"left": said}}]}))
    dataset_id = registry.list_datasets(made)[-1]
    (made.data_dir / "training" / f"worth-{dataset_id}-0123").mkdir()
    samples = [("What of it?", f"<b>{SENTENCE}</b>"), ("And this?", OTHER)]
    page = draw_verdict(Verdict(True, ("So.",), {}), {"candidate": model_id}, samples)
    registry.write_report(made, model_id, page)
    for said in (SENTENCE, OTHER):
        with open_experiment(made, "evaluate", model_id) as run:
            run.table("samples", ("prompt", "said"), [["What of it?", said]])
    return made


def holding(folder: Path, said: str) -> set[str]:
    """Name the files below a folder that hold some words, byte for byte."""
    files = (f for f in folder.rglob("*") if f.is_file())
    return {f.relative_to(folder).as_posix() for f in files if said.encode() in f.read_bytes()}


def test_no_file_quotes_a_forgotten_document_and_what_is_about_others_stays(world: Settings):
    data = world.data_dir
    runs = sorted((data / "wandb" / "wandb").glob("offline-run-*"))
    told = [holding(run, SENTENCE) for run in runs]
    # One of the dataset, and two evaluations.
    assert len(runs) == 3 and sum(map(bool, told)) == 1
    logs = [data / "logs/serve.log", data / "airflow/logs/dag_id=x/attempt=1.log"]
    sizes = {f: f.stat().st_size for f in logs}
    elsewhere = holding(data, OTHER)
    assert sum("staging" in file for file in elsewhere) == 2

    said = forgetting.forget_document(world, URL)

    counted = (
        "experiments",
        "experiment_copies",
        "verdict_pages",
        "model_answers",
        "training",
        "logs",
    )
    several = {"logs": 3, "model_answers": 2, "training": 2, "experiment_copies": 2}
    assert {name: said[name] for name in counted} == dict.fromkeys(counted, 1) | several
    left = holding(data, SENTENCE)
    assert {Path(f).parent.parent.name for f in left} <= {"datasets"}, "withdrawn datasets stay"
    assert holding(data, OTHER) == elsewhere
    assert (data / "jobs/j1/log.txt").read_text().endswith(f"-\ncrawled {URL}\n")
    assert {f: f.stat().st_size for f in sizes} == sizes
    assert len(list((data / "wandb" / "wandb").glob("offline-run-*"))) == 2
    assert not (data / "training" / "m1").exists()
    assert not list((data / "training").glob("worth-*"))
    page = Path(str(said["report"])).read_text()
    assert all(name.replace("_", " ") in page for name in (*counted, "repository_copies"))


def test_a_kept_copy_of_a_repository_is_found_by_what_is_or_was_in_it(settings: Settings):
    bare, work = settings.data_dir / "git" / "code.git", settings.data_dir / "work"
    work.mkdir(parents=True)

    def git(*command: str) -> str:
        named = ("-c", "user.name=M", "-c", "user.email=m@x.example", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *named, *command], cwd=work, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    (work / "a knot.py").write_text("x = 1\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "one")
    git("rm", "--quiet", "a knot.py")
    git("commit", "--quiet", "--message", "two")
    git("clone", "--quiet", "--bare", ".", str(bare))
    sha, web = git("rev-parse", "HEAD~1"), "https://c.example/r"

    for url in (f"{web}/blob/HEAD/a%20knot.py", f"{web}/commit/{sha}"):
        assert copies_with(settings, [url]) == [bare]
    for url in (f"{web}/blob/HEAD/b.py", f"{web}/commit/{'0' * 40}", "https://own.example/1/"):
        assert copies_with(settings, [url]) == []
    forgotten = forgetting.forget_document(settings, f"{web}/blob/HEAD/a%20knot.py")
    assert forgotten["repository_copies"] == 1 and not bare.exists()


def test_deleted_records_leave_the_embedded_server_s_file(tmp_path: Path):
    world = Settings(data_dir=tmp_path)
    with closing(sqlite3.connect(tmp_path / "mongo.db", isolation_level=None)) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("CREATE TABLE t (x)")
        server.execute("INSERT INTO t VALUES (?)", (SENTENCE * 500,))
        server.execute("DELETE FROM t")
        assert holding(tmp_path, SENTENCE)

        assert forgetting._overwrite_deleted(world).after == 0
        assert holding(tmp_path, SENTENCE) == set()
