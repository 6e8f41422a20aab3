"""Checkpoints: the newest whole one is found, whatever a kill or a bad disk left behind."""

import errno
import json
from pathlib import Path

import pytest

from ml.checkpoints import VOUCHER, last_checkpoint, read_state, room_on_disk, vouch


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Make two checkpoints, as a trainer writes them."""
    for step in (9, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(bytes(range(200)))
        log = [{"loss": 2.0, "step": step}]
        state = {"global_step": step, "log_history": log, "max_steps": 12}
        (folder / "trainer_state.json").write_text(json.dumps(state))
        vouch(folder)
    return tmp_path


def found(folder: Path) -> str:
    kept = last_checkpoint(folder)
    return kept.name if kept else ""


def test_the_newest_by_its_number_is_found(saved: Path) -> None:
    assert found(saved / "none") == ""
    assert found(saved) == "checkpoint-10"
    assert read_state(saved / "checkpoint-10") == (10, [{"loss": 2.0, "step": 10}])


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "trainer_state.json", VOUCHER])
@pytest.mark.parametrize("kept", [0, 9, 60, -1])
def test_one_that_is_torn_is_passed_over_for_the_one_before(
    saved: Path, file: str, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    torn = saved / "checkpoint-10" / file
    torn.write_bytes(torn.read_bytes()[:kept])

    assert found(saved) == "checkpoint-9"
    assert "checkpoint-10 is torn; the one before it is taken" in caplog.text


def test_one_with_a_changed_byte_or_a_missing_file_is_passed_over(saved: Path) -> None:
    weights = saved / "checkpoint-10" / "adapter_model.safetensors"
    weights.write_bytes(bytes([1, *range(1, 200)]))
    assert found(saved) == "checkpoint-9"

    (saved / "checkpoint-9" / "adapter_model.safetensors").unlink()
    assert found(saved) == ""


def test_one_that_nobody_vouched_for_was_never_finished(saved: Path) -> None:
    (saved / "checkpoint-10" / VOUCHER).unlink()

    assert found(saved) == "checkpoint-9"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
    ],
)
def test_a_full_disk_is_said_so_whoever_wrote(tmp_path: Path, error: Exception) -> None:
    with (
        pytest.raises(OSError, match="No room on the disk of .*TWIN_DATA_DIR.*start it again"),
        room_on_disk(tmp_path),
    ):
        raise error


def test_other_failures_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="^nobody may$"), room_on_disk(tmp_path):
        raise PermissionError("nobody may")
    with pytest.raises(RuntimeError, match="^shapes differ$"), room_on_disk(tmp_path):
        raise RuntimeError("shapes differ")
