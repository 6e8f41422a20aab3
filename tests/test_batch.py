"""Many questions at once: from files and collections, each answered once however often a run is killed."""

import json
import os
import subprocess
import sys

import pytest
from serving_world import QUESTION, SOURCE_URL, UNKNOWN

from include.documents import open_documents
from include.settings import ROOT
from serving.batch import answer_batch

# Dies by SIGKILL just before the answer that is asked for is kept.
KILLED = """
import os, signal, sys
from include.batches import Batches
from include.settings import load_settings
from serving.batch import answer_batch
keep, seen = Batches.put_batch_answer, []
def put(self, *given):
    if len(seen) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    seen.append(given)
    return keep(self, *given)
Batches.put_batch_answer = put
answer_batch(load_settings(), sys.argv[1], max_tokens=4)
"""


@pytest.fixture
def world(answering):
    return answering.world.model_copy(update={"serve_url": answering.url})


def answers(world, batch):
    """Read the newest answer to each row."""
    with open_documents(world) as documents:
        kept = documents.batch_answers(batch).values()
    return {a["row"]: a for a in sorted(kept, key=lambda a: a["at"])}


def write(folder, name, rows):
    file = folder / name
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(file)


def test_every_row_of_a_file_is_answered_with_its_sources_and_only_once(world, tmp_path):
    where = write(tmp_path, "ask.jsonl", [{"id": "a", "question": QUESTION}, {"prompt": UNKNOWN}])
    first = answer_batch(world, where, max_tokens=4)
    told = answers(world, "ask.jsonl")

    assert first == {"batch": "ask.jsonl", "rows": 2, "asked": 2, "refused": 0}
    assert SOURCE_URL in told["a"]["sources"]
    assert told["a"]["model"]
    assert [a["abstained"] for r, a in told.items() if r != "a"] == [True]
    assert answer_batch(world, where, max_tokens=4)["asked"] == 0
    assert answers(world, "ask.jsonl") == told


def test_another_question_under_the_same_name_and_id_is_asked_and_both_answers_are_kept(
    world, tmp_path
):
    asked = []
    for folder, question in (("a", QUESTION), ("b", UNKNOWN), ("a", QUESTION)):
        (tmp_path / folder).mkdir(exist_ok=True)
        where = write(tmp_path / folder, "same.jsonl", [{"id": "1", "question": question}])
        asked.append(answer_batch(world, where, max_tokens=4)["asked"])
    with open_documents(world) as documents:
        kept = documents.batch_answers("same.jsonl").values()

    assert asked == [1, 1, 0]
    assert {(a["row"], a["question"], a["abstained"]) for a in kept} == {
        ("1", QUESTION, False),
        ("1", UNKNOWN, True),
    }


def test_another_model_or_length_is_asked_anew_and_each_once(world, tmp_path, answering):
    where = write(tmp_path, "options.jsonl", [{"id": "1", "question": QUESTION}])
    named = f"twin@{answering.slot.state().model_id}"
    options = [("twin", 4), (named, 4), ("twin", 5)]
    first, again = (
        [answer_batch(world, where, "options", *o)["asked"] for o in options] for _ in range(2)
    )
    with open_documents(world) as documents:
        kept = documents.batch_answers("options").values()

    assert (first, again) == ([1, 1, 1], [0, 0, 0])
    assert {(a["asked"]["model"], a["asked"]["max_tokens"]) for a in kept} == set(options)


def test_a_table_and_a_collection_are_read_too(world, tmp_path):
    (tmp_path / "ask.csv").write_text(f'id,question\n7,"{QUESTION}"\n')
    assert answer_batch(world, str(tmp_path / "ask.csv"), "table", max_tokens=4)["asked"] == 1
    assert set(answers(world, "table")) == {"7"}

    with open_documents(world) as documents:
        documents._replace("questions", {"q1": {"question": QUESTION}})
    assert answer_batch(world, "collection:questions", max_tokens=4)["batch"] == "questions"
    assert set(answers(world, "questions")) == {"q1"}


def test_what_the_endpoint_refuses_is_kept_with_its_reason_and_asked_again(world, tmp_path):
    where = write(tmp_path, "long.jsonl", [{"id": "x", "question": QUESTION * 600}])

    assert answer_batch(world, where)["refused"] == 1
    assert answers(world, "long.jsonl")["x"]["error"]
    assert answer_batch(world, where)["asked"] == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"id": 1}], "Row 1 of .* has no question"),
        ([{"id": 1, "question": "a"}, {"id": 1, "question": "b"}], "the id '1'"),
        (["no object"], "lines that are no objects"),
    ],
)
def test_bad_rows_are_named_before_anything_is_asked(world, tmp_path, rows, reason):
    with pytest.raises(ValueError, match=reason):
        answer_batch(world, write(tmp_path, "bad.jsonl", rows))
    with pytest.raises(FileNotFoundError, match="is no file"):
        answer_batch(world, str(tmp_path / "none.jsonl"))


def test_a_run_that_was_killed_at_any_answer_goes_on_and_keeps_each_row_once(world, tmp_path):
    rows = [{"id": str(n), "question": f"{QUESTION} ({n})"} for n in range(5)]
    where = write(tmp_path, "killed.jsonl", rows)
    told = {f"TWIN_{k.upper()}": str(v) for k, v in world.model_dump().items() if k in NEEDED}
    environment = os.environ | told | {"TWIN_SERVE_URL": world.serve_url}
    for at in (0, 2):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, where, str(at)], cwd=ROOT, env=environment, check=False
        )
        assert killed.returncode == -9
    left = len(answers(world, "killed.jsonl"))
    rest = answer_batch(world, where, max_tokens=4)

    assert left == 2
    assert rest == {"batch": "killed.jsonl", "rows": 5, "asked": 3, "refused": 0}
    assert set(answers(world, "killed.jsonl")) == {str(n) for n in range(5)}


def test_answers_are_forgotten_with_their_traces(world, tmp_path):
    where = write(tmp_path, "forget.jsonl", [{"id": "a", "question": QUESTION}])
    answer_batch(world, where, max_tokens=4)
    with open_documents(world) as documents:
        documents.forget_answers([answers(world, "forget.jsonl")["a"]["trace"]])

    assert answers(world, "forget.jsonl") == {}


NEEDED = ("data_dir", "mongo_port", "mongo_url", "mongo_database", "sources_file", "vectors_url")
