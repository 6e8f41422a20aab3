"""Experiments: W&B runs of this platform, and what they used and made.

A training uses a dataset and makes a model; an evaluation uses both; so does a search, whose trials
share one group. The registry is the truth, W&B mirrors it (`ml/tracking.py`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from include import registry
from include.settings import Settings
from ml.tracking import Run, open_run

Artifact = tuple[str, str, Path]


def open_experiment(
    settings: Settings,
    job: str,
    name: str,
    config: Mapping[str, object] | None = None,
    group: str = "",
) -> AbstractContextManager[Run]:
    """Open a W&B run of this platform; `config` is what runs are told apart and filtered by."""
    folder = settings.data_dir / "wandb"
    return open_run(
        settings.wandb_project, job, name, config or {}, folder, settings.wandb_mode, group
    )


def dataset_artifact(settings: Settings, dataset_id: str) -> Artifact:
    """Name a dataset, its sort and its folder, as a run says what it used or made."""
    return f"dataset-{dataset_id}", "dataset", registry.dataset_folder(settings, dataset_id)


def model_artifact(settings: Settings, model_id: str) -> Artifact:
    """Name a model, its sort and its folder, as a run says what it used or made."""
    return f"model-{model_id}", "model", registry.model_folder(settings, model_id)
