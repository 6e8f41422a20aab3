"""Make a model again from its manifest alone, and say whether it comes out the same. Nothing is published.

The dataset is found by its id and the hashes of its files, the base model by its identity; recipe and
seed are the manifest's. Under equal circumstances every loss must be equal; under others, which are
named, within a tolerance.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include import registry
from include.circumstances import circumstances
from include.experiments import open_experiment
from include.learning import base_folder
from include.manifests import MANIFEST
from include.settings import Settings
from include.withdrawals import withdrawn
from ml.files import read_json
from ml.generate import BASE_FILE, check_tokenizer
from ml.memorisation import plant
from ml.models import identity
from ml.tracking import CURVE, KeptRun, read_curve
from ml.train import Recipe, train
from ml.types import DatasetVersion, ModelVersion

log = logging.getLogger(__name__)

# Nats per token by which a loss may differ where code, packages or machine do.
TOLERANCE = 0.02
COMPARED = ("sft/loss", "sft/heldout_loss", "dpo/loss")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared; `holds` is None where it is only told."""

    what: str
    then: object
    now: object
    said: str = ""
    holds: bool | None = None


def reproduce_model(
    settings: Settings, model_id: str, tolerance: float | None = None
) -> list[Line]:
    """Train a model again into a folder of its own and compare; without a `tolerance` it depends on what differs."""
    version = registry.read_model(settings, model_id)
    model = registry.model_folder(settings, model_id)
    made = read_json(model / MANIFEST).get("reproduce", {})
    dataset = _dataset(settings, version, made)
    world = settings.model_copy(update={"base_model": version.base_model, "wandb_mode": "disabled"})
    base = base_folder(world, model_id)
    _refuse_other_base(base, model, version)
    told = list(_circumstances(made))
    allowed = tolerance if tolerance is not None else TOLERANCE if told else 0.0
    scratch = settings.data_dir / "reproductions" / model_id
    examples = registry.read_examples(settings, dataset.id)
    examples += plant(version.canaries, examples)
    samples = (examples, registry.read_preferences(settings, dataset.id))
    with open_experiment(world, "reproduce", model_id) as run:
        kept = KeptRun(run, scratch / CURVE)
        given = (base, *samples, _recipe(version), scratch, kept, log.info)
        metrics = train(*given, workers=settings.train_workers)
    lines = [
        Line("dataset", dataset.id, dataset.id, f"{len(dataset.files)} files, same hashes", True),
        Line("base model", version.base_model, version.base_model, "same weights", True),
        *told,
        *_curves(read_curve(model / CURVE), read_curve(scratch / CURVE), allowed),
        *_metrics(version.metrics, metrics, allowed),
    ]
    shutil.rmtree(scratch)
    return lines


def _recipe(version: ModelVersion) -> Recipe:
    try:
        return Recipe(**version.recipe)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(
            f"The recipe of model {version.id} has a field that this code does not know ({error}). "
            "Check out the commit that its manifest names."
        ) from error


def _dataset(settings: Settings, version: ModelVersion, made: Mapping[str, Any]) -> DatasetVersion:
    """Find the very dataset that a model was trained on."""
    dataset = registry.read_dataset(settings, version.dataset_id)
    if why := withdrawn(settings, dataset.id):
        raise PermissionError(
            f"Dataset {dataset.id} may not be trained on any more: {'; '.join(sorted(set(why.values())))}."
        )
    learned = made.get("learned", {})
    if learned and learned != dict(dataset.files):
        raise ValueError(
            f"Dataset {dataset.id} is not the one that model {version.id} was trained on: its files have other "
            "hashes than the model's manifest says. Restore it from a copy."
        )
    return dataset


def _refuse_other_base(base: str, model: Path, version: ModelVersion) -> None:
    known, ours = (model / BASE_FILE).read_text(encoding="utf-8").strip(), identity(Path(base))
    if known != ours:
        raise ValueError(
            f"Model {version.id} stands on {version.base_model!r} with identity {known[:12]}, but the one here has "
            f"{ours[:12]}: another state of it. Bring back that base model."
        )
    check_tokenizer(base, model)


def _circumstances(made: Mapping[str, Any]) -> Iterator[Line]:
    """Name what is not as it was."""
    ours = circumstances()
    for name in ("code", "python", "machine", "processor", "cores"):
        if made.get(name) != ours[name]:
            yield Line(name, made.get(name, "not recorded"), ours[name], "differs")
    then, now = made.get("packages", {}), ours["packages"]
    for name, version in now.items() if isinstance(now, dict) else ():
        if then.get(name) != version:
            yield Line(name, then.get(name, "not recorded"), version, "differs")


def _curves(
    then: Sequence[Mapping[str, float]], now: Sequence[Mapping[str, float]], allowed: float
) -> Iterator[Line]:
    """Compare two curves step by step."""
    if not then:
        yield Line("loss curve", "not kept", f"{len(now)} steps", "an older model has none")
        return
    for name in COMPARED:
        before, after = ({c["step"]: c[name] for c in curve if name in c} for curve in (then, now))
        if before or after:
            first, second = (
                f"{list(c.values())[-1]:.6f}" if c else "none" for c in (before, after)
            )
            far = _farthest(before, after)
            said = f"{len(before)} and {len(after)} steps, apart by {far:.2g}, allowed {allowed:g}"
            yield Line(f"{name}, last step", first, second, said, far <= allowed)


def _farthest(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """Return by how much two curves differ where they differ most; without end where their steps are not the same."""
    if before.keys() != after.keys():
        return float("inf")
    return max(abs(before[step] - after[step]) for step in before)


def _metrics(
    then: Mapping[str, object], now: Mapping[str, object], allowed: float
) -> Iterator[Line]:
    """Compare what was measured on the held-out samples."""
    for name in ("heldout_loss_before", "heldout_loss_after"):
        before, after = then.get(name), now.get(name)
        if isinstance(before, float) and isinstance(after, float):
            far = abs(before - after)
            said = f"apart by {far:.2g}, allowed {allowed:g}"
            yield Line(name, f"{before:.6f}", f"{after:.6f}", said, far <= allowed)
        elif before is not None or after is not None:
            yield Line(name, before, after, "measured on one side only", False)
