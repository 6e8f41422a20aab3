"""The map of the corpus: drawn once for each state of the index, by a sample where it is large."""

from pathlib import Path

import pytest
from builders import chunk, cleaned

from include import drawing
from include.settings import Settings
from include.vectors import open_vectors
from ml.embed import load_embedder
from ml.types import Chunk


@pytest.fixture
def world(settings: Settings) -> Settings:
    return settings.model_copy(update={"wandb_mode": "disabled"})


def passages(count: int) -> list[Chunk]:
    return [
        chunk(f"rope {i}", document=cleaned(title=f"Number {i}"), position=i) for i in range(count)
    ]


def put(world: Settings, chunks: list[Chunk]) -> None:
    embedder = load_embedder(world.embedder, world.cache_dir)
    with open_vectors(world) as vectors:
        vectors.upsert(chunks, embedder.encode([c.text for c in chunks]))


def test_the_corpus_is_drawn_once_for_each_state_of_the_index(world: Settings) -> None:
    assert drawing.draw_corpus(world) == {"drawn": False, "file": ""}
    put(world, passages(3))

    drawn = drawing.draw_corpus(world)

    page, image = drawing.corpus_map(world)
    assert drawn == {"drawn": True, "file": str(page)}
    assert page.is_relative_to(world.data_dir / "artifacts")
    said = page.read_text()
    assert "Number 1" in said and "3 passages" in said and "TWIN_MAP_UMAP_FROM" in said
    assert image.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in page.parent.iterdir()) == ["corpus.html", "corpus.png"]
    assert drawing.draw_corpus(world) == drawn | {"drawn": False}


def test_a_large_corpus_is_drawn_by_a_sample_and_says_so(world: Settings, monkeypatch) -> None:
    monkeypatch.setattr(drawing, "MOST_DOTS", 6)
    put(world, passages(20))

    drawing.draw_corpus(world)

    assert "a sample of 6 of 20 passages" in drawing.corpus_map(world)[0].read_text()


def test_when_nothing_is_left_the_map_goes_and_a_map_in_wandb_is_kept_offline(
    settings: Settings,
) -> None:
    put(settings, passages(2))
    drawing.draw_corpus(settings)
    with open_vectors(settings) as vectors:
        vectors.delete(vectors.ids())

    drawing.draw_corpus(settings)

    assert not any(file.exists() for file in drawing.corpus_map(settings))
    media = {p.suffix for p in Path(settings.data_dir / "wandb").rglob("media/**/*") if p.is_file()}
    assert {".png", ".html"} <= media
