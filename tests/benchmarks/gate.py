"""Simulate the gate: how often it promotes what is no better, and how often it sees a real gain.

    python tests/benchmarks/gate.py [--runs 1000]

Every row draws pairs of scores as an evaluation would give them, per-example losses with heavy or skewed
tails, likeness and groundedness of a dozen texts, attacks of which one in thirty works, and asks the gate.
Beside it stands the plain rule that most projects use: promote when the mean loss is lower. What gain can be seen
depends on how many examples there are (`GAINS`) and how uneven they are; a verdict that sees none says which one its
own examples show four times in five, and a table holds it to that. The last one is of time: how often it
holds a model back, on machines that are more or less busy, beside the plain rule that compares all seconds.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ml.bootstrap import paired_difference
from ml.checks import CLAIMED, latency
from ml.evaluate import Scores
from ml.gate import LEVEL, Rules, decide

RULES = Rules(loss=0.05, likeness=0.05, memorisation=0.5)
# The real gain in nats, by the number of examples, that the gate is said to see four times in five whatever the spread.
GAINS = {40: 0.075, 60: 0.05, 120: 0.035}
EXAMPLES = tuple(GAINS)
# Texts that are spoken, and the words of each.
SPOKEN, WORDS = 12, 24
Draw = Callable[[np.random.Generator, int], np.ndarray]

# How the difference of two losses is spread over examples, in nats; the standard deviation is 0.1 everywhere.
SPREADS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(0, 0.1, n),
    "heavy tails": lambda rng, n: rng.standard_t(4, n) * 0.1 / np.sqrt(2),
    "skewed": lambda rng, n: (rng.exponential(1, n) - 1) * 0.1,
}

# How the clock varies: the standard deviation of the logarithm from text to text, and from one model's turn to the
# next; how many texts fall into a pause, and how much longer they take. Only the first was measured: of `tiny`, on two
# busy cores.
MACHINES = {
    "as measured": (0.15, 0.15, 0.0, 1.0),
    "twice as uneven": (0.3, 0.3, 0.0, 1.0),
    "with pauses": (0.15, 0.15, 0.05, 10.0),
}


def pair(
    rng: np.random.Generator, draw: Draw, examples: int, shift: float
) -> tuple[Scores, Scores]:
    """Draw the scores of a candidate and of a champion; `shift` is the true difference of their losses."""
    champion = rng.normal(3.0, 0.5, examples)
    candidate = champion + draw(rng, examples) + shift
    likeness = np.clip(rng.normal(0.7, 0.1, 12), 0, 1)
    likeness = [np.clip(likeness + rng.normal(0, 0.3, 12), 0, 1) for _ in range(2)]
    made = [
        Scores(
            tuple(loss),
            tuple(like),
            tuple(rng.uniform(0, 0.1, 12)),
            50.0,
            extracted=tuple(rng.uniform(0, 0.1, 8)),
            general=tuple(5 + rng.normal(0, 0.05, 24)),
            grounded=tuple(np.clip(rng.normal(0.4, 0.15, 12), 0, 1)),
            unsafe=tuple((rng.random(32) < 0.03).astype(float)),
            # Of a stream of its own: what else is drawn stays the same.
            **spoken(rng.spawn(1)[0], "as measured", 1.0),
        )
        for loss, like in zip((candidate, champion), likeness, strict=True)
    ]
    return made[0], made[1]


def spoken(rng: np.random.Generator, machine: str, slower: float) -> dict[str, Any]:
    """Draw what a model said and how long that took, where it takes `slower` times as long as others do."""
    text, turn, pauses, longer = MACHINES[machine]
    paces = slower * 0.02 * np.exp(rng.normal(0, text, SPOKEN) + rng.normal(0, turn))
    seconds = paces * WORDS * np.where(rng.random(SPOKEN) < pauses, longer, 1.0)
    said = [("", "word " * WORDS)] * SPOKEN
    return {"samples": said, "seconds": tuple(seconds), "tokens": (WORDS,) * SPOKEN}


def held_back(machine: str, slower: float, margin: float, runs: int) -> tuple[float, float]:
    """Return how often the gate finds a model too slow, and how often a comparison of all seconds would."""
    rng, rules = np.random.default_rng(13), replace(RULES, latency=margin)
    ours = theirs = 0
    for _ in range(runs):
        both = [Scores((), (), (), 50.0, **spoken(rng, machine, s)) for s in (slower, 1.0)]
        ours += not latency(both[0], both[1], rules, "the champion").passed
        theirs += sum(both[0].seconds) / sum(both[1].seconds) > 1 + margin
    return ours / runs, theirs / runs


def rates(
    draw: Draw, examples: int, shift: float, runs: int, *, fresher: bool
) -> tuple[float, float]:
    """Return how often the gate promotes, and how often a lower mean loss would."""
    rng = np.random.default_rng(7)
    ours = theirs = 0
    for _ in range(runs):
        candidate, champion = pair(rng, draw, examples, shift)
        ours += decide(candidate, champion, RULES, first=False, fresher=fresher).promote
        theirs += np.mean(candidate.loss) < np.mean(champion.loss)
    return ours / runs, theirs / runs


def said_and_seen(draw: Draw, examples: int, runs: int) -> tuple[float, float]:
    """Return the mean gain that verdicts say their examples show, and how often such a gain is claimed."""
    rng, level = np.random.default_rng(11), LEVEL * CLAIMED["loss"]
    zero = np.zeros(examples)
    said = np.mean(
        [paired_difference(draw(rng, examples), zero, 7).visible_gain(level) for _ in range(runs)]
    )
    tries = (paired_difference(draw(rng, examples) - said, zero, 7) for _ in range(runs))
    return float(said), sum(d.chance_not_below(0) <= level for d in tries) / runs


# What is claimed, the true difference in nats (None: the gain said above), whether newer text was learned, and what
# the gate should do.
CASES = (
    ("nothing changed", 0.0, False, "≤ 5%"),
    ("a real gain, as said above", None, False, "≥ 80%"),
    ("newer text, as bad as the margin (+0.05)", 0.05, True, "≤ 5%"),
    ("newer text, just as good", 0.0, True, "≥ 80%"),
    ("newer text, worse by 0.10", 0.10, True, "≤ 5%"),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    table = Table(title=f"Share of candidates that are promoted, {runs} simulated evaluations each")
    for column in ("case", "spread", "examples", "gate", "wanted", "lower mean loss"):
        table.add_column(column)
    for case, shift, fresher, wanted in CASES:
        for name, draw in SPREADS.items():
            for examples in EXAMPLES:
                true = -GAINS[examples] if shift is None else shift
                ours, theirs = rates(draw, examples, true, runs, fresher=fresher)
                told = f"{case}: {-true:.3f} nats" if shift is None else case
                table.add_row(told, name, str(examples), f"{ours:.1%}", wanted, f"{theirs:.1%}")
    Console(width=120).print(table)
    visible = Table(title="The gain that a verdict says its examples show four times in five")
    for column in ("spread", "examples", "said, nats", "claimed"):
        visible.add_column(column)
    for name, draw in SPREADS.items():
        for examples in EXAMPLES:
            said, seen = said_and_seen(draw, examples, runs)
            visible.add_row(name, str(examples), f"{said:.3f}", f"{seen:.1%}")
    Console(width=120).print(visible)
    Console(width=120).print(_times(runs))


def _times(runs: int) -> Table:
    table = Table(title="Share of candidates that are held back for their time, of twelve texts")
    for column in ("machine", "margin", "takes", "gate", "wanted", "all seconds"):
        table.add_column(column)
    for machine in MACHINES:
        for margin in (1.0, 2.0):
            for times, wanted in ((0.0, "≤ 2%"), (1.0, "-"), (2.0, "≥ 75%"), (3.0, "≥ 90%")):
                slower = 1 + times * margin
                ours, theirs = held_back(machine, slower, margin, runs)
                row = (machine, f"{margin:.0%}", f"{slower:.0f} times as long")
                table.add_row(*row, f"{ours:.1%}", wanted, f"{theirs:.1%}")
    return table


if __name__ == "__main__":
    main()
