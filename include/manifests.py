"""Finished folders: built aside, a manifest with the sha256 of every file written last, then named in one step.

A killed writer leaves nothing that anybody reads. Not here: what is in a folder (`include/registry.py`),
and what is said of it afterwards (`include/aliases.py`, `include/decisions.py`, `include/withdrawals.py`).
"""

import logging
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from include.circumstances import circumstances
from include.settings import Settings
from ml.files import hash_files, locked, read_json, sync, write_json

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
# Formats that run code when they are read.
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
# What may lie beside the published files: the manifest, and what include/withdrawals.py adds later.
SIDE_FILES = {MANIFEST, "withdrawn.json", "stale.json"}


def artifacts_root(settings: Settings) -> Path:
    """Return the folder in which the registry lies."""
    url = settings.artifacts_url
    if not url:
        return settings.data_dir / "artifacts"
    parts = urlsplit(url)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise ValueError(
            f"TWIN_ARTIFACTS_URL is {url!r}, but datasets and models can be kept in a folder only: "
            "give a path or file:///a/path (of a mounted disk, where several machines share it)."
        )
    return Path(unquote(parts.path) if parts.scheme else url).expanduser()


def checked_id(name: str) -> str:
    """Refuse an id that would be a path to somewhere else."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name):
        raise LookupError(f"{name!r} is no id: ids are letters, digits, '.', '_' and '-'.")
    return name


def publish(
    settings: Settings,
    target: Path,
    values: Mapping[str, Any],
    fill: Callable[[Path], None],
    reproduce: Mapping[str, object],
) -> None:
    """Build a folder aside and give it its name in one step; the first of two writers wins.

    The manifest holds `values`, the hashes of the files, and how to make the folder again.
    """
    aside = target.with_name(f".{target.name}.part")
    with locked(artifacts_root(settings) / ".lock"):
        if (target / MANIFEST).exists():
            return
        for leftover in (aside, target):
            if leftover.exists():
                shutil.rmtree(leftover)
        aside.mkdir(parents=True)
        fill(aside)
        manifest = {**values, "files": hash_files(aside)}
        manifest |= {"created_at": values["created_at"].isoformat()}
        manifest |= {"reproduce": {**reproduce, **circumstances()}}
        for file in aside.rglob("*"):
            sync(file)
        write_json(aside / MANIFEST, manifest)
        aside.rename(target)
        sync(target.parent)
    log.info("published %s %s (%d files)", target.parent.name, target.name, len(manifest["files"]))


def finished(folder: Path) -> list[str]:
    """List what can be read, oldest first: one damaged manifest must not hide the others."""
    found = []
    for file in folder.glob(f"[!.]*/{MANIFEST}"):
        try:
            values = read_json(file)
        except ValueError as error:
            log.warning("%s", error)
        else:
            found.append((datetime.fromisoformat(values["created_at"]), file.parent.name))
    return [name for _, name in sorted(found)]


def read_manifest(folder: Path, what: str, *, verify: bool) -> dict[str, Any]:
    """Read the manifest of a finished folder; `verify` compares every file with its sha256."""
    values = read_json(folder / MANIFEST)
    if not values:
        raise LookupError(f"There is no finished {what} {folder.name!r} in {folder.parent}.")
    if values["id"] != folder.name:
        raise ValueError(
            f"{folder / MANIFEST} is the manifest of {values['id']}. Remove the folder."
        )
    if verify:
        _verify(folder, values["files"])
    return values | {"created_at": datetime.fromisoformat(values["created_at"])}


def _verify(folder: Path, files: Mapping[str, str]) -> None:
    """Raise unless exactly the files are there that were published, each with its content."""
    there = hash_files(folder)
    wrong = [name for name, mark in files.items() if there.get(name) != mark]
    if wrong:
        state = "changed since it was published" if wrong[0] in there else "missing"
        raise ValueError(
            f"{folder / wrong[0]} is {state} ({len(wrong)} of {len(files)} files are wrong). "
            "Remove the folder and make it again, or restore it from a copy."
        )
    # A library that finds another format beside the weights may well read that one.
    strange = sorted(n for n in there.keys() - files.keys() - SIDE_FILES if n[0] != ".")
    if strange:
        raise ValueError(
            f"{folder / strange[0]} was not published with the others ({len(strange)} such files). "
            "Remove it."
        )
