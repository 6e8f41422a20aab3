"""Draw what a dataset is made of: samples by task, lengths of answers, and both lengths of every pair."""

from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from ml.types import Example, Preference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"train": "#0072b2", "test": "#d55e00"}


def draw_samples(
    examples: Sequence[Example], preferences: Sequence[Preference]
) -> dict[str, bytes]:
    """Draw the pictures of a dataset's card; returns PNG files by their names."""
    return {
        "tasks.png": _draw(lambda axes: _tasks(axes, examples)),
        "answers.png": _draw(lambda axes: _answers(axes, examples)),
        "pairs.png": _draw(lambda axes: _pairs(axes, preferences)),
    }


def _draw(fill: "Callable[[Axes], None]") -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=100)
    # Room for the labels, said beforehand: to find out takes as long as to draw.
    axes = figure.add_axes((0.16, 0.13, 0.81, 0.78))
    fill(axes)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    drawn = BytesIO()
    # Without a version of the program in it, the same samples make the same file.
    figure.savefig(drawn, format="png", metadata={"Software": None})
    return drawn.getvalue()


def _tasks(axes: "Axes", examples: Sequence[Example]) -> None:
    counts = Counter[tuple[str, str]]((e.split, e.task) for e in examples)
    tasks = sorted({e.task for e in examples})
    left = [0] * len(tasks)
    for split, colour in COLOURS.items():
        width = [counts[split, task] for task in tasks]
        axes.barh(tasks, width, left=left, color=colour, label=split)
        left = [a + b for a, b in zip(left, width, strict=True)]
    axes.set(xlabel="samples")
    axes.set_title("Samples by task", loc="left")


def _answers(axes: "Axes", examples: Sequence[Example]) -> None:
    words = {
        split: [len(e.messages[-1].content.split()) for e in examples if e.split == split]
        for split in COLOURS
    }
    axes.hist([*words.values()], bins=24, stacked=True, color=[*COLOURS.values()], label=[*words])
    axes.set(xlabel="words of an answer", ylabel="samples")
    axes.set_title("Lengths of answers", loc="left")


def _pairs(axes: "Axes", preferences: Sequence[Preference]) -> None:
    for split, colour in COLOURS.items():
        ours = [p for p in preferences if p.split == split]
        chosen, rejected = [len(p.chosen) for p in ours], [len(p.rejected) for p in ours]
        axes.scatter(chosen, rejected, s=8, c=colour, alpha=0.6, lw=0, label=split)
    most = max((len(p.chosen) for p in preferences), default=1)
    axes.plot([0, most], [0, most], color="#8b949e", lw=1)
    axes.set(xlabel="characters chosen", ylabel="characters rejected")
    axes.set_title("Preference pairs", loc="left")
