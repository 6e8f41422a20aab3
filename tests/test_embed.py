"""Our vectors are sentence-transformers' vectors, in the order they were asked for."""

from pathlib import Path

import numpy as np
import pytest

import ml.embed
from include.settings import Settings
from ml.embed import Embedder, load_embedder

CACHE = Settings().cache_dir
TEXTS = [
    "Why does fsync lie?",
    "x",
    "The lease had nine seconds left; the clock had eleven. " * 12,
    "def f(x):\n    return x",
    "Größe, naïve café — “quoted” 🚢",
    "",
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("all-MiniLM-L6-v2", CACHE)


def test_vectors_equal_those_of_sentence_transformers(embedder: Embedder):
    from sentence_transformers import SentenceTransformer

    from ml.embed import _installed_minilm

    theirs = SentenceTransformer(str(_installed_minilm())).encode(TEXTS, normalize_embeddings=True)

    cosines = (embedder.encode(TEXTS) * theirs).sum(axis=1)

    assert cosines.min() >= 0.9999


def test_a_text_has_the_same_vector_alone_and_in_a_crowd(embedder: Embedder):
    together = embedder.encode(TEXTS * 4)

    alone = np.vstack([embedder.encode([t]) for t in TEXTS])

    assert np.abs(together[: len(TEXTS)] - alone).max() < 1e-5


def test_offsets_cover_a_text_of_any_length(embedder: Embedder):
    text = "one two, three! " * 400

    offsets = embedder.offsets(text)

    assert len(offsets) == 5 * 400
    assert [text[a:b] for a, b in offsets[:5]] == ["one", "two", ",", "three", "!"]


def test_a_stream_gives_the_same_vectors_and_asks_for_no_more_texts_than_it_holds(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ml.embed, "BLOCK", 3)
    asked: list[str] = []

    def coming():
        for text in TEXTS:
            asked.append(text)
            yield text

    stream = embedder.stream(coming())
    first = next(stream)

    assert len(asked) == len(first) == 3
    assert np.allclose(np.vstack([first, *stream]), embedder.encode(TEXTS), atol=1e-6)


def test_int8_is_near_says_so_in_its_name_and_rounds_every_text_for_itself(embedder: Embedder):
    small = load_embedder("all-MiniLM-L6-v2", CACHE, "int8")

    vectors = small.encode(TEXTS * 2)

    assert (vectors[:5] * embedder.encode(TEXTS[:5])).sum(axis=1).min() > 0.97
    assert np.array_equal(vectors[2], small.encode(TEXTS[2:3])[0])
    assert small.name == "all-MiniLM-L6-v2-int8" and small.fingerprint != embedder.fingerprint


def test_no_texts_make_no_vectors(embedder: Embedder):
    assert embedder.encode([]).shape == (0, 384)


def test_an_unknown_model_is_a_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(OSError, match="TWIN_EMBEDDER"):
        load_embedder("nobody/no-such-model", CACHE)


def test_the_export_is_made_once(tmp_path: Path, embedder: Embedder):
    first = load_embedder("all-MiniLM-L6-v2", tmp_path)
    (file,) = tmp_path.glob("*.onnx")
    made = file.stat().st_mtime_ns

    load_embedder("all-MiniLM-L6-v2", tmp_path)

    assert file.stat().st_mtime_ns == made
    assert np.allclose(first.encode(["a"]), embedder.encode(["a"]), atol=1e-6)
