"""Trainings side by side: their curves in one picture each, and what they did by which recipe in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from ml.curve_picture import COLOURS, Series, draw_curves
from ml.verdict_page import STYLE

# What is drawn, in this order, where any training has it.
DRAWN = {
    "sft/loss": "Loss of learning the answers",
    "sft/heldout_loss": "Held-out loss on the way",
    "dpo/loss": "Loss of preferring them",
    "sft/grad_norm": "Gradient norm",
}


@dataclass(frozen=True, slots=True)
class Training:
    """One finished training: what it is called, how it was made, what was measured, and its curves by step."""

    name: str
    facts: Mapping[str, object]
    metrics: Mapping[str, object]
    curve: Sequence[Mapping[str, float]] = field(default=())


def columns(trainings: Sequence[Training]) -> list[str]:
    """Name the facts in which trainings differ, and all metrics: what a table has to show."""
    facts = dict.fromkeys(n for t in trainings for n in t.facts)
    told = [n for n in facts if len({str(t.facts.get(n)) for t in trainings}) > 1]
    return [*told, *dict.fromkeys(n for t in trainings for n in t.metrics)]


def table(trainings: Sequence[Training]) -> list[list[object]]:
    """List the trainings by those columns, the name first."""
    names = columns(trainings)
    return [[t.name, *({**t.facts, **t.metrics}.get(n, "") for n in names)] for t in trainings]


def draw_runs(trainings: Sequence[Training]) -> str:
    """Return the comparison as one HTML page."""
    colours = [COLOURS[n % len(COLOURS)] for n in range(len(trainings))]
    drawn = {title: _series(trainings, colours, name) for name, title in DRAWN.items()}
    pictures = "".join(
        f"<h2>{escape(title)}</h2>{draw_curves(curves, title)}"
        for title, curves in drawn.items()
        if any(c.points for c in curves)
    )
    heads = "".join(f"<th>{escape(n)}</th>" for n in ("training", *columns(trainings)))
    rows = "".join(
        f'<tr><td><span style="color:{colour}">●</span> {_cells(row)}</tr>'
        for colour, row in zip(colours, table(trainings), strict=True)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Trainings</title><style>{STYLE}</style><h1>Trainings</h1>"
        '<p class="soft">What is the same for all of them is not shown.</p>'
        f"<table><tr>{heads}</tr>{rows}</table>{pictures}</html>"
    )


def _series(trainings: Sequence[Training], colours: Sequence[str], name: str) -> list[Series]:
    return [
        Series(t.name, [(line["step"], line[name]) for line in t.curve if name in line], colour, 2)
        for t, colour in zip(trainings, colours, strict=True)
    ]


def _cells(row: Sequence[object]) -> str:
    said = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row)
    return "</td><td>".join(map(escape, said)) + "</td>"
