"""The table of `make bench-rag`: no step of an answer is forgotten in it."""

import importlib
from pathlib import Path

from ml.answer import DEFAULT_STEPS, STEPS


def test_every_step_of_an_answer_has_a_row_in_which_it_alone_is_switched(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    chosen = frozenset(DEFAULT_STEPS.split(","))

    rows = importlib.import_module("rag").switched(chosen)

    assert [steps ^ chosen for _, steps in rows] == [{step} for step in STEPS]
    assert dict(rows)["without rerank"] == chosen - {"rerank"}
    assert dict(rows)["with strict"] == chosen | {"strict"}
