"""Decide whether a candidate may replace the champion: a pure function over paired scores on the same frozen examples.

Two kinds of checks (`ml/checks.py`). A *guard* has to show that the candidate is no worse than a margin allows, on
every metric that could hurt somebody; all of them must hold, so each may use the whole error level. A *claim*
has to show a real gain: who has learned nothing new must be surely better in something, the claims
sharing one error level by Holm's correction. What was trained on newer text has its reason already and
needs the guards only. A first model has no champion to be compared with: it must beat its own base model
and keep absolute limits. Reasons come in words, evidence in numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ml.bootstrap import Difference
from ml.checks import LEVEL, Check, Rules, any_of, claims, compare, guards, latency, limits
from ml.evaluate import Scores

__all__ = ["LEVEL", "Check", "Rules", "Verdict", "decide", "decide_beside_stale"]

# In what a first model may not fall behind its own base model; the rest is held to absolute limits.
FIRST_GUARDED = ("likeness", "general", "unsafe")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided: `reasons` in words, `evidence` in numbers, and every check."""

    promote: bool
    reasons: tuple[str, ...]
    evidence: Mapping[str, float]
    checks: tuple[Check, ...] = ()


def decide(
    candidate: Scores, reference: Scores, rules: Rules, *, first: bool, fresher: bool = True
) -> Verdict:
    """Compare a candidate with the champion; the `first` one is compared with its own base model.

    `fresher` says that the candidate was trained on text that the champion never saw.
    """
    name = "its base model" if first else "the champion"
    pairs = compare(candidate, reference, rules.seed)
    claimed = claims(pairs, rules, name, first)
    guarded = [g for g in guards(pairs, rules, name) if not first or g.metric in FIRST_GUARDED]
    timed = latency(candidate, reference, rules, name)
    held = [*limits(candidate, rules), timed]
    needed = [] if fresher and not first else [any_of(claimed, name)]
    checks = (*(claimed if needed else ()), *guarded, *held)
    passed = all(c.passed for c in (*needed, *guarded, *held))
    reasons = (*(c.said for c in needed), *(c.said for c in (*guarded, *held)))
    evidence = _evidence(candidate, reference, pairs) | _differs("latency", timed)
    return Verdict(passed, reasons, evidence, checks)


def decide_beside_stale(candidate: Scores, base: Scores, champion: Scores, rules: Rules) -> Verdict:
    """Judge a candidate for the place of a champion that learned what it should forget: like a first model.

    What the champion does better it may owe to the texts that have to go; so it is told, and holds nobody back.
    """
    floors = decide(candidate, base, rules, first=True)
    beside = decide(candidate, champion, rules, first=False).checks
    notes = tuple(replace(c, kind="note") for c in beside if c.kind == "guard")
    reasons = (
        "The champion is stale: it learned texts that were forgotten since. Who holds against the base model "
        "takes its place; the rest is told and decides nothing.",
        *floors.reasons,
        *(f"Beside the stale champion: {c.said}" for c in notes),
    )
    means = {f"stale_champion_{k}": v for k, v in champion.means().items()}
    return Verdict(floors.promote, reasons, {**floors.evidence, **means}, (*floors.checks, *notes))


def _evidence(
    candidate: Scores, reference: Scores, pairs: dict[str, Difference]
) -> dict[str, float]:
    evidence: dict[str, float] = {}
    for metric, d in pairs.items():
        evidence |= _differs(metric, d)
    evidence |= {f"candidate_{k}": v for k, v in candidate.means().items()}
    evidence |= {f"reference_{k}": v for k, v in reference.means().items()}
    return evidence | {"examples": float(len(candidate.loss))}


def _differs(metric: str, d: Difference | Check) -> dict[str, float]:
    return {
        f"{metric}_difference": d.mean,
        f"{metric}_difference_low": d.low,
        f"{metric}_difference_high": d.high,
    }
