"""What is said of finished datasets and models afterwards: `withdrawn.json` and `stale.json` beside their manifests.

A manifest never changes. A dataset with a forgotten document is withdrawn: nobody trains on it any
more, and the next one is made without it. A model that was trained on it is stale: it stays what
it is, and is no candidate any more.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from include import registry
from include.settings import Settings
from ml.files import read_json, write_whole

Note = dict[str, str]


def withdraw_dataset(settings: Settings, dataset_id: str, why: Mapping[str, str]) -> None:
    """Note that a dataset may no longer be used; several reasons add up."""
    _add(registry.dataset_folder(settings, dataset_id) / "withdrawn.json", why)


def withdrawn(settings: Settings, dataset_id: str) -> Note:
    """Return why a dataset may no longer be used, by document; empty where it may."""
    return read_json(registry.dataset_folder(settings, dataset_id) / "withdrawn.json")


def mark_stale(settings: Settings, model_id: str, why: Mapping[str, str]) -> None:
    """Note that a model has learned what it should forget."""
    _add(registry.model_folder(settings, model_id) / "stale.json", why)


def marked(settings: Settings, model_id: str) -> Note:
    """Return what is noted of a model, by document."""
    return read_json(registry.model_folder(settings, model_id) / "stale.json")


def stale(settings: Settings, model_id: str) -> Note:
    """Return what a model should forget, by document; empty where there is nothing.

    What is withdrawn from its dataset counts too: a training may have ended after the erasure.
    """
    learned = registry.read_model(settings, model_id, verify=False).dataset_id
    return {**withdrawn(settings, learned), **marked(settings, model_id)}


def reason(at: datetime) -> str:
    """Say since when a document is forgotten, without naming it."""
    return f"a document of it was forgotten on {at:%Y-%m-%d}"


def _add(file: Path, why: Mapping[str, str]) -> None:
    """Add to a side file; what is there already stays as it is."""
    known = read_json(file)
    if why.keys() - known.keys():
        write_whole(file, json.dumps({**why, **known}, indent=1, sort_keys=True) + "\n")
