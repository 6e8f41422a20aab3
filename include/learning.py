"""The second half of the story: from clean documents to a dataset and a fine-tuned model.

Each verb may run twice; a dataset or model that is finished is returned as it is. What a model is
worth is told in `include/evaluation.py`.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.cleaning import clean_originals
from include.documents import open_documents
from include.embedding_cache import open_embedder
from include.features import FEATURE_SERVICE, open_features
from include.indexing import index_mark
from include.quality import prove_samples
from include.settings import Settings
from include.sources import load_sources
from include.validation import ValidationFailed
from include.withdrawals import withdrawn
from ml.examples import count, make_examples, make_preferences, split_documents
from ml.fingerprint import check, model_fingerprint
from ml.prompts import PROMPT_VERSION
from ml.tiny import base_model_folder
from ml.tracking import Run, open_run
from ml.train import Recipe, train
from ml.types import CleanDocument, DatasetVersion, Example, ModelVersion, Preference, digest

log = logging.getLogger(__name__)


def build_dataset(settings: Settings) -> dict[str, object]:
    """Build the author's samples, prove them, and publish a version when enough of them are new."""
    documents = _own_documents(settings)
    parent = (registry.list_datasets(settings) or [""])[-1]
    before = registry.read_examples(settings, parent) if parent else []
    examples, preferences = _make_samples(settings, documents, before)
    mark = model_fingerprint(index_mark(settings), settings.base_model)
    wanted, reason = _is_wanted(settings, parent, mark, before, examples)
    counted = {"examples": len(examples), "preferences": len(preferences), "reason": reason}
    if not wanted:
        log.info("no new dataset: %s", reason)
        return {"dataset_id": parent, "created": False, **counted}
    _prove(settings, documents, examples, preferences)
    # The parent counts: words that come back to what they were are a step all the same.
    samples = sorted([*(e.id for e in examples), *(p.id for p in preferences)])
    version = DatasetVersion(
        id=digest("dataset", mark, parent, *samples)[:16],
        parent=parent,
        fingerprint=mark,
        created_at=datetime.now(UTC),
        counts=count(examples, preferences),
        documents={d.id: d.revision for d in documents},
        files={},
    )
    registry.write_dataset(settings, version, examples, preferences, _card(settings, version))
    return {"dataset_id": version.id, "created": True, **counted}


def next_dataset(settings: Settings) -> str | None:
    """Name the newest dataset if nobody has trained on it or given up on it."""
    versions = registry.list_datasets(settings)
    if not versions:
        return None
    models = registry.list_models(settings)
    tried = {registry.read_model(settings, m, verify=False).dataset_id for m in models}
    tried |= registry.attempts(settings).keys()
    newest = versions[-1]
    return None if newest in tried or withdrawn(settings, newest) else newest


def give_up_dataset(settings: Settings, dataset_id: str) -> None:
    """Note that training on a dataset failed for good, so that nobody starts it again by himself."""
    if not dataset_id:
        raise LookupError("There is no dataset to give up: the sensor failed; its log says why.")
    registry.mark_attempt(settings, dataset_id, "training or evaluation failed")
    raise RuntimeError(
        f"Dataset {dataset_id} is given up: training on it, or evaluating the model, failed; the failed task "
        "says why. Clear that task to try again."
    )


def train_model(settings: Settings, dataset_id: str) -> dict[str, object]:
    """Fine-tune the base model on a dataset and publish the result as a model version."""
    dataset = registry.read_dataset(settings, dataset_id)
    ours = model_fingerprint(index_mark(settings), settings.base_model)
    check(ours, dataset.fingerprint, f"Dataset {dataset_id}", "Run build_dataset again.")
    recipe = Recipe(sft_steps=settings.sft_steps, dpo_steps=settings.dpo_steps, seed=settings.seed)
    model_id = digest("model", dataset_id, ours, json.dumps(asdict(recipe), sort_keys=True))[:16]
    if model_id in registry.list_models(settings):
        return {"model_id": model_id, "created": False}
    folder = settings.data_dir / "training" / model_id
    metrics = _train(settings, dataset, recipe, folder, model_id)
    (folder / "prompts.json").write_text(json.dumps({"version": PROMPT_VERSION}))
    version = ModelVersion(
        id=model_id,
        parent=registry.champion(settings) or "",
        dataset_id=dataset_id,
        base_model=settings.base_model,
        fingerprint=ours,
        feature_service=FEATURE_SERVICE,
        created_at=datetime.now(UTC),
        recipe=asdict(recipe),
        metrics=metrics,
        files={},
    )
    registry.publish_model(settings, folder, version)
    return {"model_id": model_id, "created": True, **metrics}


def warm_caches(settings: Settings) -> dict[str, str]:
    """Export the embedder and pretrain the tiny base model, once per machine."""
    embedder = open_embedder(settings)
    return {"embedder": embedder.name, "base_model": base_folder(settings)}


def base_folder(settings: Settings) -> str:
    """Return the folder of the base model, pretrained or fetched if need be."""
    return base_model_folder(settings.base_model, settings.cache_dir)


def author_name(settings: Settings) -> str:
    """Return the full name of the twin's author."""
    names = {s.author.id: s.author.name for s in load_sources(settings)}
    if settings.author not in names:
        raise ValueError(
            f"TWIN_AUTHOR is {settings.author!r}, but {settings.sources_file} knows {sorted(names)}."
        )
    return names[settings.author]


def _own_documents(settings: Settings) -> list[CleanDocument]:
    return [d for d in clean_originals(settings) if d.author == settings.author]


def _make_samples(
    settings: Settings, documents: Sequence[CleanDocument], before: Sequence[Example]
) -> tuple[list[Example], list[Preference]]:
    if not documents:
        return [], []
    name = author_name(settings)
    with open_features(settings) as features:
        style = features.author_style(FEATURE_SERVICE, settings.author)
    parts = {e.span.document_id: e.split for e in before}
    tested = [i for i, split in parts.items() if split == "test"]
    splits = split_documents(documents, settings.test_share, tested, parts.keys() - set(tested))
    examples = make_examples(documents, splits, style, name, settings.leak_words)
    return examples, make_preferences(documents, splits, style, name, examples)


def _prove(
    settings: Settings,
    documents: Sequence[CleanDocument],
    examples: Sequence[Example],
    preferences: Sequence[Preference],
) -> None:
    """Stop a dataset with a bad sample; what was bad is kept until a dataset is good."""
    with open_documents(settings) as store:
        store.clear_rejected("dataset")
        try:
            prove_samples(settings, documents, examples, preferences)
        except ValidationFailed as stop:
            store.reject(stop.rejected, datetime.now(UTC))
            raise


def _is_wanted(
    settings: Settings,
    parent: str,
    mark: str,
    before: Sequence[Example],
    examples: Sequence[Example],
) -> tuple[bool, str]:
    """Tell whether a new version is worth having, and why: samples on one side only, as a share of all."""
    if len(examples) < settings.min_examples:
        return (
            False,
            f"{len(examples)} examples are too few; {settings.min_examples} are needed.",
        )
    if all(e.split == "train" for e in examples):
        return (
            False,
            "No example is held out for evaluation; four documents of one kind are needed.",
        )
    if not parent:
        return True, "It is the first version."
    if withdrawn(settings, parent):
        return True, "The last version is withdrawn: a document of it was forgotten."
    if registry.read_dataset(settings, parent, verify=False).fingerprint != mark:
        return True, "Samples or base model are made in another way than before."
    then, now = {e.id for e in before}, {e.id for e in examples}
    share = len(then ^ now) / max(len(then | now), 1)
    said = f"{share:.1%} of the examples are new or gone; a version needs {settings.dataset_change:.1%}."
    return share >= settings.dataset_change, said


def _card(settings: Settings, version: DatasetVersion) -> str:
    consent = sorted({f"- {s.id}: {s.consent}" for s in load_sources(settings)})
    counts = [f"| {name} | {n} |" for name, n in version.counts.items()]
    return "\n".join(
        [
            f"# Dataset {version.id}",
            f"The words of {author_name(settings)}, from {len(version.documents)} documents.",
            "",
            "| split/task | samples |",
            "|---|---|",
            *counts,
            "",
            "Consent by source:",
            *consent,
            "",
            f"Made from dataset {version.parent or '(none)'}; fingerprint {version.fingerprint}.",
            "",
        ]
    )


def open_experiment(settings: Settings, job: str, name: str) -> AbstractContextManager[Run]:
    """Open a W&B run of this platform."""
    folder = settings.data_dir / "wandb"
    return open_run(settings.wandb_project, job, name, {}, folder, settings.wandb_mode)


def _train(
    settings: Settings, dataset: DatasetVersion, recipe: Recipe, folder: Path, name: str
) -> dict[str, float]:
    examples = registry.read_examples(settings, dataset.id)
    preferences = registry.read_preferences(settings, dataset.id)
    with open_experiment(settings, "train", name) as run:
        run.artifact(
            f"dataset-{dataset.id}", "dataset", registry.dataset_folder(settings, dataset.id)
        )
        return train(base_folder(settings), examples, preferences, recipe, folder, run, log.info)
