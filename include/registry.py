"""The registry: finished datasets and models as folders, and which model is the champion.

    datasets/<id>/   manifest.json, README.md, instruct/*.parquet, preference/*.parquet
    models/<id>/     manifest.json, the adapter (safetensors), tokenizer, prompts.json
    evaluations/<model id>.json   verdicts/<model id>.json, .html   attempts/<dataset id>.json
    champion.json    {"champion": …, "previous": …}

A folder is built aside, its manifest last, and appears under its name in one step; a killed writer
leaves nothing that anybody reads. The manifest holds the sha256 of every file. Not here: what is in
a model or a sample; W&B, which only mirrors this.
"""

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from include.circumstances import circumstances
from include.samples import card_header, load_examples, load_preferences, write_samples
from include.settings import Settings
from ml.files import hash_files, locked, read_json, sync, write_json, write_whole
from ml.types import DatasetVersion, Example, ModelVersion, Preference

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
# Formats that run code when they are read.
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")


def write_dataset(
    settings: Settings,
    version: DatasetVersion,
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    card: str,
) -> DatasetVersion:
    """Publish a dataset version; one that is there already is returned as it is."""

    def fill(folder: Path) -> None:
        write_samples(folder, examples, preferences)
        (folder / "README.md").write_text(card_header(folder) + card, encoding="utf-8")

    reproduce = {"verb": "build_dataset", "arguments": []}
    _publish(settings, dataset_folder(settings, version.id), version, fill, reproduce)
    return read_dataset(settings, version.id)


def read_dataset(settings: Settings, dataset_id: str, *, verify: bool = True) -> DatasetVersion:
    """Read a dataset's manifest; `verify` compares every file with its sha256."""
    values = _read_manifest(dataset_folder(settings, dataset_id), "dataset", verify)
    return DatasetVersion(**_fields(DatasetVersion, values))


def read_examples(settings: Settings, dataset_id: str) -> list[Example]:
    """Read a dataset's instruct samples, in the order in which they were written."""
    read_dataset(settings, dataset_id)
    return load_examples(dataset_folder(settings, dataset_id))


def read_preferences(settings: Settings, dataset_id: str) -> list[Preference]:
    """Read a dataset's preference pairs, in the order in which they were written."""
    read_dataset(settings, dataset_id)
    return load_preferences(dataset_folder(settings, dataset_id))


def list_datasets(settings: Settings) -> list[str]:
    """List the ids of the finished datasets, oldest first."""
    return _finished(_root(settings) / "datasets")


def publish_model(settings: Settings, folder: Path, version: ModelVersion) -> ModelVersion:
    """Publish a trained model from its training folder, without checkpoints; never a pickle."""
    chosen = [p for p in sorted(folder.rglob("*")) if p.is_file() and _is_of_model(p, folder)]
    if pickled := [p.name for p in chosen if p.suffix in PICKLES]:
        raise ValueError(
            f"{folder} holds {', '.join(pickled)}: weights are published as safetensors only."
        )
    if not any(p.suffix == ".safetensors" for p in chosen):
        raise ValueError(f"{folder} holds no weights (*.safetensors). Train the model first.")

    def fill(target: Path) -> None:
        for file in chosen:
            copy = target / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    reproduce = {"verb": "train_model", "arguments": [version.dataset_id]}
    _publish(settings, model_folder(settings, version.id), version, fill, reproduce)
    return read_model(settings, version.id)


def read_model(settings: Settings, model_id: str, *, verify: bool = True) -> ModelVersion:
    """Read a model's manifest; `verify` compares every file with its sha256."""
    values = _read_manifest(model_folder(settings, model_id), "model", verify)
    return ModelVersion(**_fields(ModelVersion, values))


def list_models(settings: Settings) -> list[str]:
    """List the ids of the finished models, oldest first."""
    return _finished(_root(settings) / "models")


def dataset_folder(settings: Settings, dataset_id: str) -> Path:
    """Return where a dataset is, or would be."""
    return _root(settings) / "datasets" / _checked(dataset_id)


def model_folder(settings: Settings, model_id: str) -> Path:
    """Return where a model is, or would be."""
    return _root(settings) / "models" / _checked(model_id)


def map_folder(settings: Settings) -> Path:
    """Return where the pictures of the corpus are, or would be."""
    return _root(settings) / "corpus"


def champion(settings: Settings) -> str | None:
    """Name the model that serves; None before the first promotion."""
    return _pointers(settings)["champion"]


def previous(settings: Settings) -> str | None:
    """Name the champion before this one, for going back."""
    return _pointers(settings)["previous"]


def move_champion(settings: Settings, model_id: str) -> None:
    """Make a finished model the champion; the old one becomes `previous`, both in one write."""
    read_model(settings, model_id)
    with locked(_root(settings) / ".lock"):
        old = champion(settings)
        if old != model_id:
            write_json(_root(settings) / "champion.json", {"champion": model_id, "previous": old})
            log.info("champion is %s, it was %s", model_id, old)


def restore_previous(settings: Settings) -> str:
    """Make the previous champion the champion again; returns its id."""
    back = previous(settings)
    if back is None:
        raise LookupError("There is no previous champion to go back to.")
    move_champion(settings, back)
    return back


def write_evaluation(settings: Settings, model_id: str, record: Mapping[str, object]) -> None:
    """Keep what was measured on a model; a later measurement replaces it."""
    write_json(_root(settings) / "evaluations" / f"{_checked(model_id)}.json", record)


def read_evaluation(settings: Settings, model_id: str) -> dict[str, Any]:
    """Read what was measured on a model; empty if nothing was."""
    return read_json(_root(settings) / "evaluations" / f"{_checked(model_id)}.json")


def write_verdict(settings: Settings, model_id: str, verdict: Mapping[str, object]) -> None:
    """Keep what the gate decided about a model."""
    write_json(_root(settings) / "verdicts" / f"{_checked(model_id)}.json", verdict)


def read_verdict(settings: Settings, model_id: str) -> dict[str, Any]:
    """Read what the gate decided about a model; empty if it was not asked."""
    return read_json(_root(settings) / "verdicts" / f"{_checked(model_id)}.json")


def write_report(settings: Settings, model_id: str, page: str) -> Path:
    """Keep the record of a decision for people; returns the file."""
    file = _root(settings) / "verdicts" / f"{_checked(model_id)}.html"
    write_whole(file, page)
    return file


def mark_attempt(settings: Settings, dataset_id: str, reason: str) -> None:
    """Note that nobody should train on a dataset again, and why."""
    write_json(_root(settings) / "attempts" / f"{_checked(dataset_id)}.json", {"reason": reason})


def attempts(settings: Settings) -> dict[str, str]:
    """Return the datasets that were given up, each with its reason."""
    files = sorted((_root(settings) / "attempts").glob("[!.]*.json"))
    return {f.stem: str(read_json(f)["reason"]) for f in files}


def _root(settings: Settings) -> Path:
    """Return the folder of the registry."""
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


def _checked(name: str) -> str:
    """Refuse an id that would be a path to somewhere else."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name):
        raise LookupError(f"{name!r} is no id: ids are letters, digits, '.', '_' and '-'.")
    return name


def _is_of_model(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder).parts
    return not any(p.startswith((".", "checkpoint")) for p in inside) and inside[0] != MANIFEST


def _publish(
    settings: Settings,
    target: Path,
    version: DatasetVersion | ModelVersion,
    fill: Callable[[Path], None],
    reproduce: Mapping[str, object],
) -> None:
    """Build a folder aside and give it its name in one step; the first of two writers wins."""
    aside = target.with_name(f".{target.name}.part")
    with locked(_root(settings) / ".lock"):
        if (target / MANIFEST).exists():
            return
        for leftover in (aside, target):
            if leftover.exists():
                shutil.rmtree(leftover)
        aside.mkdir(parents=True)
        fill(aside)
        manifest = asdict(replace(version, files=hash_files(aside)))
        manifest |= {"created_at": version.created_at.isoformat()}
        manifest |= {"reproduce": {**reproduce, **circumstances()}}
        for file in aside.rglob("*"):
            sync(file)
        write_json(aside / MANIFEST, manifest)
        aside.rename(target)
        sync(target.parent)
    log.info("published %s %s (%d files)", target.parent.name, target.name, len(manifest["files"]))


def _finished(folder: Path) -> list[str]:
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


def _read_manifest(folder: Path, what: str, verify: bool) -> dict[str, Any]:
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
    """Raise unless every file is there with the content that was published."""
    there = hash_files(folder)
    wrong = [name for name, mark in files.items() if there.get(name) != mark]
    if wrong:
        state = "changed since it was published" if wrong[0] in there else "missing"
        raise ValueError(
            f"{folder / wrong[0]} is {state} ({len(wrong)} of {len(files)} files are wrong). "
            "Remove the folder and make it again, or restore it from a copy."
        )


def _fields(kind: type[DatasetVersion] | type[ModelVersion], values: Mapping[str, Any]) -> Any:
    return {f.name: values[f.name] for f in fields(kind)}


def _pointers(settings: Settings) -> dict[str, str | None]:
    empty: dict[str, str | None] = {"champion": None, "previous": None}
    return empty | read_json(_root(settings) / "champion.json")
