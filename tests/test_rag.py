"""The table of `make bench-rag`: no step of an answer is forgotten in it."""

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml.answer import DEFAULT_STEPS, STEPS
from ml.when import read_period

BENCHMARKS = Path(__file__).parent / "benchmarks"


@pytest.fixture
def rag(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("rag")


def test_every_step_of_an_answer_has_a_row_in_which_it_alone_is_switched(rag):
    chosen = frozenset(DEFAULT_STEPS.split(","))

    rows = rag.switched(chosen)

    assert [steps ^ chosen for _, steps in rows] == [{step} for step in STEPS]
    assert dict(rows)["without rerank"] == chosen - {"rerank"}
    assert dict(rows)["with strict"] == chosen | {"strict"}


def test_the_day_of_a_page_is_read_where_it_stands_alone(rag):
    assert rag.published("A title\n\nJun 04, 2023\n\nOn May 05, 2022 I") == datetime(
        2023, 6, 4, tzinfo=UTC
    )
    assert rag.published("A title\n\nOn May 05, 2022 I wrote") is None


def test_a_dozen_questions_are_decided_by_a_date_in_both_halves():
    listed = json.loads((BENCHMARKS / "questions.json").read_text(encoding="utf-8"))["dated"]
    asked = [(p["part"], q) for p in listed for q, _ in p["asked"]]
    periods = [read_period(q, datetime(2026, 1, 1, tzinfo=UTC)) for _, q in asked]

    assert [part for part, _ in asked].count("held out") == len(asked) / 2 == 6
    assert all(p.since and p.until for p in periods)
