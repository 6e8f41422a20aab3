"""Whole files or none: atomic writes, locks that end with their process, and hashes of what is on disk."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock, after waiting for whoever has it; it ends with the process, however that ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def write_whole(file: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, also after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(file.parent)


def write_json(file: Path, values: Mapping[str, object]) -> None:
    """Write a JSON file, whole or not at all."""
    write_whole(file, json.dumps(values, ensure_ascii=False, indent=1, default=str) + "\n")


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON file; one that is not there is empty."""
    if not file.exists():
        return {}
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{file} is damaged: it is no JSON. Restore or remove it.") from None
    return values


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_files(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder, by its relative path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): sha256(p) for p in files}


def sha256(file: Path) -> str:
    """Hash one file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
