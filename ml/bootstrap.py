"""Say how sure a mean difference is: the studentised bootstrap, one-sided where a claim is one-sided.

Plain percentile intervals are too short for a few dozen examples; dividing every resample by its own
standard error mends that. The bootstrap is bold where tails are heavy and Student's t where they are skewed,
so both have to agree. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12;
step-down correction with weights: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
# Shares of the resamples that show a gain which is seen four times in five: a few more, for what it takes to
# be sure varies from one sample to the next as well.
SEEN = 0.85
# Below this many pairs a resample is too often the same pair again and again.
FEWEST = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences, its 95% interval, and what is needed to test it against a bound.

    `resampled` are the studentised means of the resamples, in ascending order; `moved` and `errors` are how far their
    means are from the mean, and their standard errors.
    """

    mean: float
    low: float
    high: float
    pairs: int
    error: float
    resampled: tuple[float, ...]
    moved: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()

    def chance_not_below(self, bound: float) -> float:
        """Return the p-value of the claim that the true mean lies below a bound; 1 for too few pairs."""
        if self.pairs < FEWEST:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean < bound else 1.0
        reached = (self.mean - bound) / self.error
        as_low = bisect_right(self.resampled, reached)
        return max((as_low + 1) / (len(self.resampled) + 1), self._by_student(reached))

    def chance_not_above(self, bound: float) -> float:
        """Return the p-value of the claim that the true mean lies above a bound; 1 for too few pairs."""
        if self.pairs < FEWEST:
            return 1.0
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        reached = (self.mean - bound) / self.error
        as_high = len(self.resampled) - bisect_left(self.resampled, reached)
        return max((as_high + 1) / (len(self.resampled) + 1), self._by_student(-reached))

    def visible_gain(self, level: float) -> float:
        """Return the true gain that as many pairs, as uneven as these, would show four times in five.

        Each resample tells how large a gain would have to be there to be seen: where differences are skewed, the
        means that hide a gain come with the larger errors.
        """
        from scipy.special import stdtrit

        if not self.resampled:
            return 0.0
        sure = min(np.quantile(self.resampled, level), stdtrit(self.pairs - 1, level))
        return float(np.quantile(np.array(self.moved) - sure * np.array(self.errors), SEEN))

    def _by_student(self, reached: float) -> float:
        from scipy.special import stdtr

        return float(stdtr(self.pairs - 1, reached))


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
    moved, errors = _resample(differences, mean, seed)
    ts = moved / errors
    low, high = mean - error * np.quantile(ts, (0.975, 0.025))
    resampled = (tuple(values.tolist()) for values in (np.sort(ts), moved, errors))
    return Difference(mean, float(low), float(high), count, error, *resampled)


def holm(
    chances: Mapping[str, float], level: float, weights: Mapping[str, float] | None = None
) -> frozenset[str]:
    """Name the claims that stand when all of them together may be wrong with probability `level`.

    `weights` say how the level is shared: what matters most, or varies least, may have the larger part.
    """
    share = {name: (weights or {}).get(name, 1.0) for name in chances}
    stand: set[str] = set()
    for name in sorted(chances, key=lambda n: chances[n] / share[n]):
        left = sum(share[n] for n in chances if n not in stand)
        if chances[name] > level * share[name] / left:
            break
        stand.add(name)
    return frozenset(stand)


def _resample(differences: np.ndarray, mean: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the means of resamples are from the mean, and their standard errors."""
    count = len(differences)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    drawn = differences[picks]
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    usable = errors > 0
    return drawn.mean(axis=1)[usable] - mean, errors[usable]
