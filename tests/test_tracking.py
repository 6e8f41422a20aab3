"""Experiments in W&B: written offline, and read back from the files alone."""

import json
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.protobuf.message import DecodeError

from ml.tracking import KeptRun, open_run, read_curve


def read_back(folder: Path, seconds: float = 60) -> list[dict[str, Any]]:
    """Read every record of the one offline run in a folder, once its last one is on the disk.

    W&B's service is told that a run is over and is not waited for: it closes the file in its own time.
    """
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            records = records_of(file)
        except DecodeError:  # it is being written
            records = []
        if any(record["kind"] == "exit" for record in records):
            return records
        time.sleep(0.05)
    raise TimeoutError(f"{file} has no exit record after {seconds} s")


def records_of(file: Path) -> list[dict[str, Any]]:
    """Read the records that a run's file holds now."""
    from wandb.proto import wandb_internal_pb2

    records = []
    for data in pieces(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        records.append({"kind": kind, "value": getattr(record, kind)})
    return records


def pieces(data: bytes) -> Iterator[bytes]:
    """Split W&B's file into records: after 7 bytes, LevelDB's log format (blocks of 32 KiB)."""
    at, waiting = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        waiting += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield waiting
            waiting = b""


def items(found: Any) -> dict[str, Any]:
    """Turn W&B's lists of keys and JSON values into a plain dictionary."""
    return {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in found}


def test_a_run_is_written_offline_and_can_be_read_back(tmp_path: Path) -> None:
    with open_run("twin", "train", "m1", {"seed": 7}, tmp_path, "offline") as run:
        for step in range(3):
            run.log({"sft/loss": 3.0 - step}, step)
        run.table("samples", ("prompt", "said"), [["a?", "b"], ["c?", "d"]])
        run.summary({"heldout_loss_after": 2.5})
    records = read_back(tmp_path)

    losses = [items(r["value"].item).get("sft/loss") for r in records if r["kind"] == "history"]
    assert [x for x in losses if x is not None] == [3.0, 2.0, 1.0]
    summary: dict[str, Any] = {}
    for record in records:
        if record["kind"] == "summary":
            summary |= items(record["value"].update)
    assert summary["heldout_loss_after"] == 2.5
    (told,) = [r["value"] for r in records if r["kind"] == "run"][:1]
    assert (told.project, told.job_type, told.display_name) == ("twin", "train", "m1")
    assert [r["value"].exit_code for r in records if r["kind"] == "exit"] == [0]
    assert list(tmp_path.rglob("samples*.table.json"))


def test_a_failure_inside_marks_the_run_as_failed(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="boom"),
        open_run("twin", "train", "m1", {}, tmp_path, "offline"),
    ):
        raise RuntimeError("boom")

    assert [r["value"].exit_code for r in read_back(tmp_path) if r["kind"] == "exit"] == [1]


def test_an_artifact_is_named_and_nothing_is_copied_out_of_the_folder(tmp_path: Path) -> None:
    published = tmp_path / "dataset"
    published.mkdir()
    (published / "train.parquet").write_bytes(b"rows")
    with open_run("twin", "train", "m1", {}, tmp_path / "runs", "offline") as run:
        run.artifact("dataset-d1", "dataset", published)
        run.artifact("card", "card", published / "train.parquet")

    names = [
        r["value"].log_artifact.artifact.name
        for r in read_back(tmp_path / "runs")
        if r["kind"] == "request" and r["value"].HasField("log_artifact")
    ] or [r["value"].name for r in read_back(tmp_path / "runs") if r["kind"] == "artifact"]
    assert names == ["dataset-d1", "card"]


def test_what_a_run_used_and_what_it_made_are_told_apart_offline(tmp_path: Path) -> None:
    for name in ("dataset", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.safetensors").write_bytes(name.encode())
    with open_run("twin", "train", "m1", {}, tmp_path / "runs", "offline", "search-1") as run:
        run.uses("dataset-d1", "dataset", tmp_path / "dataset")
        run.artifact("model-m1", "model", tmp_path / "model")
    records = read_back(tmp_path / "runs")

    found = [r["value"] for r in records if r["kind"] == "artifact"]
    assert [(a.name, a.type, a.use_after_commit) for a in found] == [
        ("dataset-d1", "dataset", True),
        ("model-m1", "model", False),
    ]
    assert next(r["value"] for r in records if r["kind"] == "run").run_group == "search-1"


def test_a_kept_curve_has_each_step_once_although_the_training_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "curve.jsonl"

    def train(first: int, last: int) -> None:
        with open_run("twin", "train", "m1", {}, tmp_path, "disabled") as run:
            kept = KeptRun(run, file)
            for step in range(first, last + 1):
                speed = float(first)
                kept.log({"sft/loss": 3.0 - step / 10, "sft/tokens_per_second": speed}, step)
                if step % 4 == 0:
                    kept.log({"sft/heldout_loss": 3.5}, step)

    train(1, 5)
    with file.open("a") as stream:
        stream.write('{"step": 6, "sft/lo')
    train(4, 7)

    looked = {4: {"sft/heldout_loss": 3.5}}
    wanted = [{"step": n, "sft/loss": 3.0 - n / 10, **looked.get(n, {})} for n in range(1, 8)]
    assert read_curve(file) == wanted
    assert read_curve(tmp_path / "none.jsonl") == []


def test_a_disabled_run_writes_nothing(tmp_path: Path) -> None:
    with open_run("twin", "train", "m1", {}, tmp_path, "disabled") as run:
        run.log({"loss": 1.0}, 0)
        run.summary({"loss": 1.0})
        run.uses("dataset-d1", "dataset", Path(__file__))
        run.artifact("model-m1", "model", Path(__file__))
        run.table("samples", ("prompt",), [["a?"]])
        run.page("page", Path(__file__))
        assert run.mode == "disabled"

    assert not list(tmp_path.rglob("*.wandb"))


def test_an_unknown_mode_is_said_so(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"TWIN_WANDB_MODE is 'maybe'.*offline, online, disabled"),
        open_run("twin", "train", "m1", {}, tmp_path, "maybe"),
    ):
        pass


def test_importing_the_door_does_not_import_wandb() -> None:
    code = "import sys, ml.tracking; sys.exit('wandb' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_outlives_the_death_of_wandbs_own_program(tmp_path, caplog):
    with open_run("twin", "train", "first", {}, tmp_path / "a", "offline") as run:
        kept = KeptRun(run, tmp_path / "curve.jsonl")
        kept.log({"loss": 3.0}, 1)
        for process in psutil.Process().children(recursive=True):
            if "wandb-core" in process.name():
                process.kill()
                process.wait()
        kept.log({"loss": 2.0}, 2)
        run.table("said", ["text"], [["hello"]])
        run.artifact("model", "model", [tmp_path / "curve.jsonl"])
        kept.summary({"loss": 2.0})
    with open_run("twin", "train", "second", {}, tmp_path / "b", "offline") as run:
        run.log({"loss": 1.0}, 1)

    assert [line["loss"] for line in read_curve(tmp_path / "curve.jsonl")] == [3.0, 2.0]
    assert [r["kind"] for r in read_back(tmp_path / "b")].count("history") == 1
    (warning,) = [r.getMessage() for r in caplog.records if "program is gone" in r.getMessage()]
    assert str(tmp_path / "a") in warning
