"""Cosines over blocks are those of the whole matrix; the mean of vectors is a unit vector."""

import numpy as np
import pytest

from ml import semantic


def unit(rows: int, seed: int = 1) -> np.ndarray:
    """Draw unit vectors around a few centres, so that many cosines are high."""
    chance = np.random.default_rng(seed)
    drawn = chance.normal(size=(7, 24))[chance.integers(0, 7, rows)]
    drawn = drawn + chance.normal(size=(rows, 24)) * 0.3
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 7, 64, 500])
def test_every_pair_from_the_threshold_on_is_found_whatever_the_block(monkeypatch, block: int):
    monkeypatch.setattr(semantic, "DOWN", block)
    monkeypatch.setattr(semantic, "ACROSS", 2 * block)
    vectors = unit(100)

    pairs, cosines = semantic.same_meaning(vectors, 0.9)

    expected = np.argwhere(np.triu(vectors @ vectors.T >= 0.9, 1))
    assert len(expected) > 100 and pairs.tolist() == expected.tolist()
    assert np.allclose(cosines, (vectors @ vectors.T)[tuple(expected.T)], atol=1e-6)


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.8, 0.97])
def test_short_vectors_let_every_pair_through(monkeypatch, threshold: float):
    monkeypatch.setattr(semantic, "SHORT", 5)
    monkeypatch.setattr(semantic, "SAMPLE", 40)
    vectors = unit(150)

    pairs, _ = semantic.same_meaning(vectors, threshold)

    assert pairs.tolist() == np.argwhere(np.triu(vectors @ vectors.T >= threshold, 1)).tolist()


def test_nothing_is_like_nothing():
    assert len(semantic.same_meaning(np.zeros((0, 8), np.float32), 0.5)[0]) == 0


def test_several_passages_point_one_way_together():
    mean = semantic.mean_vector(unit(9))

    assert np.linalg.norm(mean) == pytest.approx(1.0, abs=1e-6)
    assert not np.any(semantic.mean_vector(np.zeros((2, 4), np.float32)))


def test_texts_that_pass_by_in_parts_are_named_where_they_mean_the_same():
    vectors = unit(60)
    passing = semantic.Meanings()
    for start in range(0, 60, 7):
        passing.add({str(i): vectors[i] for i in range(start, min(start + 7, 60))})

    pairs, _ = semantic.same_meaning(vectors, 0.97)
    assert passing.ids(0.97) == {str(i) for i in np.unique(pairs)} != set()
    assert passing.ids(1.01) == semantic.Meanings().ids(0.9) == set()
    assert list(passing.of({"3", "nobody"})) == ["3"]
