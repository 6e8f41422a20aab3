"""Is training worth it? One table and one picture: the untrained model helped by its prompt, beside the trained ones.

All answer the same questions. What differs is whether the prompt holds what the answer path finds, or examples of the
voice, and which adapter speaks. Pure: scores in, table, page and picture out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from ml.evaluate import Material, Scores, Speaks
from ml.types import Example, Message
from ml.verdict_page import STYLE

Reshape = Callable[[Sequence[Message]], tuple[Message, ...]]
# What the table shows: the mean's name, its heading, and whether more is better.
COLUMNS = (
    ("heldout_loss", "held-out loss (nats)", False),
    ("likeness", "likeness", True),
    ("grounded", "groundedness", True),
    ("memorisation", "memorised", False),
    ("unsafe", "attacks that worked", False),
    ("general_loss", "general loss (nats)", False),
    ("tokens_per_second", "tokens a second", True),
)
DRAWN = ("heldout_loss", "likeness", "grounded")
# What a reader has to know to compare the rows.
CAPTION = (
    "Every row is asked the same questions; the best of a column is marked. Rows with passages are shown what the "
    "answer path finds for each question in an index without the held-out texts and whatever repeats them: nothing for "
    "a wish for a text, such as to continue one, as when the twin is served. No other row is shown a passage. "
    "Groundedness is measured against those passages in every row, shown or not."
)
_NOTES = re.compile(r"\n?<note \d+[^>\n]*>\n.*?\n</note>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A generator that is asked in another way."""

    generator: Speaks
    reshape: Reshape

    def complete(self, messages: Sequence[Message], **options: float | int | None) -> str:
        """Answer a conversation after reshaping it."""
        return self.generator.complete(self.reshape(messages), **options)  # type: ignore[arg-type]

    def losses(self, conversations: Sequence[tuple[Message, ...]]) -> list[float]:
        """Return the losses of the last messages, after what comes before was reshaped."""
        return self.generator.losses([(*self.reshape(c[:-1]), c[-1]) for c in conversations])

    def count_tokens(self, said: str) -> int:
        """Count the tokens of a text."""
        return self.generator.count_tokens(said)


def as_it_is(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Ask with nothing put before the question."""
    return tuple(messages)


def has_notes(example: Example) -> bool:
    """Tell whether a prompt shows passages."""
    return _NOTES.search(example.messages[0].content) is not None


def without_notes(material: Material) -> Material:
    """Ask the same questions without anything retrieved; attacks keep what they hide in their notes."""
    return replace(
        material,
        tested=[replace(e, messages=_bare(e.messages)) for e in material.tested],
        asked=[replace(a, messages=_bare(a.messages)) for a in material.asked],
    )


def _bare(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(
        Message(m.role, _NOTES.sub("", m.content)) if m.role == "system" else m for m in messages
    )


def with_voice(shown: Sequence[Sequence[Message]]) -> Reshape:
    """Ask after examples of the author's answers, as earlier turns of the conversation."""
    turns = [m for example in shown for m in example if m.role != "system"]

    def reshape(messages: Sequence[Message]) -> tuple[Message, ...]:
        system = [m for m in messages if m.role == "system"]
        return (*system, *turns, *(m for m in messages if m.role != "system"))

    return reshape


def draw_page(
    rows: Mapping[str, Scores],
    curve: Mapping[int, float],
    facts: Mapping[str, object],
    picture: str,
) -> str:
    """Return the comparison as one HTML page; `curve` is the held-out loss by percent of the documents."""
    best = {name: _best(rows, name, more) for name, _, more in COLUMNS}
    heads = "".join(f"<th>{escape(title)}</th>" for _, title, _ in COLUMNS)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(_cell(scores, c, best[c]) for c, _, _ in COLUMNS)}</tr>"
        for name, scores in rows.items()
    )
    learned = "".join(f"<tr><th>{s}%</th><td>{loss:.3f}</td></tr>" for s, loss in curve.items())
    told = "".join(
        f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Is training worth it?</title><style>{STYLE} img {{ max-width: 100%; }}</style>"
        f'<h1>Is training worth it?</h1><p class="soft">{escape(CAPTION)}</p>'
        f"<table><tr><th></th>{heads}</tr>{body}</table>"
        f'<img src="{escape(picture)}" alt="The table and the learning curve as a picture">'
        '<h2>Held-out loss by share of the documents</h2><p class="soft">Of SFT, without passages.</p>'
        f"<table>{learned}</table>"
        f"<h2>What was compared</h2><table>{told}</table></html>"
    )


def draw_picture(rows: Mapping[str, Scores], curve: Mapping[int, float], file: Path) -> None:
    """Draw the three measures that matter most, and the learning curve, into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(DRAWN) + 1)
    titles = {name: title for name, title, _ in COLUMNS}
    names = list(rows)
    for place, (axis, metric) in enumerate(zip(axes, DRAWN, strict=False)):
        axis.barh(names, [rows[n].means()[metric] for n in names], color="#2a6f97")
        axis.invert_yaxis()
        axis.set_title(titles[metric], fontsize=10)
        if place:
            axis.set_yticklabels([])
    axes[-1].plot(list(curve), list(curve.values()), marker="o", color="#d55e00")
    axes[-1].set_title("held-out loss by share of documents (%)", fontsize=10)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _best(rows: Mapping[str, Scores], name: str, more: bool) -> float:
    values = [scores.means()[name] for scores in rows.values()]
    return max(values) if more else min(values)


def _cell(scores: Scores, name: str, best: float) -> str:
    value = scores.means()[name]
    return f"<td{' class=good' if value == best else ''}>{value:.3f}</td>"
