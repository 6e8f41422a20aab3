"""How far a training is, as a bar for who watches a terminal; a log gets lines instead (`ml/curve.py`)."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ml.curve import Step

log = logging.getLogger(__name__)

NAMES = {"sft": "learning the answers", "dpo": "preferring them"}


@contextmanager
def show_progress(
    stream: TextIO | None = None,
) -> Iterator[tuple[Callable[[str], None], Callable[[Step], None]]]:
    """Yield what takes the lines and the steps of a training: the log, or a terminal with a bar for each stage."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield log.info, lambda step: None
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=Console(file=stream)) as bars:
        tasks: dict[str, TaskID] = {}

        def see(step: Step) -> None:
            if step.stage not in tasks:
                name = NAMES.get(step.stage, step.stage)
                tasks[step.stage] = bars.add_task(name, total=step.steps, said="")
            said = f"loss {step.loss:.3f}, {step.eta:.0f} s left"
            bars.update(tasks[step.stage], completed=step.step, said=said)

        def say(line: str) -> None:
            bars.console.print(line, markup=False, highlight=False)

        yield say, see
