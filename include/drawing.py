"""The story: draw the corpus, for people who would rather look than read."""

import heapq
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from include import registry
from include.documents import open_documents
from include.experiments import open_experiment
from include.settings import Settings
from include.vectors import Vector, open_vectors
from ml.files import write_whole
from ml.picture import Places, draw_image, draw_page, place_pca, place_tsne, place_umap
from ml.types import Chunk, digest

# Above this, a sample is drawn: more dots say no more, and take minutes to place.
MOST_DOTS = 3_000


def draw_corpus(settings: Settings) -> dict[str, object]:
    """Draw the index as a map of passages, once for each state of the index; an empty index has no map.

    A page and an image go into the artifacts and into W&B.
    """
    page, image = corpus_map(settings)
    with open_vectors(settings) as vectors, open_documents(settings) as documents:
        ids = vectors.ids()
        state = digest("corpus", str(settings.map_umap_from), *sorted(ids))
        runs = documents.runs("draw_corpus")
        if not ids:
            page.unlink(missing_ok=True)
            image.unlink(missing_ok=True)
            return {"drawn": False, "file": ""}
        if page.exists() and runs and runs[-1]["state"] == state:
            return {"drawn": False, "file": str(page)}
        # Ids are hashes: the first ones are a sample by chance, and the same one each time.
        found = heapq.nsmallest(MOST_DOTS, vectors.scan(), key=lambda pair: pair[0].id)
        _draw(settings, [c for c, _ in found], np.stack([v for _, v in found]), len(ids))
        documents.put_run("draw_corpus", "last", {"state": state}, datetime.now(UTC))
    return {"drawn": True, "file": str(page)}


def corpus_map(settings: Settings) -> tuple[Path, Path]:
    """Return where the page and the image of the corpus are, or would be."""
    folder = registry.map_folder(settings)
    return folder / "corpus.html", folder / "corpus.png"


def _draw(settings: Settings, chunks: Sequence[Chunk], embeddings: Vector, of: int) -> None:
    """Write image and page, the page last, and mirror both in W&B."""
    page, image = corpus_map(settings)
    counts = (
        f"{of} passages" if len(chunks) == of else f"a sample of {len(chunks)} of {of} passages"
    )
    places, absent = _place(settings, embeddings)
    image.parent.mkdir(parents=True, exist_ok=True)
    aside = image.with_suffix(".new")
    draw_image(chunks, places, counts, aside)
    aside.replace(image)
    write_whole(page, draw_page(chunks, places, absent, counts))
    with open_experiment(settings, "draw", "corpus") as run:
        run.picture("corpus", image, page)
        run.summary({"passages": of, "drawn": len(chunks), "projections": list(places)})


def _place(settings: Settings, embeddings: Vector) -> tuple[dict[str, Places], dict[str, str]]:
    """Place passages in every way that is worth its time; also say which are absent, and why."""
    places = {"PCA": place_pca(embeddings), "t-SNE": place_tsne(embeddings)}
    if len(embeddings) >= settings.map_umap_from:
        return {**places, "UMAP": place_umap(embeddings, settings.cache_dir)}, {}
    least = settings.map_umap_from
    return places, {"UMAP": f"made from {least} passages on: TWIN_MAP_UMAP_FROM"}
