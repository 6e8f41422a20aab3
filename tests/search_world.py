"""A world with a dataset of many small documents, on which a recipe can be searched in seconds."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from samples import examples, preferences

from include import registry
from include.indexing import index_mark
from include.learning import train_model
from include.settings import Settings
from ml.fingerprint import model_fingerprint
from ml.types import DatasetVersion, Example, Preference, Span

DOCUMENTS = 6


def spread_examples(count: int = 24) -> list[Example]:
    """Make samples of some documents; the last document is the test's."""
    made = []
    for number, example in enumerate(examples(count)):
        place = number % DOCUMENTS
        split = "test" if place == DOCUMENTS - 1 else "train"
        made.append(replace(example, span=Span(f"d{place}", "r1", 0, 10), split=split))
    return made


def spread_preferences(count: int = 12) -> list[Preference]:
    """Make pairs of the same documents, but for the test's."""
    return [
        replace(p, span=Span(f"d{n % (DOCUMENTS - 1)}", "r1", 0, 10))
        for n, p in enumerate(preferences(count))
    ]


def search_world(folder: Path, base: Path, **changes: object) -> Settings:
    """Make a world with one dataset; its trainings have a few steps."""
    told = {"sft_steps": 4, "dpo_steps": 1, "leak_words": 60, **changes}
    world = Settings(data_dir=folder / "data", base_model=str(base), **told)
    version = DatasetVersion(
        id="d0",
        parent="",
        fingerprint=model_fingerprint(index_mark(world), world.base_model),
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        counts={},
        documents={f"d{n}": "r1" for n in range(DOCUMENTS)},
        files={},
    )
    registry.write_dataset(world, version, spread_examples(), spread_preferences(), "# Card\n")
    return world


def taught_world(folder: Path, base: Path) -> tuple[Settings, str]:
    """Make such a world with a model that was trained on its dataset; returns the model's id too."""
    world = search_world(folder, base)
    return world, str(train_model(world, "d0")["model_id"])
