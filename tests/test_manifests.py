"""Finished folders (include/manifests.py): whole or not there, whoever writes and however that ends."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from test_registry import dataset, examples, preferences, put_model

from include import registry
from include.settings import Settings
from include.withdrawals import mark_stale


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.mark.parametrize("name", ["adapter_model.bin", "more/extra.json", "chat_template.jinja"])
def test_a_file_that_nobody_published_is_named_and_refused(world: Settings, name: str) -> None:
    put_model(world, "m1")
    strange = registry.model_folder(world, "m1") / name
    strange.parent.mkdir(exist_ok=True)
    strange.write_bytes(b"x")

    with pytest.raises(ValueError, match=rf"{name} was not published with the others"):
        registry.model_files(world, "m1")


def test_what_is_noted_beside_a_manifest_later_is_no_strange_file(world: Settings) -> None:
    put_model(world, "m1")
    mark_stale(world, "m1", {"d1": "forgotten"})

    assert registry.model_files(world, "m1") == registry.model_folder(world, "m1")


def _write(world: Settings, card: str) -> None:
    registry.write_dataset(world, dataset(), examples(200), preferences(50), card)


def test_two_writers_of_one_id_leave_one_complete_folder(world: Settings) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(world, f"# {n}\n")) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [w.exitcode for w in writers] == [0, 0, 0]
    assert len(registry.read_examples(world, "d1")) == 200
    assert [p.name for p in registry.dataset_folder(world, "d1").parent.iterdir()] == ["d1"]


def _write_forever(world: Settings) -> None:
    for n in range(1000):
        registry.write_dataset(world, dataset(f"k{n}"), examples(50), preferences(10), "")


def test_a_killed_writer_leaves_nothing_half_written(world: Settings) -> None:
    for _ in range(3):
        writer = multiprocessing.get_context("fork").Process(target=_write_forever, args=(world,))
        before = len(registry.list_datasets(world))
        writer.start()
        while len(registry.list_datasets(world)) < before + 2:
            time.sleep(0.005)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join(30)

    names = registry.list_datasets(world)
    assert names
    for name in names:
        assert len(registry.read_examples(world, name)) == 50
    _write(world, "the lock is free again")
