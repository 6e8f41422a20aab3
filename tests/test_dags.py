"""The DAGs in a real Airflow: parsed, wired by their assets, and run on a small world of their own."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conftest import empty_database

from include import registry
from include.airflow_services import airflow_environment, prepare_airflow
from include.documents import open_documents
from include.services import child_environment
from include.settings import ROOT, Settings

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

ARTICLES = {
    "maren-oduya": (
        *("why-does-fsync-lie", "idempotency-keys", "the-cache-that-lied", "on-call-handover"),
        *("sizing-the-connection-pool", "reading-flame-graphs", "feature-flags-that-rot"),
    ),
    "tobias-reck": ("your-makefile-lies", "one-led-is-a-debugger", "what-the-recall-taught-me"),
}
SOURCES = [f"{author}-notes" for author in ARTICLES]
TEXTS = [len(names) for names in ARTICLES.values()]
FORGOTTEN = "https://notes.example/maren-oduya/idempotency-keys/"
FORGET = f"forget_document={json.dumps({'url': FORGOTTEN})}"
REVIEW = f"review_quarantine={json.dumps({'action': 'list'})}"
ONE_SOURCE = f"ingest_documents={json.dumps({'source': SOURCES[0]})}"
AGAIN = "promote_model={}"
# Before the one with a source: a test run leaves its parameters to the next.
BY_THE_CLOCK = "ingest_documents@scheduled"
PLAN = (
    *("ingest_documents", "build_features", "build_dataset", "finetune_model", "promote_model"),
    *(AGAIN, FORGET, REVIEW, BY_THE_CLOCK, ONE_SOURCE, "watch_serving"),
)
# What a DAG file must not load: a DAG processor looks at it every half minute.
HEAVY = {
    *("torch", "transformers", "trl", "peft", "ray", "pandas", "numpy", "pymongo", "weaviate"),
    *("feast", "great_expectations", "lancedb", "wandb", "onnxruntime", "sklearn"),
}


@dataclass(frozen=True)
class Told:
    """What the program told, and the world that it worked on."""

    world: Settings
    airflow: dict

    def task(self, step: str, name: str) -> dict:
        return self.airflow["runs"][step]["tasks"][name]

    def states(self, step: str) -> dict[str, str]:
        return {name: t["state"] for name, t in self.airflow["runs"][step]["tasks"].items()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, mongo_url: str, tiny_base: Path) -> Told:
    """Prepare an Airflow, run every DAG of the plan in it, and return what it told."""
    empty_database(mongo_url)
    world = small_world(tmp_path_factory.mktemp("airflow"), mongo_url, tiny_base)
    # Only the Airflow connection names the server that answers.
    environment = child_environment(world.model_copy(update={"mongo_url": "mongodb://127.0.0.1:9"}))
    prepare_airflow(world, Path(sys.executable).with_name("airflow"), environment)
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "run_dags.py"), *PLAN],
        env=environment | airflow_environment(world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return Told(world, json.loads(ran.stdout.splitlines()[-1]))


def small_world(folder: Path, mongo_url: str, base: Path) -> Settings:
    """Describe two authors' notes and a source that nobody allowed; whatever is trained is refused."""
    for author, names in ARTICLES.items():
        (folder / author).mkdir()
        for name in names:
            shutil.copy(ROOT / "demo" / "articles" / author / f"{name}.md", folder / author)
    sources = [notes(folder, author) for author in ARTICLES]
    sources.insert(1, sources[0] | {"id": "nobody-asked", "consent": ""})
    authors = [{"id": a, "name": a.replace("-", " ").title()} for a in ARTICLES]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"authors": authors, "sources": sources}))
    return Settings(
        data_dir=folder / "data",
        sources_file=folder / "sources.yaml",
        mongo_url=mongo_url,
        vectors_url=f"lancedb://{folder}/vectors",
        base_model=str(base),
        min_examples=10,
        sft_steps=2,
        dpo_steps=1,
        gate_likeness_margin=-2.0,
    )


def notes(folder: Path, author: str) -> dict:
    return {
        "id": f"{author}-notes",
        "author": author,
        "kind": "folder",
        "where": str(folder / author),
        "consent": "written for tests, 2026-01-05",
        "options": {"web_url": f"https://notes.example/{author}"},
    }


def test_every_dag_file_is_read_without_an_error_and_holds_the_dag_of_its_name(told):
    files = {p.stem for p in (ROOT / "dags").glob("*.py")}

    assert (told.airflow["errors"], told.airflow["listed_errors"]) == ({}, [])
    assert set(told.airflow["dags"]) == files
    assert {Path(f).stem for f in told.airflow["seconds"]} == files


def test_a_dag_file_is_read_in_less_than_two_seconds_and_loads_nothing_heavy(told):
    assert max(told.airflow["seconds"].values()) < 2
    assert not HEAVY & set(told.airflow["loaded"])


def test_each_pipeline_starts_on_what_the_one_before_it_made(told):
    assets = told.airflow["assets"]

    assert {name: a["starts"] for name, a in assets.items()} == {
        "documents": ["build_features"],
        "unseen_documents": ["build_features"],
        "features": ["build_dataset"],
        "dataset": [],
        "candidate": ["promote_model"],
        "champion": [],
    }
    assert {name: a["made_by"] for name, a in assets.items()} == {
        "documents": [
            ["ingest_documents", "store_documents"],
            ["review_quarantine", "replay_quarantined"],
        ],
        "unseen_documents": [],
        "features": [
            ["build_features", "reconcile_stores"],
            ["forget_document", "forget_document"],
        ],
        "dataset": [["answer_prompts", "build_dataset"], ["build_dataset", "build_dataset"]],
        "candidate": [["finetune_model", "evaluate_model"]],
        "champion": [["promote_model", "roll_out"], ["rollback_model", "roll_back"]],
    }


def test_the_dags_run_when_they_should_one_run_at_a_time_and_never_for_the_past(told):
    dags = told.airflow["dags"]

    assert {name: d["schedule"] for name, d in dags.items()} == {
        "ingest_documents": "0 * * * *",
        "build_features": "Asset",
        "build_dataset": "Asset",
        "finetune_model": "@continuous",
        "promote_model": "Asset",
        "compare_training": "None",
        "judge_models": "None",
        "answer_batch": "None",
        "rollback_model": "None",
        "rollback_index": "None",
        "search_recipe": "None",
        "forget_document": "None",
        "review_quarantine": "None",
        "watch_serving": "0 * * * *",
        "answer_prompts": "None",
    }
    assert {(d["catchup"], d["runs_at_once"]) for d in dags.values()} == {(False, 1)}
    assert all(len(d["doc"].split()) > 10 for d in dags.values())


def test_what_only_people_start_runs_at_once_and_the_rest_waits_to_be_switched_on(told):
    dags = told.airflow["dags"]

    assert {n for n, d in dags.items() if d["awake"]} == {
        n for n, d in dags.items() if d["schedule"] == "None"
    }


def test_the_forms_for_starting_by_hand_ask_for_what_is_needed(told):
    asked = {name: d["params"] for name, d in told.airflow["dags"].items() if d["params"]}

    assert asked == {
        "answer_batch": ["where", "batch", "model", "max_tokens"],
        "ingest_documents": ["source"],
        "forget_document": ["url"],
        "review_quarantine": ["action", "stage", "pattern", "reason"],
        "rollback_index": ["colour"],
        "search_recipe": ["trials", "minutes", "space", "author"],
        "compare_training": ["dataset"],
        "judge_models": ["left", "right"],
    }


def test_a_task_that_fails_is_tried_again_unless_it_only_says_that_something_failed(told):
    retries = {n: r for d in told.airflow["dags"].values() for n, r in d["retries"].items()}

    assert (retries.pop("give_up_dataset"), retries.pop("ask_a_person")) == (0, 0)
    assert set(retries.values()) == {2}


def test_what_takes_as_long_as_what_it_is_given_has_no_limit_in_time(told):
    limits = {name: set(d["limits"].values()) for name, d in told.airflow["dags"].items()}

    assert {name for name, its in limits.items() if its == {None}} == {
        *("answer_batch", "answer_prompts", "compare_training", "finetune_model", "search_recipe"),
        "judge_models",
    }
    assert {t for its in limits.values() for t in its} == {None, "0:30:00"}


def test_a_bad_source_turns_red_and_the_others_are_stored(told):
    tasks = told.airflow["runs"]["ingest_documents"]["tasks"]
    crawls = {t["label"]: t for name, t in tasks.items() if name.startswith("crawl_source")}

    assert {label: t["state"] for label, t in crawls.items()} == {
        SOURCES[0]: "success",
        "nobody-asked": "failed",
        SOURCES[1]: "success",
    }
    assert [crawls[a]["value"]["fetched"] for a in SOURCES] == TEXTS
    assert told.task("ingest_documents", "store_documents")["value"]["new"] == sum(TEXTS)
    assert told.airflow["runs"]["ingest_documents"]["state"] == "failed"
    assert told.states("ingest_documents")["check_ingestion"] == "upstream_failed"


def test_what_nobody_allowed_is_not_tried_a_second_time(told):
    tasks = told.airflow["runs"]["ingest_documents"]["tasks"].values()

    assert [t["tries"] for t in tasks if t["label"] == "nobody-asked"] == [1]


def test_what_is_good_flows_on_although_the_run_is_red(told):
    events = [tuple(e) for e in told.airflow["events"]]

    assert events[:4] == [
        ("ingest_documents", "documents"),
        ("build_features", "features"),
        ("build_dataset", "dataset"),
        ("finetune_model", "candidate"),
    ]


def test_documents_become_an_index_features_and_a_dataset(told):
    cleaned = told.task("build_features", "clean_documents")["value"]
    indexed = told.task("build_features", "index_chunks")["value"]
    dataset = told.task("build_dataset", "build_dataset")["value"]

    assert set(told.states("build_features").values()) == {"success"}
    assert cleaned == {"cleaned": sum(TEXTS), "rejected": 0, "duplicates": 0, "removed": 0}
    assert indexed["embedded"] == indexed["chunks"] > 2 * sum(TEXTS)
    stored = told.task("build_features", "store_features")["value"]
    assert stored == {"rows": sum(TEXTS), "materialized": sum(TEXTS) + len(SOURCES)}
    found = told.task("build_features", "reconcile_stores")["value"]
    assert (found["missing"], found["orphans"]) == (0, 0)
    assert dataset["created"] is True
    assert registry.list_datasets(told.world) == [dataset["dataset_id"]]


def test_the_sensor_finds_the_dataset_and_jobs_outside_the_worker_train_and_evaluate(told):
    dataset_id = told.task("build_dataset", "build_dataset")["value"]["dataset_id"]
    trained = told.task("finetune_model", "train_model")["value"]

    assert told.states("finetune_model") == {
        "wait_for_dataset": "success",
        "train_model": "success",
        "evaluate_model": "success",
        "give_up_dataset": "skipped",
    }
    assert told.task("finetune_model", "wait_for_dataset")["value"] == dataset_id
    model = registry.read_model(told.world, trained["model_id"])
    assert model.dataset_id == dataset_id
    assert (model.recipe["sft_steps"], model.recipe["dpo_steps"]) == (2, 1)
    assert registry.read_evaluation(told.world, model.id)["candidate"]["loss"]
    jobs = [json.loads(f.read_text()) for f in (told.world.data_dir / "jobs").glob("*/state.json")]
    verbs = {"train_model", "evaluate_model"}
    assert {(j["verb"], j["status"]) for j in jobs} == {(v, "succeeded") for v in verbs}


def test_a_model_that_the_gate_refuses_is_not_rolled_out_and_the_run_stays_green(told):
    verdict = told.task("promote_model", "decide_promotion")["value"]

    assert told.states("promote_model") == {
        "next_candidate": "success",
        "decide_promotion": "success",
        "who_decides": "success",
        "ask_a_person": "skipped",
        "roll_out": "skipped",
    }
    assert told.airflow["runs"]["promote_model"]["state"] == "success"
    assert verdict["promote"] is False
    assert any("author's likeness is surely worse" in reason for reason in verdict["reasons"])
    assert registry.champion(told.world) is None


def test_a_model_that_was_refused_is_no_candidate_any_more(told):
    assert told.states(AGAIN) == {
        "next_candidate": "success",
        "decide_promotion": "skipped",
        "who_decides": "skipped",
        "ask_a_person": "skipped",
        "roll_out": "skipped",
    }
    assert not [e for e in told.airflow["events"] if e[1] == "champion"]


def test_a_forgotten_document_is_gone_and_does_not_come_back(told):
    counts = told.task(FORGET, "forget_document")["value"]
    assert counts["documents"] == 1 and counts["chunks"] > 0
    assert (counts["datasets"], counts["models"]) == (1, 1)
    with open_documents(told.world) as documents:
        urls = {d.url for d in documents.active()}
    assert len(urls) == sum(TEXTS) - 1 and FORGOTTEN not in urls


def test_the_quarantine_is_listed_without_anything_being_judged_again(told):
    assert told.states(REVIEW) == {
        "choose_action": "success",
        "list_quarantine": "success",
        "release_quarantined": "skipped",
        "replay_quarantined": "skipped",
    }
    assert told.task(REVIEW, "list_quarantine")["value"]["texts"] == 0


def test_started_by_hand_for_one_source_it_crawls_only_that_one(told):
    crawls = {n: t for n, t in told.airflow["runs"][ONE_SOURCE]["tasks"].items() if "crawl" in n}

    assert [t["label"] for t in crawls.values()] == [SOURCES[0]]
    assert told.task(ONE_SOURCE, "crawl_source[0]")["value"] == {
        "source": SOURCES[0],
        "fetched": 0,
        "unchanged": TEXTS[0] - 1,
        "rejected": 0,
        "gone": 0,
        "suspected": 0,
    }
    assert told.airflow["runs"][ONE_SOURCE]["state"] == "success"


def test_when_no_source_is_due_nothing_is_crawled_or_stored_and_no_pipeline_starts(told):
    run = told.airflow["runs"][BY_THE_CLOCK]

    assert run["tasks"].pop("list_sources") | {"value": None} == {
        "state": "success",
        "value": None,
        "label": None,
        "tries": 1,
    }
    assert {t["state"] for t in run["tasks"].values()} == {"skipped"}
    stored = [e for e in told.airflow["events"] if e[1] == "documents"]
    assert len(stored) == 2 and run["state"] == "success"


def test_nobody_asked_the_endpoint_anything_yet_and_the_watch_says_so(told):
    assert told.task("watch_serving", "watch_serving")["value"]["questions"] == 0


def test_what_tasks_hand_to_each_other_is_small(told):
    runs = told.airflow["runs"].values()
    values = [json.dumps(t["value"]) for run in runs for t in run["tasks"].values()]

    assert max(map(len, values)) < 3000
    assert not any("mongodb://" in value for value in values)


def test_a_task_that_drew_a_page_has_a_button_that_opens_it(told):
    links = told.airflow["pages"]["links"]
    verdict = told.task("promote_model", "decide_promotion")["value"]["report"]

    assert links["decide_promotion"] == f"/twin/pages/verdicts/{Path(verdict).name}"
    assert {"draw_corpus", "report_duplicates", "forget_document"} <= set(links)
    opened = told.airflow["pages"]["opened"]
    # The erasure took the others, which quoted what was forgotten.
    assert {opened["decide_promotion"], opened["forget_document"]} == {"<!doctype html>"}


def test_the_pages_are_for_those_who_are_logged_in_and_show_no_other_file(told):
    pages = told.airflow["pages"]

    assert set(pages["as nobody"]) == {401}
    assert pages["keys"] == [404, 404]
    assert "Why a model was promoted, or not" in pages["overview"]
    assert pages["links"]["decide_promotion"] in pages["overview"]
    assert pages["locked"].startswith("sandbox ")
