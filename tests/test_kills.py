"""Killed by SIGKILL just before any write, what runs again ends where an unbroken run does.

A few writes here; as many as fit into a quarter of an hour, every kind of them, with `make test-faults`, which writes
what came of it to docs/faults.md.
"""

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import kill_at
import pymongo
import pytest
from conftest import empty_database
from fault_report import put_section, table
from own_texts import entry, own_world, store_state, write_entries

from include.settings import Settings

BEFORE = tuple(map(entry, range(4)))
# A changed text, a new one, a copy, and one that is gone: a lap with every kind of write in it.
AFTER = (entry(0), entry(1, entry(8)["text"]), entry(3), entry(4), entry(5, entry(3)["text"]))
MINUTES = 13
TITLE = "Killed at any write"
HEAD = """\
{day}, {points} of {writes} writes, {minutes:.0f} minutes on a machine that had other work. A process is ended by
SIGKILL just before a write, and the same is run again in another one. Invariant of every row: documents, index,
features and what waits to be judged are as after an unbroken run, and of a forgotten text nothing is found in any
place. `erasure` forgets a text and takes in a new, a copied and a vanished one; `migration` takes in a changed one as
well, and builds the index anew in another colour and publishes it.

"""
COLUMNS = "journey | killed before | #n-th write | result | #recovery, s"


@dataclass(frozen=True)
class Fault:
    """One kill and what came of it."""

    journey: str
    number: int
    write: str
    same: bool
    seconds: float


class Stage:
    """A world whose stores can be put back to where a journey begins."""

    def __init__(self, world: Settings, folder: Path) -> None:
        self.world, self._kept = world, folder / "kept"
        self._folders = (world.data_dir, Path(world.vectors_url.removeprefix("lancedb://")))
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(kill_at.PRELOADED)
        for _, verb in kill_at.lap(world):
            verb()
        write_entries(world, *AFTER)
        with pymongo.MongoClient(world.mongo_url) as client:
            base = client[world.mongo_database]
            self._records = {n: list(base[n].find()) for n in base.list_collection_names()}
        for place in self._folders:
            shutil.copytree(place, self._kept / place.name)

    def put_back(self) -> None:
        """Bring all stores to where a journey begins."""
        empty_database(self.world.mongo_url)
        with pymongo.MongoClient(self.world.mongo_url) as client:
            for name, records in self._records.items():
                if records:
                    client[self.world.mongo_database][name].insert_many(records)
        for place in self._folders:
            shutil.rmtree(place)
            shutil.copytree(self._kept / place.name, place)

    def unbroken(self, journey: str) -> tuple[list[str], tuple[object, ...]]:
        """Go a journey as it should be; returns the names of its writes, and how the stores end."""
        self.put_back()
        code, writes = self._apart(journey, -1)
        assert code == 0, f"{journey} does not even end without a kill"
        return writes, store_state(self.world)

    def broken(self, journey: str, number: int, write: str, expected: object) -> Fault:
        """Kill a journey at a write and go it again."""
        self.put_back()
        code, _ = self._apart(journey, number)
        assert code == -signal.SIGKILL
        started = time.monotonic()
        for _, verb in kill_at.JOURNEYS[journey](self.world):
            verb()
        seconds = time.monotonic() - started
        return Fault(journey, number, write, store_state(self.world) == expected, seconds)

    def _apart(self, journey: str, wanted: int) -> tuple[int | None, list[str]]:
        here, there = self._context.Pipe(duplex=False)
        given = (self.world, journey, wanted, there)
        process = self._context.Process(target=kill_at.main, args=given)
        process.start()
        there.close()
        try:
            writes = here.recv()
        except EOFError:
            writes = []
        process.join()
        return process.exitcode, writes


@pytest.fixture
def stage(settings: Settings, tmp_path: Path) -> Stage:
    """Make a world whose source can be written anew."""
    return Stage(own_world(settings, tmp_path, *BEFORE), tmp_path)


@pytest.mark.timeout(900)
def test_a_lap_that_is_killed_while_it_marks_what_it_indexed_ends_as_if_it_was_not(
    stage: Stage,
) -> None:
    writes, expected = stage.unbroken("lap")
    verbs = {name.partition(":")[0] for name in writes}
    assert {"crawl_source", "store_documents", "clean_documents", "index_chunks"} < verbs

    write = "index_chunks: bulk_write indexed"
    assert stage.broken("lap", writes.index(write), write, expected).same


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_journey_that_is_killed_at_any_write_ends_as_if_it_was_not(stage: Stage) -> None:
    began, found = time.monotonic(), list[Fault]()
    # Both have a whole lap in them.
    whole = {journey: stage.unbroken(journey) for journey in ("erasure", "migration")}
    kinds, others = _points({journey: writes for journey, (writes, _) in whole.items()})

    for journey, number, write in _while(kinds, others, lambda: time.monotonic() - began):
        found.append(stage.broken(journey, number, write, whole[journey][1]))
        _report(found, len(kinds) + len(others), time.monotonic() - began)

    assert [f for f in found if not f.same] == []
    assert len(found) >= len(kinds) > 30


Point = tuple[str, int, str]


def _points(writes: dict[str, list[str]]) -> tuple[list[Point], list[Point]]:
    """List the first write of each kind, the verbs in turn, and all others, spread over the journeys."""
    first, others = dict[str, Point](), list[Point]()
    turns = Counter[str]()
    turn = dict[Point, int]()
    for journey, names in writes.items():
        for number, write in enumerate(names):
            point = (journey, number, write)
            if first.setdefault(write, point) is not point:
                others.append(point)
            else:
                turns[verb := write.partition(":")[0]] += 1
                turn[point] = turns[verb]
    return sorted(first.values(), key=turn.__getitem__), sorted(others, key=lambda p: (p[1] % 7, p))


def _while(
    kinds: list[Point], others: list[Point], seconds: Callable[[], float]
) -> Iterator[Point]:
    """Yield every kind, and others while there is time."""
    yield from kinds
    for point in others:
        if seconds() > 60 * MINUTES:
            return
        yield point


def _report(found: list[Fault], writes: int, seconds: float) -> None:
    head = HEAD.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        points=len(found),
        writes=writes,
        minutes=seconds / 60,
    )
    rows = (
        (f.journey, f.write, f.number, "same" if f.same else "**differs**", f"{f.seconds:.1f}")
        for f in sorted(found, key=lambda f: (f.journey, f.number))
    )
    put_section(TITLE, head + table(COLUMNS, rows))
