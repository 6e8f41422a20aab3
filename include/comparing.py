"""Compare trainings: the newest models' curves, recipes and measures as a page, and as a W&B run of its own."""

import logging

from include import registry
from include.experiments import model_artifact, open_experiment
from include.manifests import artifacts_root
from include.settings import Settings
from ml.files import write_whole
from ml.runs_page import Training, columns, draw_runs, table
from ml.tracking import CURVE, read_curve

log = logging.getLogger(__name__)

# The picture has no more than this many lines that eyes can tell apart.
SHOWN = 12


def compare_runs(settings: Settings) -> dict[str, object]:
    """Draw the newest trainings side by side into `runs.html` of the artifacts."""
    models = registry.list_models(settings)[-SHOWN:]
    if not models:
        raise LookupError("There is no model to compare. Run train_model first.")
    trainings = [_training(settings, m) for m in models]
    page = artifacts_root(settings) / "runs.html"
    write_whole(page, draw_runs(trainings))
    with open_experiment(settings, "compare", f"{len(models)} trainings") as run:
        for model_id in models:
            run.uses(*model_artifact(settings, model_id))
        rows = [[str(v) for v in row] for row in table(trainings)]
        run.table("trainings", ("training", *columns(trainings)), rows)
        run.page("comparison", page)
    log.info("compared %d trainings in %s", len(models), page)
    return {"trainings": len(models), "page": str(page)}


def _training(settings: Settings, model_id: str) -> Training:
    version = registry.read_model(settings, model_id)
    names = [a for a, to in registry.aliases(settings).items() if to == model_id]
    facts = {
        "dataset": version.dataset_id,
        "base model": version.base_model,
        "parent": version.parent,
        **version.recipe,
    }
    curve = read_curve(registry.model_folder(settings, model_id) / CURVE)
    return Training(" ".join([model_id, *names]), facts, version.metrics, curve)
