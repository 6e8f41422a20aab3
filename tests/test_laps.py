"""Each moment of an answer belongs to one step."""

from types import SimpleNamespace

import pytest

from ml import laps


@pytest.fixture
def clock(monkeypatch):
    """Stop the clock; it goes on where a test says so."""
    now = [100.0]
    monkeypatch.setattr(laps, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return lambda seconds: now.append(now.pop() + seconds)


def test_what_passes_between_two_ends_belongs_to_the_step_that_ends(clock):
    path = laps.Laps()
    clock(0.25)
    assert path.end("understand", "meant") == "meant"
    clock(0.5)
    path.end("retrieve", [])
    path.end("rerank", [])

    assert path.seconds == {"understand": 0.25, "retrieve": 0.5, "rerank": 0.0}


def test_a_step_in_two_parts_is_told_once_and_in_its_place(clock):
    path = laps.Laps({"cite": 1.0, "generate": 2.0})
    clock(0.5)
    path.end("cite", "")
    clock(0.25)
    path.end("understand", "")

    assert list(path.seconds.items()) == [("understand", 0.25), ("cite", 1.5), ("generate", 2.0)]
