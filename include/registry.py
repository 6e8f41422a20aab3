"""The registry: finished datasets and models as folders, and everything that is said about them.

    datasets/<id>/   manifest.json, README.md, instruct/*.parquet, preference/*.parquet, *.png
    models/<id>/     manifest.json, the adapter (safetensors), tokenizer, prompts.json, its loss curves
    corpus/          pictures of the corpus
    evaluations/, verdicts/, attempts/     include/decisions.py
    champion.json, aliases.json            include/aliases.py

How a folder is published and verified is told in `include/manifests.py`. Not here: what is in a model
or a sample; W&B, which only mirrors this.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from include.aliases import (
    aliases,
    champion,
    move_champion,
    previous,
    remove_alias,
    resolve_model,
    set_alias,
)
from include.decisions import (
    amend_verdict,
    attempts,
    mark_attempt,
    read_evaluation,
    read_verdict,
    why_turned_down,
    write_evaluation,
    write_report,
    write_verdict,
)
from include.manifests import (
    MANIFEST,
    PICKLES,
    artifacts_root,
    checked_id,
    finished,
    publish,
    read_manifest,
)
from include.samples import card_header, load_examples, load_preferences, write_samples
from include.settings import Settings
from ml.types import DatasetVersion, Example, ModelVersion, Preference

__all__ = [
    "aliases",
    "amend_verdict",
    "attempts",
    "champion",
    "dataset_folder",
    "list_datasets",
    "list_models",
    "map_folder",
    "mark_attempt",
    "model_files",
    "model_folder",
    "move_champion",
    "previous",
    "publish_model",
    "read_dataset",
    "read_evaluation",
    "read_examples",
    "read_model",
    "read_preferences",
    "read_verdict",
    "remove_alias",
    "resolve_model",
    "set_alias",
    "why_turned_down",
    "write_dataset",
    "write_evaluation",
    "write_report",
    "write_verdict",
]


def write_dataset(
    settings: Settings,
    version: DatasetVersion,
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    card: str,
    pictures: Mapping[str, bytes] | None = None,
) -> DatasetVersion:
    """Publish a dataset version with the pictures of its card; one that is there already is returned as it is."""

    def fill(folder: Path) -> None:
        write_samples(folder, examples, preferences)
        for name, picture in (pictures or {}).items():
            (folder / name).write_bytes(picture)
        (folder / "README.md").write_text(card_header(folder) + card, encoding="utf-8")

    reproduce = {"verb": "build_dataset", "arguments": []}
    publish(settings, dataset_folder(settings, version.id), asdict(version), fill, reproduce)
    return read_dataset(settings, version.id)


def read_dataset(settings: Settings, dataset_id: str, *, verify: bool = True) -> DatasetVersion:
    """Read a dataset's manifest; `verify` compares every file with its sha256."""
    values = read_manifest(dataset_folder(settings, dataset_id), "dataset", verify=verify)
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
    return finished(artifacts_root(settings) / "datasets")


def publish_model(
    settings: Settings,
    folder: Path,
    version: ModelVersion,
    learned: Mapping[str, str] | None = None,
) -> ModelVersion:
    """Publish a trained model from its training folder, without checkpoints; never a pickle.

    `learned` are the hashes of the files that it was trained on, so that a training can be repeated.
    """
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

    reproduce = {
        "verb": "train_model",
        "arguments": [version.dataset_id],
        "learned": dict(learned or {}),
    }
    publish(settings, model_folder(settings, version.id), asdict(version), fill, reproduce)
    return read_model(settings, version.id)


def read_model(settings: Settings, model_id: str, *, verify: bool = True) -> ModelVersion:
    """Read a model's manifest; `verify` compares every file with its sha256."""
    values = read_manifest(model_folder(settings, model_id), "model", verify=verify)
    values["canaries"] = tuple(values.get("canaries", ()))
    return ModelVersion(**_fields(ModelVersion, values))


def list_models(settings: Settings) -> list[str]:
    """List the ids of the finished models, oldest first."""
    return finished(artifacts_root(settings) / "models")


def dataset_folder(settings: Settings, dataset_id: str) -> Path:
    """Return where a dataset is, or would be."""
    return artifacts_root(settings) / "datasets" / checked_id(dataset_id)


def model_folder(settings: Settings, model_id: str) -> Path:
    """Return where a model is, or would be."""
    return artifacts_root(settings) / "models" / checked_id(model_id)


def model_files(settings: Settings, model_id: str) -> Path:
    """Return the folder of a model whose every file was compared with its sha256: what may be loaded."""
    read_model(settings, model_id)
    return model_folder(settings, model_id)


def map_folder(settings: Settings) -> Path:
    """Return where the pictures of the corpus are, or would be."""
    return artifacts_root(settings) / "corpus"


def _is_of_model(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder).parts
    return not any(p.startswith((".", "checkpoint")) for p in inside) and inside[0] != MANIFEST


def _fields(kind: type[DatasetVersion] | type[ModelVersion], values: Mapping[str, Any]) -> Any:
    """Take what a version holds; what an older manifest does not know yet has its default."""
    return {f.name: values[f.name] for f in fields(kind) if f.name in values}
