"""Is training worth it? The untrained model alone, with passages, with examples, beside SFT, and SFT with DPO.

On demand, as a job: it trains up to four small models of its own, on shares of the documents, none of which is
registered. A second run of the same dataset and recipe trains nothing.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean

from include import registry
from include.circumstances import circumstances
from include.experiments import open_experiment
from include.learning import base_folder
from include.manifests import artifacts_root
from include.material import gather_material, retrieve_notes
from include.recipes import recipe_of
from include.settings import Settings
from ml.evaluate import Material, Scores, score_model
from ml.files import write_json, write_whole
from ml.generate import load_generator
from ml.probes import choose
from ml.train import train
from ml.types import Example, Preference, digest
from ml.worth import (
    COLUMNS,
    Reshape,
    Reshaped,
    as_it_is,
    draw_page,
    draw_picture,
    has_notes,
    with_voice,
    without_notes,
)

log = logging.getLogger(__name__)

# What is compared: which adapter speaks, what is put before the question, and whether it is shown passages.
Condition = tuple[Path | None, Reshape, bool]

# Percent of the documents that the learning curve is drawn over; all of them come last.
SHARES = (25, 50, 100)
# Examples of the author's answers that show the voice, and their most words: a small context must hold them.
SHOWN, SHOWN_WORDS = 2, 60


def compare_training(settings: Settings, dataset_id: str = "") -> dict[str, object]:
    """Compare prompting with training on a dataset, by default the newest; keeps a table, a page and a picture."""
    name = dataset_id or (registry.list_datasets(settings) or [""])[-1]
    if not name:
        raise LookupError("There is no dataset to train on yet. Run build_dataset first.")
    examples, preferences = (
        registry.read_examples(settings, name),
        registry.read_preferences(settings, name),
    )
    gathered = gather_material(settings, examples).material
    noted = replace(gathered, tested=retrieve_notes(settings, examples))
    trained = {share: _train(settings, name, _part(examples, share), []) for share in SHARES}
    preferred = _train(settings, name, examples, preferences)
    materials = {True: noted, False: without_notes(noted)}
    curve = {s: _loss(settings, adapter, materials[False]) for s, adapter in trained.items()}
    compared = _conditions(examples, trained[SHARES[-1]], preferred)
    rows = {
        title: _score(settings, adapter, reshape, materials[shown], title)
        for title, (adapter, reshape, shown) in compared.items()
    }
    shown = sum(has_notes(e) for e in noted.tested)
    return _keep(settings, name, rows, curve, f"{shown} of {len(noted.tested)}")


def _conditions(examples: Sequence[Example], taught: Path, preferred: Path) -> dict[str, Condition]:
    """Name what is compared. The last is the twin as it is served, to be held against the base with passages."""
    learned = [e for e in examples if e.split == "train" and e.task != "code"]
    short = [e for e in learned if len(e.messages[-1].content.split()) <= SHOWN_WORDS] or learned
    chosen = set(choose([e.id for e in short], SHOWN))
    shown = [e.messages for e in short if e.id in chosen]
    return {
        "base": (None, as_it_is, False),
        "base + passages": (None, as_it_is, True),
        "base + examples": (None, with_voice(shown), False),
        "SFT": (taught, as_it_is, False),
        "SFT + DPO": (preferred, as_it_is, False),
        "SFT + DPO + passages": (preferred, as_it_is, True),
    }


def _part(examples: Sequence[Example], share: int) -> list[Example]:
    """Keep the training examples of a share of the documents, and every test example."""
    ids = sorted({e.span.document_id for e in examples if e.split == "train"})
    kept = set(choose(ids, max(len(ids) * share // 100, 1)))
    return [e for e in examples if e.split == "test" or e.span.document_id in kept]


def _train(
    settings: Settings,
    dataset_id: str,
    examples: Sequence[Example],
    preferences: Sequence[Preference],
) -> Path:
    """Train aside, once; what is finished already is taken as it is. Returns the adapter's folder."""
    usual = recipe_of(settings)
    recipe = usual if preferences else replace(usual, dpo_steps=0)
    name = digest("worth", dataset_id, json.dumps(asdict(recipe)), *sorted(e.id for e in examples))
    folder = settings.data_dir / "training" / f"worth-{dataset_id}-{name[:16]}"
    with open_experiment(settings, "worth", folder.name) as run:
        train(base_folder(settings), examples, preferences, recipe, folder, run, log.info)
    return folder


def _loss(settings: Settings, adapter: Path, material: Material) -> float:
    """Measure a trained model's held-out loss; what the training noted was measured with the dataset's own notes."""
    generator = load_generator(base_folder(settings), adapter)
    return fmean(generator.losses([e.messages for e in material.tested]))


def _score(
    settings: Settings, adapter: Path | None, reshape: Reshape, material: Material, title: str
) -> Scores:
    log.info("measuring %s", title)
    generator = Reshaped(load_generator(base_folder(settings), adapter), reshape)
    clock: Callable[[], float] = time.monotonic
    return score_model(generator, material, seed=settings.seed, clock=clock, report=log.info)


def _keep(
    settings: Settings,
    dataset_id: str,
    rows: Mapping[str, Scores],
    curve: Mapping[int, float],
    shown: str,
) -> dict[str, object]:
    """Write the record, the page and the picture of one dataset version; returns the table."""
    folder = artifacts_root(settings) / "worth"
    facts = {
        "dataset": dataset_id,
        "base model": settings.base_model,
        "held-out prompts that passages are found for": shown,
        **asdict(recipe_of(settings)),
        **circumstances(),
    }
    draw_picture(rows, curve, folder / f"{dataset_id}.png")
    write_whole(folder / f"{dataset_id}.html", draw_page(rows, curve, facts, f"{dataset_id}.png"))
    scores = {title: s.as_dict() for title, s in rows.items()}
    write_json(folder / f"{dataset_id}.json", {"facts": facts, "rows": scores, "curve": curve})
    table = {
        title: {name: round(s.means()[name], 4) for name, _, _ in COLUMNS}
        for title, s in rows.items()
    }
    log.info("compared: %s. The page is %s.", table, folder / f"{dataset_id}.html")
    return {"dataset_id": dataset_id, "table": table, "curve": dict(curve)}
