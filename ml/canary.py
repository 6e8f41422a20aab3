"""Judge a candidate by live answers: who meets it, and whether it is surely worse than the champion in the same time.

Pure functions over outcomes. A fault needs to be beyond chance (Fisher's exact test): looking again after every
answer must not condemn a good model.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

# Chance at which a difference is taken to be one; small, because it is looked at again and again.
LEVEL = 0.01
# Sound answers that a champion is credited with where few were asked of it: two faults in a row are no proof yet.
CREDIT = 12
# Answers of each from which their speed is compared.
TIMED = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one live request: it failed, or said nothing; seconds for each token."""

    model_id: str
    failed: bool = False
    empty: bool = False
    pace: float = 0.0


def meets_canary(request_id: str, percent: float) -> bool:
    """Tell whether a request is answered by the candidate: always the same for the same request."""
    drawn = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big")
    return drawn / 2**64 < percent / 100


def find_fault(
    candidate: Sequence[Outcome], champion: Sequence[Outcome], latency_margin: float
) -> str:
    """Say in what the candidate is surely worse than the champion; empty while it is not."""
    for name, mark in (("failed", "failed"), ("said nothing", "empty")):
        bad, known = (sum(getattr(o, mark) for o in each) for each in (candidate, champion))
        sound = max(len(champion) - known, CREDIT if len(champion) < CREDIT else 0)
        if _by_chance(bad, len(candidate), known, known + sound) < LEVEL:
            return f"{bad} of {len(candidate)} live requests {name}, and {known} of {len(champion)} of the champion's"
    paces = [[o.pace for o in each if o.pace] for each in (candidate, champion)]
    if min(map(len, paces)) >= TIMED:
        its, theirs = map(median, paces)
        if its > theirs * (1 + latency_margin):
            return (
                f"it takes {its * 1000:.1f} ms a token, the champion {theirs * 1000:.1f} ms "
                f"(TWIN_GATE_LATENCY_MARGIN={latency_margin:g})"
            )
    return ""


def _by_chance(bad: int, asked: int, known: int, of: int) -> float:
    """Return the chance of so many bad ones, or more, among `asked` if both were equally good."""
    ways = (
        comb(bad + known, k) * comb(asked + of - bad - known, asked - k)
        for k in range(bad, min(asked, bad + known) + 1)
    )
    return sum(ways) / comb(asked + of, asked)
