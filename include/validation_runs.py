"""What each validation found, run by run: a line of JSON each, the newest few hundred.

It is what the overview is drawn from and what "usual" means. Great Expectations keeps its own
results beside it, in full.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from ml.files import locked, write_whole

# Runs that are kept; those among them that say what is usual, and how many it takes to say so.
KEPT, RECENT, ENOUGH = 400, 5, 3


@dataclass(frozen=True, slots=True)
class Run:
    """One suite over one batch. `failures` are the first ones: row, reason, value; `page` is below the Data Docs.

    `volume` is what there was in all, where a batch is only what changed.
    """

    at: str
    suite: str
    batch: str
    rows: int
    volume: int
    rules: int
    kept: int
    refused: int
    page: str = ""
    failures: tuple[tuple[str, str, str], ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_runs(file: Path) -> list[Run]:
    """Read the runs, oldest first."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [_run(json.loads(line)) for line in lines]


def add_run(file: Path, run: Run) -> list[Run]:
    """Keep a run; returns all of them."""
    with locked(file.with_suffix(".lock")):
        runs = [*read_runs(file), run][-KEPT:]
        _write(file, runs)
    return runs


def usual_volume(runs: Sequence[Run], suite: str) -> float | None:
    """Return the median volume of a suite's last runs; None while there are too few to say."""
    return usual([run.volume for run in runs if run.suite == suite])


def usual(volumes: Sequence[int]) -> float | None:
    """Return the median of the last volumes; None while there are too few to say."""
    recent = volumes[-RECENT:]
    return float(median(recent)) if len(recent) >= ENOUGH else None


def naming(runs: Sequence[Run], row_ids: Collection[str]) -> int:
    """Count the runs that show a value of one of these rows."""
    return sum(any(f[0] in row_ids for f in run.failures) for run in runs)


def forget_rows(file: Path, row_ids: Collection[str]) -> list[Run]:
    """Take the values of rows out of what is kept; returns all runs."""
    with locked(file.with_suffix(".lock")):
        runs = [_without(run, row_ids) for run in read_runs(file)]
        _write(file, runs)
    return runs


def _without(run: Run, row_ids: Collection[str]) -> Run:
    kept = tuple(f for f in run.failures if f[0] not in row_ids)
    return Run(**{**_plain(run), "failures": kept})


def _plain(run: Run) -> dict[str, Any]:
    return asdict(run)


def _run(record: dict[str, Any]) -> Run:
    failures = tuple((str(i), str(r), str(v)) for i, r, v in record["failures"])
    return Run(**{**record, "failures": failures, "warnings": tuple(record["warnings"])})


def _write(file: Path, runs: Sequence[Run]) -> None:
    write_whole(file, "".join(json.dumps(_plain(run)) + "\n" for run in runs))
