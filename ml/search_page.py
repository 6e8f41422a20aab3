"""A search for a recipe as a page: every trial's held-out loss as a line and in a table, without scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from ml.curve_picture import Series, draw_curves
from ml.space import Value
from ml.verdict_page import STYLE

Ended = Literal["finished", "ended early", "failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search. `losses` are (step, held-out loss) on the way, `loss` the last of them.

    It ended early where it fell behind, or the time was up. `usual` marks the trial of the recipe that
    one would have taken without a search.
    """

    id: str
    values: Mapping[str, Value]
    losses: tuple[tuple[int, float], ...]
    ended: Ended
    seconds: float
    error: str = ""
    usual: bool = False

    @property
    def loss(self) -> float:
        """Return the last held-out loss; without end where there is none."""
        return self.losses[-1][1] if self.losses else float("inf")

    @property
    def steps(self) -> int:
        """Return how far it came."""
        return self.losses[-1][0] if self.losses else 0


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Return the finished trial with the least loss; where the time was too short, one of those that got furthest."""
    judged = [t for t in trials if t.losses and t.ended != "failed"]
    if not judged:
        errors = "; ".join(sorted({t.error for t in trials if t.error})) or "the time was too short"
        raise RuntimeError(
            f"None of {len(trials)} trials was judged: {errors}. Give the search more minutes or another space."
        )
    finished = [t for t in judged if t.ended == "finished"]
    furthest = max(t.steps for t in judged)
    return min(finished or [t for t in judged if t.steps == furthest], key=lambda t: (t.loss, t.id))


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """List the trials, the furthest and best first."""
    return sorted(trials, key=lambda t: (t.ended != "finished", -t.steps, t.loss, t.id))


def draw_search(trials: Sequence[Trial], facts: Mapping[str, object]) -> str:
    """Return a search as one HTML page."""
    best, names = best_trial(trials), sorted({n for t in trials for n in t.values})
    heads = "".join(f"<th>{escape(n)}</th>" for n in ("trial", *names, "steps", "loss", "ended"))
    rows = "".join(_row(t, names, t is best) for t in ranked(trials))
    listed = "".join(
        f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Search for a recipe</title><style>{STYLE}</style><h1>Search for a recipe</h1>"
        f'<table>{listed}</table><h2>Held-out loss by step</h2><p class="soft">The thick line is the best trial, the '
        f"dashed one the recipe that would have been taken without a search.</p>{_curves(trials, best)}"
        f"<h2>Trials</h2><table><tr>{heads}</tr>{rows}</table></html>"
    )


def _row(trial: Trial, names: Sequence[str], best: bool) -> str:
    said = f"{trial.ended}: {trial.error}" if trial.error else trial.ended
    name = trial.id + (" (usual)" if trial.usual else "") + (" (best)" if best else "")
    loss = f"{trial.loss:.4f}" if trial.losses else "none"
    values = [_said(trial.values.get(n, "")) for n in names]
    cells = "".join(f"<td>{escape(c)}</td>" for c in (name, *values, str(trial.steps), loss, said))
    return f'<tr class="{"good" if best else ""}">{cells}</tr>'


def _said(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _curves(trials: Sequence[Trial], best: Trial) -> str:
    """Draw every trial's held-out losses over its steps."""
    drawn = [
        Series(
            t.id,
            t.losses,
            "var(--good)" if t is best else "var(--soft)",
            4 if t is best else 1.2,
            t.usual,
        )
        for t in trials
    ]
    return draw_curves(drawn, "held-out loss")
