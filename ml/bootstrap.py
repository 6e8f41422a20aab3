"""Say how sure a mean difference is: the studentised bootstrap, one-sided where a claim is one-sided.

Plain percentile intervals are too short for a few dozen examples; dividing every resample by its own
standard error mends that. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
chapter 12; step-down correction: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
# Below this many pairs a resample is too often the same pair again and again.
FEWEST = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences, its 95% interval, and what is needed to test it against a bound."""

    mean: float
    low: float
    high: float
    pairs: int
    error: float
    resampled: tuple[float, ...]

    def chance_not_below(self, bound: float) -> float:
        """Return the p-value of the claim that the true mean lies below a bound; 1 for too few pairs."""
        if self.pairs < FEWEST:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean < bound else 1.0
        reached = (self.mean - bound) / self.error
        as_low = sum(t <= reached for t in self.resampled)
        return (as_low + 1) / (len(self.resampled) + 1)

    def chance_not_above(self, bound: float) -> float:
        """Return the p-value of the claim that the true mean lies above a bound; 1 for too few pairs."""
        if self.pairs < FEWEST:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        reached = (self.mean - bound) / self.error
        as_high = sum(t >= reached for t in self.resampled)
        return (as_high + 1) / (len(self.resampled) + 1)


def paired_difference(left: Sequence[float], right: Sequence[float], seed: int) -> Difference:
    """Compare two scores of the same examples, as left − right; raises ValueError unless they pair up."""
    if len(left) != len(right) or not len(left):
        raise ValueError(
            f"Scores of the same examples are needed on both sides, but there are {len(left)} and {len(right)}. "
            "Evaluate both models on the same test split."
        )
    differences = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)
    if not np.isfinite(differences).all():
        raise ValueError("A score is not a number. Evaluate the model again; its loss overflowed.")
    mean, count = float(differences.mean()), len(differences)
    error = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    # What is the same everywhere, but for rounding, has no spread to resample.
    if error <= 1e-12 * max(1.0, abs(mean)):
        return Difference(mean, mean, mean, count, 0.0, ())
    ts = _studentised(differences, mean, seed)
    low, high = mean - error * np.quantile(ts, (0.975, 0.025))
    return Difference(mean, float(low), float(high), count, error, tuple(ts.tolist()))


def holm(chances: Mapping[str, float], level: float) -> frozenset[str]:
    """Name the claims that stand when all of them together may be wrong with probability `level`."""
    stand: set[str] = set()
    for place, (name, chance) in enumerate(sorted(chances.items(), key=lambda item: item[1])):
        if chance > level / (len(chances) - place):
            break
        stand.add(name)
    return frozenset(stand)


def _studentised(differences: np.ndarray, mean: float, seed: int) -> np.ndarray:
    count = len(differences)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    drawn = differences[picks]
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    usable = errors > 0
    return (drawn.mean(axis=1)[usable] - mean) / errors[usable]
