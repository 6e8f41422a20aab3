"""What a judge's word is worth, as a page without scripts: how it judged, and how it did where the truth is known.

It shows figures and no texts; the texts are in the record beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ml.judge import Judged, biases, sum_up
from ml.verdict_page import STYLE

WIDTH, ROW = 320, 26


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a judge: its name in `sum_up` or `biases`, its scale, and where a judge without fault stands."""

    name: str
    title: str
    low: float
    high: float
    ideal: float
    meaning: str


FIGURES = (
    Figure(
        "right", "correct", 0, 1, 1, "prefers the author's words, in both orders; a coin gets ¼"
    ),
    Figure("first_place", "pull of the first place", -0.5, 0.5, 0, "+½: whatever is named first"),
    Figure("length", "pull of length", -1, 1, 0, "so much oftener correct where the longer one is"),
    Figure(
        "same_in_both_orders", "agrees in both orders", 0, 1, 1, "who does not is sure of neither"
    ),
    Figure(
        "same_when_asked_again", "agrees when asked again", 0, 1, 1, "the same pair, another draw"
    ),
)
HEADS = ("", "better", "judged", "first order", "other order", "asked again", "words")


def draw_judgement(
    models: tuple[str, str],
    judged: Sequence[Judged],
    known: Sequence[Judged],
    facts: Mapping[str, object],
) -> str:
    """Return one HTML page of a judge's biases on `known` pairs, and of what it says of two models' answers."""
    listed = "".join(
        f"<tr><th>{escape(str(k).replace('_', ' '))}</th><td>{escape(_said(v))}</td></tr>"
        for k, v in facts.items()
    )
    pairs = "".join(_pair(number, j) for number, j in enumerate(known, start=1))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>What a judge's word is worth</title><style>{STYLE}</style><h1>What a judge's word is worth</h1>"
        f'<p class="soft">On {len(known)} pairs whose truth is known: the author\'s words, and the same words ironed '
        f"flat. The dashed line is a judge without fault, the dot this one.</p>{_figures(known)}"
        f"<table>{_outcomes(known)}</table><h2>What it says of the two models</h2>"
        f"<table>{_preferences(models, judged)}</table>"
        f"<h2>Who was asked, and about whom</h2><table>{listed}</table>"
        f"<h2>Pairs whose truth is known</h2><table>{_heads(HEADS)}{pairs}</table></html>"
    )


def _said(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{k} {v}" for k, v in fact.items())
    return str(fact)


def _figures(known: Sequence[Judged]) -> str:
    if all(j.side == "failed" for j in known):
        return '<p class="bad">It judged none of them, so nothing is known of its biases.</p>'
    measured = {**sum_up(known), **biases(known)}
    return f"<table>{''.join(_figure(f, measured[f.name]) for f in FIGURES)}</table>"


def _outcomes(known: Sequence[Judged]) -> str:
    """Count what came of the pairs whose truth is known."""
    sides = [j.side for j in known]
    right = sum(j.side == j.pair.truth for j in known)
    ties, failed = sides.count("tie"), sides.count("failed")
    wrong = len(known) - right - ties - failed
    counts = (len(known), right, wrong, ties, failed)
    return _heads(("pairs", "correct", "wrong", "tie", "failed")) + _cells(counts)


def _preferences(models: tuple[str, str], judged: Sequence[Judged]) -> str:
    """Count which model is preferred, and how far the judge agrees with itself about them."""
    said = sum_up(judged)
    counts = [f"{said[n]:.0f}" for n in ("pairs", "left", "right", "tie", "failed")]
    shares = [f"{said[n]:.2f}" for n in ("same_in_both_orders", "same_when_asked_again")]
    agrees = ("agrees in both orders", "agrees when asked again")
    return _heads(("pairs", *models, "tie", "failed", *agrees)) + _cells((*counts, *shares))


def _cells(values: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<td>{escape(str(v))}</td>' for v in values)}</tr>"


def _heads(names: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<th>{escape(n)}</th>' for n in names)}</tr>"


def _figure(figure: Figure, value: float) -> str:
    number = f"{value:.2f}" if figure.low == 0 else f"{value:+.2f}"
    return (
        f"<tr><th>{figure.title}</th><td>{_scale(figure, value)}</td>"
        f'<td>{number}<br><span class="soft">{escape(figure.meaning)}</span></td></tr>'
    )


def _scale(figure: Figure, value: float) -> str:
    """Draw where a judge stands, and where one without fault would."""

    def at(place: float) -> float:
        return round(10 + (WIDTH - 20) * (place - figure.low) / (figure.high - figure.low), 1)

    middle, ideal = ROW / 2, at(figure.ideal)
    label = f"{figure.title}: {value:.2f}, ideal {figure.ideal:g}"
    return (
        f'<svg width="{WIDTH}" height="{ROW}" role="img" aria-label="{label}">'
        f'<line x1="10" x2="{WIDTH - 10}" y1="{middle}" y2="{middle}" stroke="var(--soft)"/>'
        f'<line x1="{ideal}" x2="{ideal}" y1="2" y2="{ROW - 2}" stroke="var(--good)" stroke-dasharray="4 3"/>'
        f'<line x1="{ideal}" x2="{at(value)}" y1="{middle}" y2="{middle}" stroke="var(--bad)" stroke-width="3"/>'
        f'<circle cx="{at(value)}" cy="{middle}" r="5" fill="var(--ink)"/></svg>'
    )


def _pair(number: int, judged: Judged) -> str:
    pair = judged.pair
    colour = "good" if judged.side == pair.truth else "bad"
    lengths = f"{len(pair.left.split())} and {len(pair.right.split())}"
    said = (pair.truth or "", judged.side, judged.left_first, judged.right_first, judged.again)
    cells = "".join(f"<td>{s}</td>" for s in (*said, lengths))
    return f'<tr class="{colour}"><th>{number}</th>{cells}</tr>'
