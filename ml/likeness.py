"""Tell whose voice a text is: authorship verification on character n-grams and measured style.

Trained on the author's passages against those of other people, and calibrated on passages that it did
not see, so that a score is a probability. Texts that stand under both names have to be left out by the
caller. Source of the method: Koppel and Winter, "Determining if two documents are written by the same
author", 2014, and Stamatatos, "A survey of modern authorship attribution methods", 2009.
"""

import re
from collections.abc import Callable, Sequence

from ml.text import words

Likeness = Callable[[str], float]
# Passages below this many words are too short to tell whose they are.
PASSAGE_WORDS = 40
# Fewer passages than this on a side are not held back for calibration.
FOLDS = 3
# Function words carry habits, not subjects.
FUNCTION_WORDS = (
    "the of and a to in is that it for as with on but not be this by are or at from an if so which "
    "when what there they we you i my your our would will can could may than then only just even very "
    "because although while however also any all some no more most much such into over after before"
).split()
MARKS = ".,;:!?—–-()\"'…`*"


def learn_likeness(own: Sequence[str], others: Sequence[str], seed: int) -> Likeness:
    """Train an authorship verifier; returns the calibrated probability that a text is the author's.

    Without texts of other people there is nothing to tell apart, and every text scores 0.5.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    mine, theirs = passages(own), passages(others)
    if len(mine) < 2 or len(theirs) < 2:
        return lambda text: 0.5
    judge = LogisticRegression(class_weight="balanced", random_state=seed, max_iter=500, C=10.0)
    model = make_pipeline(_features(), judge)
    if min(len(mine), len(theirs)) >= 2 * FOLDS:
        model = CalibratedClassifierCV(model, method="sigmoid", cv=FOLDS)
    model.fit([*mine, *theirs], [1] * len(mine) + [0] * len(theirs))
    return lambda text: float(model.predict_proba([text])[0, 1])


def area_under_curve(likeness: Likeness, own: Sequence[str], others: Sequence[str]) -> float:
    """Tell how well a verifier separates held-out texts: the chance that an own one scores higher."""
    mine, theirs = ([likeness(p) for p in passages(texts)] for texts in (own, others))
    return separation([*mine, *theirs], [True] * len(mine) + [False] * len(theirs))


def separation(scores: Sequence[float], own: Sequence[bool]) -> float:
    """Return the area under the ROC curve: the chance that an own text scores higher; 0.5 where one side is empty."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(own, scores)) if len(set(own)) == 2 else 0.5


def calibration_error(scores: Sequence[float], own: Sequence[bool], bins: int = 10) -> float:
    """Return by how much scores miss being probabilities: the gap to the share of own texts, mean over ten bins."""
    placed: dict[int, list[tuple[float, bool]]] = {}
    for score, mine in zip(scores, own, strict=True):
        placed.setdefault(min(int(score * bins), bins - 1), []).append((score, mine))
    gaps = (
        abs(sum(s for s, _ in found) - sum(mine for _, mine in found)) for found in placed.values()
    )
    return sum(gaps) / max(len(scores), 1)


def passages(texts: Sequence[str]) -> list[str]:
    """Join paragraphs into passages of comparable length."""
    found: list[str] = []
    for text in texts:
        current: list[str] = []
        for paragraph in re.split(r"\n\s*\n", text):
            current.append(paragraph)
            if len(" ".join(current).split()) >= PASSAGE_WORDS:
                found.append(" ".join(current))
                current = []
    return found


def habits(text: str) -> list[float]:
    """Measure what an author does without thinking: function words, marks, lengths; all as rates."""
    found = [w.lower() for w in words(text)]
    count = max(len(found), 1)
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", text) if words(s)]
    contractions = sum("'" in w or "’" in w for w in found)
    return [
        *(found.count(w) / count for w in FUNCTION_WORDS),
        *(text.count(m) / max(len(text), 1) for m in MARKS),
        count / max(len(sentences), 1) / 100,
        sum(map(len, found)) / count / 10,
        len(set(found)) / count,
        contractions / count,
        sum(c.isupper() for c in text) / max(len(text), 1),
    ]


def _features() -> object:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    grams = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True, max_features=20_000
    )
    style = make_pipeline(FunctionTransformer(_habits_of_all), StandardScaler())
    return make_union(grams, make_pipeline(style, FunctionTransformer(_softened)))


def _habits_of_all(texts: Sequence[str]) -> list[list[float]]:
    return [habits(text) for text in texts]


def _softened(values: object) -> object:
    """Scale habits down to the size of n-gram weights, and keep a rare one from outshouting the rest."""
    import numpy as np

    return np.clip(np.asarray(values), -3, 3) / 20
