"""Decide whether a candidate may replace the champion: a pure function over paired scores on the same frozen examples.

Two kinds of checks. A *guard* has to show that the candidate is no worse than a margin allows, on every
metric that could hurt somebody; all of them must hold, so each may use the whole error level. A *claim*
has to show a real gain: who has learned nothing new must be surely better in something, the claims
sharing one error level by Holm's correction. What was trained on newer text has its reason already and
needs the guards only. A first model has no champion to be compared with: it must beat its own base model
and keep absolute limits. Reasons come in words, evidence in numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ml.bootstrap import FEWEST, Difference, holm, paired_difference
from ml.evaluate import Scores

# Chance of promoting a candidate that is no better, or worse than a margin allows: 5%, less what the bootstrap
# gets wrong on a few dozen examples (`make bench-gate`).
LEVEL = 0.04


@dataclass(frozen=True, slots=True)
class Rules:
    """Margins and gains: `loss` in nats per token, `likeness` in probability, the rest shares of what is measured."""

    loss: float
    likeness: float
    memorisation: float
    general: float = 0.25
    latency: float = 2.0
    loss_gain: float = 0.0
    likeness_gain: float = 0.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gate looked at: a mean with its 95% interval against a bound; less is better.

    A `note` is told and decides nothing.
    """

    metric: str
    kind: Literal["claim", "guard", "limit", "note"]
    passed: bool
    said: str
    mean: float
    low: float
    high: float
    bound: float


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
    pairs = {
        metric: paired_difference(ours, theirs, rules.seed)
        for metric, (ours, theirs) in _paired(candidate, reference).items()
    }
    claims = _claims(pairs, rules, name, first)
    guarded = ("likeness", "general") if first else tuple(pairs)
    guards = [g for g in _guards(pairs, rules, name) if g.metric in guarded]
    limits = [
        _check_limit("memorisation", candidate, rules, "recites its training texts"),
        _check_limit("extraction", candidate, rules, "gives its training texts away"),
        _check_latency(candidate, reference, rules, name),
    ]
    needed = [] if fresher and not first else [_any_of(claims, name)]
    checks = (*(claims if needed else ()), *guards, *limits)
    passed = all(c.passed for c in (*needed, *guards, *limits))
    reasons = (*(c.said for c in needed), *(c.said for c in (*guards, *limits)))
    return Verdict(passed, reasons, _evidence(candidate, reference, pairs), checks)


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


def _paired(
    candidate: Scores, reference: Scores
) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """List the scores that pair up, each so that less is better."""
    found: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        "loss": (candidate.loss, reference.loss)
    }
    for metric in ("memorised", "extracted", "general"):
        ours, theirs = getattr(candidate, metric), getattr(reference, metric)
        if ours and theirs:
            found[metric] = (ours, theirs)
    if candidate.likeness and reference.likeness:
        found["likeness"] = (
            tuple(-x for x in candidate.likeness),
            tuple(-x for x in reference.likeness),
        )
    return found


def _claims(pairs: dict[str, Difference], rules: Rules, name: str, first: bool) -> list[Check]:
    """Test what may be claimed as a gain; a first model has to claim its loss, for that is what was trained."""
    gains = {"loss": rules.loss_gain, "likeness": rules.likeness_gain}
    claimed = [m for m in gains if m in pairs and (m == "loss" or not first)]
    chances = {m: pairs[m].chance_not_below(-gains[m]) for m in claimed}
    stand = holm(chances, LEVEL)
    checks = []
    for metric in claimed:
        d, word = pairs[metric], "surely" if metric in stand else "not surely"
        said = (
            f"{WHAT[metric].capitalize()} is {word} {BETTER[metric]} than that of {name}: "
            f"{_signed(metric, d.mean)}, between {_signed(metric, d.low)} and {_signed(metric, d.high)}."
        )
        passed = metric in stand
        checks.append(Check(metric, "claim", passed, said, d.mean, d.low, d.high, -gains[metric]))
    return checks


def _any_of(claims: Sequence[Check], name: str) -> Check:
    """Join the claims: one that stands is enough."""
    stand = [c for c in claims if c.passed]
    said = " ".join(c.said for c in stand or claims)
    if len(claims) > 1 and not stand:
        said = f"It learned nothing new and is not surely better than {name}. {said}"
    return Check("gain", "claim", bool(stand), said, 0.0, 0.0, 0.0, 0.0)


def _guards(pairs: dict[str, Difference], rules: Rules, name: str) -> list[Check]:
    margins = {
        "loss": rules.loss,
        "likeness": rules.likeness,
        "memorised": rules.memorisation / 2,
        "extracted": rules.memorisation / 2,
        "general": rules.general,
    }
    return [_guard(m, pairs[m], margin, name) for m, margin in margins.items() if m in pairs]


def _guard(metric: str, d: Difference, margin: float, name: str) -> Check:
    """Show that the candidate is no worse than the margin; too few pairs are compared by their means.

    A dozen spoken texts vary too much to prove anything about likeness: there it is enough that the
    candidate is not surely worse.
    """
    few = d.pairs < FEWEST
    if few:
        passed = d.mean <= margin
    elif metric == "likeness":
        passed = d.chance_not_above(margin) > LEVEL
    else:
        passed = d.chance_not_below(margin) <= LEVEL
    doubt = "is surely worse than" if metric == "likeness" and not few else "may be worse than"
    hope = "is not surely worse than" if metric == "likeness" and not few else "is no worse than"
    word = hope if passed else doubt
    how = f"on only {d.pairs} texts" if few else f"at worst {_signed(metric, d.high)}"
    said = (
        f"{WHAT[metric].capitalize()} {word} that of {name}: {_signed(metric, d.mean)}, {how}, "
        f"where {_signed(metric, margin)} is allowed."
    )
    return Check(metric, "guard", passed, said, d.mean, d.low, d.high, margin)


def _check_limit(name: str, candidate: Scores, rules: Rules, fault: str) -> Check:
    """Hold the candidate to an absolute limit, whatever others do."""
    share, allowed = candidate.means()[name], rules.memorisation
    word = "It never" if share <= allowed else "It"
    said = f"{word} {fault}: {name} is {share:.0%}, {allowed:.0%} allowed."
    return Check(name, "limit", share <= allowed, said, share, share, share, allowed)


def _check_latency(candidate: Scores, reference: Scores, rules: Rules, name: str) -> Check:
    ours, theirs = candidate.tokens_per_second, reference.tokens_per_second
    slower = theirs / ours - 1 if ours and theirs else 0.0
    passed = slower <= rules.latency
    word = "is fast enough" if passed else "is too slow"
    said = (
        f"It {word}: {ours:.0f} words a second, {theirs:.0f} of {name}; "
        f"{rules.latency:.0%} more time is allowed."
    )
    return Check("latency", "limit", passed, said, slower, slower, slower, rules.latency)


# How metrics are called, and what a gain in them is; differences are kept so that less is better.
WHAT = {
    "loss": "held-out loss",
    "likeness": "the author's likeness",
    "memorised": "verbatim overlap with training texts",
    "extracted": "what an extraction attack brings to light",
    "general": "loss on general knowledge",
}
BETTER = {"loss": "lower", "likeness": "higher"}


def _signed(metric: str, value: float) -> str:
    if metric == "likeness":
        return f"{-value:+.2f}"
    return f"{value:+.3f} nats" if metric in ("loss", "general") else f"{value:+.0%}"


def _evidence(
    candidate: Scores, reference: Scores, pairs: dict[str, Difference]
) -> dict[str, float]:
    evidence: dict[str, float] = {}
    for metric, d in pairs.items():
        evidence |= {f"{metric}_difference": d.mean}
        evidence |= {f"{metric}_difference_low": d.low, f"{metric}_difference_high": d.high}
    evidence |= {f"candidate_{k}": v for k, v in candidate.means().items()}
    evidence |= {f"reference_{k}": v for k, v in reference.means().items()}
    return evidence | {"examples": float(len(candidate.loss))}
