"""Judge a candidate by live answers: who meets it, and whether it is surely worse than the champion in the same time.

Pure functions over outcomes. A fault needs to be beyond chance (Fisher's exact test; for what sources support, the
error of a difference of means): looking again after every answer must not condemn a good model.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist, fmean, median, pstdev

# Chance at which a difference is taken to be one; small, because it is looked at again and again.
LEVEL = 0.01
# Sound answers that a champion is credited with where few were asked of it: two faults in a row are no proof yet.
CREDIT = 12
# Answers of each from which their speed, and what supports them, are compared.
COMPARED = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one live request: it failed, or said nothing; seconds for each token.

    `support` is how far the sources support what was said, from 0 to 1; None where it was shown none.
    """

    model_id: str
    failed: bool = False
    empty: bool = False
    pace: float = 0.0
    support: float | None = None


def meets_canary(request_id: str, percent: float) -> bool:
    """Tell whether a request is answered by the candidate: always the same for the same request."""
    drawn = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big")
    return drawn / 2**64 < percent / 100


def find_fault(
    candidate: Sequence[Outcome],
    champion: Sequence[Outcome],
    latency_margin: float,
    support_margin: float,
) -> str:
    """Say in what the candidate is surely worse than the champion; empty while it is not."""
    for name, mark in (("failed", "failed"), ("said nothing", "empty")):
        bad, known = (sum(getattr(o, mark) for o in each) for each in (candidate, champion))
        sound = max(len(champion) - known, CREDIT if len(champion) < CREDIT else 0)
        if _by_chance(bad, len(candidate), known, known + sound) < LEVEL:
            return f"{bad} of {len(candidate)} live requests {name}, and {known} of {len(champion)} of the champion's"
    return _slower(candidate, champion, latency_margin) or _less_supported(
        candidate, champion, support_margin
    )


def _slower(candidate: Sequence[Outcome], champion: Sequence[Outcome], margin: float) -> str:
    paces = [[o.pace for o in each if o.pace] for each in (candidate, champion)]
    if min(map(len, paces)) < COMPARED:
        return ""
    its, theirs = map(median, paces)
    if its <= theirs * (1 + margin):
        return ""
    return (
        f"it takes {its * 1000:.1f} ms a token, the champion {theirs * 1000:.1f} ms "
        f"(TWIN_GATE_LATENCY_MARGIN={margin:g})"
    )


def _less_supported(
    candidate: Sequence[Outcome], champion: Sequence[Outcome], margin: float
) -> str:
    """Say that sources support less of what it says, by more than a margin and beyond chance.

    Where they support next to nothing of the champion's words either, as of the smallest of models, none is worse.
    """
    seen = [[o.support for o in each if o.support is not None] for each in (candidate, champion)]
    if min(map(len, seen)) < COMPARED:
        return ""
    its, theirs = map(fmean, seen)
    # As if both said equally much that is true: what a difference by chance would be then.
    noise = pstdev([*seen[0], *seen[1]]) * sqrt(sum(1 / len(each) for each in seen))
    if theirs - its <= margin + NormalDist().inv_cdf(1 - LEVEL) * noise:
        return ""
    return (
        f"its sources support {its:.2f} of what it says, and {theirs:.2f} of what the champion says "
        f"(TWIN_GATE_GROUNDED_MARGIN={margin:g})"
    )


def _by_chance(bad: int, asked: int, known: int, of: int) -> float:
    """Return the chance of so many bad ones, or more, among `asked` if both were equally good."""
    ways = (
        comb(bad + known, k) * comb(asked + of - bad - known, asked - k)
        for k in range(bad, min(asked, bad + known) + 1)
    )
    return sum(ways) / comb(asked + of, asked)
