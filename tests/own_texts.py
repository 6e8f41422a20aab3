"""A world whose only source a test writes itself: one JSON object a line."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from builders import cleaned

from include import cleaning, indexing, ingestion, measuring, registry
from include.colours import Colour
from include.documents import open_documents
from include.features import FEATURE_SERVICE, open_features
from include.settings import Settings
from include.vectors import open_colours

WORDS = (
    "rope harbour tide replica lantern ledger queue anchor signal window pilot cargo bell compass "
    "north ballast canvas keel rudder mooring pier gull barrel current chart island beacon fog "
    "timber sailor watch storm deck engine clerk tariff invoice parcel crane yard lock gauge valve"
).split()
VERBS = "checks mends doubts counts follows carries forgets measures paints trusts".split()
AUTHOR = {"id": "maren-oduya", "name": "Maren Oduya", "emails": ["maren@oduya.example"]}


def prose(seed: int, sentences: int = 8) -> str:
    """Write sentences that are like nobody else's, in two paragraphs."""
    chance = random.Random(seed)
    said = [
        f"The {chance.choice(WORDS)} of the {chance.choice(WORDS)} {chance.choice(VERBS)} every "
        f"{chance.choice(WORDS)}; but I was wrong about the {chance.choice(WORDS)} in that {chance.choice(WORDS)}."
        for _ in range(sentences)
    ]
    half = sentences // 2
    return " ".join(said[:half]) + "\n\n" + " ".join(said[half:])


def entry(number: int, text: str = "", **fields: object) -> dict[str, object]:
    """Make one line of the source: an article, unless told otherwise."""
    made = {
        "url": f"https://own.example/{number}/",
        "title": f"Number {number}",
        "text": text or prose(number),
        "kind": "article",
        "language": "en",
        "published_at": f"2026-01-{1 + number % 28:02d}",
    }
    return made | fields


def write_entries(world: Settings, *entries: dict[str, object], name: str = "own") -> None:
    """Replace what a source holds."""
    file = world.sources_file.parent / f"{name}.jsonl"
    file.write_text("\n".join(json.dumps(e) for e in entries))


def own_world(settings: Settings, folder: Path, *entries: dict[str, object]) -> Settings:
    """Make a world with one source, `own`, that holds these entries."""
    source = own_source("own")
    return with_sources(settings, folder, source, entries=entries)


def own_source(name: str, **fields: str) -> dict[str, str]:
    """Name a source, by default one that a test writes."""
    known = {"author": AUTHOR["id"], "kind": "jsonl", "where": f"{name}.jsonl", "consent": "own"}
    return {"id": name, **known, **fields}


def with_sources(
    settings: Settings, folder: Path, *sources: dict[str, str], entries: tuple = ()
) -> Settings:
    """Make a world with some sources, of which `own` holds the entries."""
    file = folder / "sources.yaml"
    file.write_text(yaml.safe_dump({"authors": [AUTHOR], "sources": list(sources)}))
    # There is one author only, and nobody to tell the voice apart from.
    world = settings.model_copy(update={"sources_file": file, "min_other_texts": 0})
    write_entries(world, *entries)
    return world


def clean_all(world: Settings) -> dict[str, object]:
    """Take in what the sources hold, up to clean documents; returns what cleaning said."""
    take_stock(world)
    return cleaning.clean_documents(world)


def take_stock(world: Settings) -> None:
    """Take in what the sources hold, up to stored documents."""
    for source in ingestion.list_sources(world):
        ingestion.crawl_source(world, source)
    ingestion.store_documents(world)


def index_all(world: Settings) -> dict[str, object]:
    """Bring the index up to date with the sources; returns what indexing said."""
    clean_all(world)
    return indexing.index_chunks(world)


def store_state(world: Settings) -> tuple[object, ...]:
    """Return how a world's stores are, without times: documents and index, online features, what waits to be judged."""
    with open_documents(world) as documents:
        ids, waiting = sorted(d.id for d in documents.active()), documents.staged()
    with open_features(world) as features:
        rows = features.document_features(FEATURE_SERVICE, ids)
        style = features.author_style(FEATURE_SERVICE, world.author)
    measured = [
        {k: v for k, v in row.items() if k != "age_days"} for row in (*rows.values(), style)
    ]
    return indexing.store_digest(world), sorted(rows), measured, waiting


def take_in(world: Settings) -> dict[str, object]:
    """Bring index and features up to date with the sources; returns what indexing said."""
    said = index_all(world)
    measuring.store_features(world)
    return said


def own_artifacts(world: Settings, model_id: str, folder: Path) -> Settings:
    """Give a shared world a registry of one's own: one model with its dataset, and nothing that was decided."""
    dataset_id = registry.read_model(world, model_id).dataset_id
    shutil.copytree(registry.model_folder(world, model_id), folder / "models" / model_id)
    shutil.copytree(registry.dataset_folder(world, dataset_id), folder / "datasets" / dataset_id)
    return world.model_copy(update={"artifacts_url": str(folder)})


def know(world: Settings, *numbers: int) -> None:
    """Put clean articles into the store and take all others out, without the way through the crawler."""
    mark = indexing.index_mark(world)
    made = [
        cleaned(prose(n), url=f"https://own.example/{n}/", title=f"Number {n}") for n in numbers
    ]
    with open_documents(world) as documents:
        documents.remove_clean({c.id for c in documents.clean(mark)} - {c.id for c in made})
        documents.put_clean(made, mark)


def frozen_colour(world: Settings) -> Colour:
    """Publish a copy of the live colour before it, as if its embedder had gone since."""
    with open_documents(world) as documents, open_colours(world) as colours:
        (live,) = colours.all()
        old = replace(live, fingerprint="gone", embedder="/nowhere", published="2020")
        chunks, vectors = zip(*colours.store(live).scan(), strict=True)
        colours.store(old).upsert(chunks, np.stack(vectors))
        colours.note(old)
        documents.mark_indexed(documents.indexed(live.name), old.name)
    return old
