"""The picture of the corpus: alike is near, everything is drawn, and no text of a stranger runs in it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import chunk

from include.settings import ROOT
from ml import picture
from ml.types import Chunk

WAYS = {"PCA": picture.place_pca, "t-SNE": picture.place_tsne}


def cloud(centre: int, count: int) -> np.ndarray:
    noise = np.random.default_rng(centre).normal(0, 0.05, (count, 16))
    return (np.eye(16)[centre] + noise).astype(np.float32)


def passages(count: int, **fields: object) -> list[Chunk]:
    return [replace(chunk(f"passage {i}", position=i), **fields) for i in range(count)]


def data_of(page: str) -> dict:
    return json.loads(re.findall(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[0])


def draw(chunks: list[Chunk]) -> str:
    at = picture.place_pca(cloud(2, len(chunks)))
    return picture.draw_page(chunks, {"PCA": at}, {"UMAP": "too few"}, f"{len(chunks)} passages")


@pytest.mark.parametrize("place", WAYS.values(), ids=WAYS)
def test_passages_of_like_meaning_stand_close_together(place):
    placed = place(np.concatenate([cloud(0, 20), cloud(7, 20)]))

    first, second = placed[:20], placed[20:]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > np.linalg.norm(first - first.mean(axis=0), axis=1).max()


@pytest.mark.parametrize("place", WAYS.values(), ids=WAYS)
def test_the_same_corpus_gives_the_same_map(place):
    embeddings = cloud(3, 12)

    assert np.array_equal(place(embeddings), place(embeddings))


@pytest.mark.parametrize("place", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_a_corpus_of_a_few_passages_is_drawn_as_well_even_if_all_are_equal(place, count):
    for embeddings in (cloud(1, count), np.ones((count, 16), dtype=np.float32)):
        placed = place(embeddings)
        assert placed.shape == (count, 2) and np.isfinite(placed).all()


UMAP = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import numpy as np
from test_picture import cloud
from ml.picture import place_umap
cache = Path(sys.argv[1])
for count in (1, 2, 3, 5, 6):
    for embeddings in (cloud(1, count), np.ones((count, 16), dtype=np.float32)):
        placed = place_umap(embeddings, cache)
        assert placed.shape == (count, 2) and np.isfinite(placed).all(), (count, placed)
both = np.concatenate([cloud(0, 8), cloud(7, 8)])
placed = place_umap(both, cache)
first, second = placed[:8], placed[8:]
apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
assert apart > np.linalg.norm(first - first.mean(axis=0), axis=1).max(), placed
assert np.array_equal(placed, place_umap(both, cache))
"""


def test_umap_does_all_of_that(tmp_path):
    # For a handful of passages its own Python is faster than compiling it.
    uncompiled = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", UMAP, str(tmp_path), str(ROOT), str(ROOT / "tests")]

    subprocess.run(command, check=True, env=uncompiled)


def test_every_passage_is_on_the_page_with_its_author_kind_time_and_link_but_not_its_words():
    chunks = [replace(c, author=f"author {i % 2}") for i, c in enumerate(passages(6))]
    chunks[0] = replace(chunks[0], published_at=None)

    page = draw(chunks)

    data = data_of(page)
    assert [d["author"] for d in data["dots"]] == ["author 0", "author 1"] * 3
    assert data["dots"][0]["at"] is None and data["dots"][1]["at"] == 1772323200000
    assert {d["url"] for d in data["dots"]} == {chunks[0].url}
    assert np.shape(data["places"]["PCA"]) == (2, 6) and data["absent"] == {"UMAP": "too few"}
    assert data["counts"] == "6 passages" and "passage 3" not in page


def test_a_title_with_markup_or_a_mark_of_the_template_is_data_and_nothing_else():
    title = "<script>alert(1)</script> __PLOTLY__ __DATA__ <!--"
    (evil,) = passages(1, title=title, heading="</script><b>")

    page = draw([evil])

    assert "<script>alert" not in page and "</script><b>" not in page
    assert data_of(page)["dots"][0]["title"] == title


def test_the_page_needs_no_network_and_is_not_let_near_it():
    page = draw(passages(1))

    assert "default-src 'none'" in page and "Plotly.react" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page[: page.index("plotly.js v")])
    assert len(page) > 3_000_000


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_the_image_shows_every_projection_by_author_kind_and_time(tmp_path: Path, count: int):
    chunks = passages(count, author="_$\\frac{x$")
    if count > 1:
        chunks[0] = replace(chunks[0], published_at=None, kind="code", author="Größe")
    at, file = picture.place_pca(cloud(2, count)), tmp_path / "corpus.new"

    picture.draw_image(chunks, {"PCA": at, "t-SNE": at}, f"{count} passages $", file)

    assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 10_000
