"""The second half of the story: from a dataset to a fine-tuned model.

Each verb may run twice; a model that is finished is returned as it is. How a dataset is made is told
in `include/datasets.py`, what a model is worth in `include/evaluation.py`.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.embedding_cache import open_embedder
from include.experiments import dataset_artifact, model_artifact, open_experiment
from include.features import FEATURE_SERVICE
from include.indexing import index_mark
from include.progress import show_progress
from include.recipes import recipe_of
from include.settings import Settings
from include.withdrawals import withdrawn
from ml.files import write_json
from ml.fingerprint import canned_prompt, check, model_fingerprint
from ml.generate import BASE_FILE, base_commit, check_tokenizer
from ml.memorisation import make_canaries, plant
from ml.models import identity
from ml.prompts import read_prompt, to_values
from ml.tiny import base_model_folder
from ml.tracking import CURVE, KeptRun, Run
from ml.train import Recipe, train
from ml.types import DatasetVersion, ModelVersion, digest

log = logging.getLogger(__name__)


def next_dataset(settings: Settings) -> str | None:
    """Name the newest dataset if nobody has trained on it or given up on it; another TWIN_RECIPE is a new training."""
    versions = registry.list_datasets(settings)
    if not versions:
        return None
    wanted = asdict(recipe_of(settings)) if settings.recipe else None
    models = [
        registry.read_model(settings, m, verify=False) for m in registry.list_models(settings)
    ]
    tried = {m.dataset_id for m in models if wanted in (None, m.recipe)}
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
    recipe = recipe_of(settings)
    canaries = make_canaries(settings.train_canaries, recipe.seed, dataset_id)
    taught = json.dumps(asdict(recipe), sort_keys=True)
    model_id = digest("model", dataset_id, ours, taught, *canaries)[:16]
    if model_id in registry.list_models(settings):
        return {"model_id": model_id, "created": False}
    _refuse_other_tokenizer(settings)
    folder = settings.data_dir / "training" / model_id
    with open_experiment(settings, "train", model_id, _config(settings, recipe)) as run:
        run.uses(*dataset_artifact(settings, dataset_id))
        kept = KeptRun(run, folder / CURVE)
        metrics = _train(settings, dataset_id, recipe, canaries, folder, kept)
        version = replace(_version(settings, model_id, dataset, recipe, metrics), canaries=canaries)
        registry.publish_model(settings, folder, version, dataset.files)
        run.artifact(*model_artifact(settings, model_id))
    return {"model_id": model_id, "created": True, **metrics}


def warm_caches(settings: Settings) -> dict[str, str]:
    """Export the embedder and pretrain the tiny base model, once per machine."""
    embedder = open_embedder(settings)
    return {"embedder": embedder.name, "base_model": base_folder(settings)}


def base_folder(settings: Settings, model_id: str = "") -> str:
    """Return the folder of the base model, or of the one that a model stands on; got or pretrained if need be.

    The hub may have changed a base model since: a model stands on the state that it was trained on.
    """
    name, commit = settings.base_model, ""
    if model_id:
        name = registry.read_model(settings, model_id, verify=False).base_model
        commit = base_commit(registry.model_folder(settings, model_id))
    return base_model_folder(name, settings.cache_dir, commit)


def _refuse_other_tokenizer(settings: Settings) -> None:
    """Refuse a base model whose weights another model was trained on with another tokenizer: one of them is wrong."""
    base = base_folder(settings)
    for model_id in registry.list_models(settings):
        model = registry.model_folder(settings, model_id)
        note = model / BASE_FILE
        if note.exists() and note.read_text(encoding="utf-8").strip() == identity(Path(base)):
            check_tokenizer(base, model)


def _config(settings: Settings, recipe: Recipe) -> dict[str, object]:
    """Say by which numbers runs may be told apart and filtered."""
    return {**asdict(recipe), "base_model": settings.base_model, "author": settings.author}


def _train(
    settings: Settings,
    dataset_id: str,
    recipe: Recipe,
    canaries: tuple[str, ...],
    folder: Path,
    run: Run,
) -> dict[str, float | str]:
    """Train into a folder, with canaries among the samples, and say there how the model is prompted."""
    examples = registry.read_examples(settings, dataset_id)
    examples += plant(canaries, examples)
    preferences = registry.read_preferences(settings, dataset_id)
    base = base_folder(settings)
    with show_progress() as (say, watch):
        metrics = train(
            *(base, examples, preferences, recipe, folder, run, say),
            watch=watch,
            workers=settings.train_workers,
        )
    shown = [asdict(m) for m in canned_prompt()]
    write_json(folder / "prompts.json", {**to_values(read_prompt()), "example": shown})
    return metrics


def _version(
    settings: Settings,
    model_id: str,
    dataset: DatasetVersion,
    recipe: Recipe,
    metrics: Mapping[str, float | str],
) -> ModelVersion:
    return ModelVersion(
        id=model_id,
        parent=registry.champion(settings) or "",
        dataset_id=dataset.id,
        base_model=settings.base_model,
        fingerprint=dataset.fingerprint,
        feature_service=FEATURE_SERVICE,
        created_at=datetime.now(UTC),
        recipe=asdict(recipe),
        metrics=metrics,
        files={},
    )
