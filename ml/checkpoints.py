"""Checkpoints of a trainer: a list of their files and hashes, written last, vouches for each of them.

Whoever is killed while writing leaves the one before; one that is torn or changed is passed over.
"""

import errno
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml.files import hash_files, write_whole

log = logging.getLogger(__name__)

VOUCHER = "whole.json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What libraries say that write without Python: safetensors and torch.
SAID = ("No space left", "File too large", "Disk quota exceeded", "PytorchStreamWriter failed")


def vouch(checkpoint: Path) -> None:
    """Write down what a finished checkpoint holds."""
    with room_on_disk(checkpoint.parent):
        write_whole(checkpoint / VOUCHER, json.dumps(hash_files(checkpoint)))


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda f: int(f.name.rpartition("-")[2]))
    for checkpoint in reversed(found):
        if _is_whole(checkpoint):
            return checkpoint
        log.warning("%s is torn; the one before it is taken", checkpoint.name)
    return None


def read_state(checkpoint: Path) -> tuple[int, list[dict[str, Any]]]:
    """Return at which step a checkpoint was made, and all that was logged up to there."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return int(state["global_step"]), list(state["log_history"])


@contextmanager
def room_on_disk(folder: Path) -> Iterator[None]:
    """Say in a sentence that the disk is full, where a write inside fails for that."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        number = getattr(error, "errno", None)
        if number not in FULL and not any(said in str(error) for said in SAID):
            raise
        raise OSError(
            number or errno.ENOSPC,
            f"No room on the disk of {folder}: training stops here and goes on at its last checkpoint. Free some "
            f"space, or set TWIN_DATA_DIR to a larger disk, and start it again ({error})",
        ) from error


def _is_whole(checkpoint: Path) -> bool:
    """Compare a checkpoint with the list of its files."""
    try:
        told: dict[str, str] = json.loads((checkpoint / VOUCHER).read_text(encoding="utf-8"))
    except (ValueError, FileNotFoundError):
        return False
    there = hash_files(checkpoint)
    return all(there.get(name) == mark for name, mark in told.items())
