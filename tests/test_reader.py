"""Whatever an index compares by, an answer is judged by cosines."""

import numpy as np
import pytest

from include.reader import as_cosine


@pytest.mark.parametrize(
    ("distance", "score", "allowed"),
    [
        ("cosine", lambda a, b: a @ b, 1e-6),
        ("dot", lambda a, b: a @ b, 1e-6),
        ("l2", lambda a, b: -np.sum((a - b) ** 2), 1e-6),
        ("manhattan", lambda a, b: -np.sum(np.abs(a - b)), 0.1),
    ],
)
@pytest.mark.parametrize("near", [0.0, 0.5, 2.0])
def test_scores_become_cosines(distance, score, allowed, near):
    random = np.random.default_rng(1)
    a = random.normal(size=384)
    b = random.normal(size=384) + near * a
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)

    assert as_cosine(float(score(a, b)), distance, 384) == pytest.approx(float(a @ b), abs=allowed)
