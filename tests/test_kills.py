"""Killed by SIGKILL just before any write of a lap, the next lap ends where an unbroken one does.

A few writes here, in every verb; all of them with `make test-faults`.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import empty_database
from kill_at import lap
from own_texts import entry, own_world, store_state, write_entries

from include.services import child_environment
from include.settings import ROOT, Settings

BEFORE = tuple(map(entry, range(4)))
# A changed text, a new one, a copy, and one that is gone: a lap with every kind of write in it.
AFTER = (entry(0), entry(1, entry(8)["text"]), entry(3), entry(4), entry(5, entry(3)["text"]))


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world whose source can be written anew."""
    return own_world(settings, tmp_path, *BEFORE)


def lap_apart(world: Settings, *killed_at: int) -> subprocess.CompletedProcess[str]:
    """Run a lap in a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "kill_at.py"), *map(str, killed_at)],
        env=child_environment(world) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def lap_here(world: Settings) -> None:
    """Run a lap in this process."""
    for _, verb in lap(world):
        verb()


def begin(world: Settings) -> None:
    """Bring an empty world to where the lap begins that is going to be broken."""
    empty_database(world.mongo_url)
    shutil.rmtree(world.data_dir, ignore_errors=True)
    shutil.rmtree(world.vectors_url.removeprefix("lancedb://"), ignore_errors=True)
    write_entries(world, *BEFORE)
    lap_here(world)
    write_entries(world, *AFTER)


def unbroken(world: Settings) -> tuple[list[str], tuple[object, ...]]:
    """Run the lap as it should be; returns the names of its writes, and how the stores end."""
    begin(world)
    done = lap_apart(world)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), store_state(world)


def broken(world: Settings, write: int) -> tuple[object, ...]:
    """Kill the lap at a write and run it again; returns how the stores end."""
    begin(world)
    assert lap_apart(world, write).returncode == -signal.SIGKILL
    lap_here(world)
    return store_state(world)


@pytest.mark.timeout(900)
def test_a_lap_that_is_killed_while_it_marks_what_it_indexed_ends_as_if_it_was_not(
    world: Settings,
) -> None:
    writes, expected = unbroken(world)
    verbs = {name.partition(":")[0] for name in writes}
    assert {"crawl_source", "store_documents", "clean_documents", "index_chunks"} < verbs

    assert broken(world, writes.index("index_chunks: replace indexed")) == expected


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_lap_that_is_killed_at_any_write_ends_as_if_it_was_not(world: Settings) -> None:
    writes, expected = unbroken(world)

    differ = [f"{n} {name}" for n, name in enumerate(writes) if broken(world, n) != expected]

    assert differ == [] and len(writes) > 20
