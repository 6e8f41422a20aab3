"""The runs of `include/validation_runs.py`: kept in order, never too many, and what is usual among them."""

from pathlib import Path

from include.validation_runs import (
    KEPT,
    Run,
    add_run,
    forget_rows,
    naming,
    read_runs,
    usual,
    usual_volume,
)


def run(volume: int = 10, suite: str = "raw", failures=()) -> Run:
    counts = {"rows": 3, "volume": volume, "rules": 9, "kept": 8, "refused": 1}
    return Run("2026-03-01", suite, "staged", failures=failures, **counts)


def test_runs_come_back_as_they_were_kept_oldest_first(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    first, second = run(1, failures=(("a", "words:low", "2"),)), run(2)

    add_run(file, first)
    assert add_run(file, second) == read_runs(file) == [first, second]
    assert read_runs(tmp_path / "none.jsonl") == []


def test_only_the_newest_runs_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    add_run(file, run(0))
    line = file.read_text()
    file.write_text(line * KEPT)

    assert len(add_run(file, run(7))) == KEPT
    assert read_runs(file)[-1].volume == 7


def test_the_usual_is_the_median_of_the_last_runs_of_one_suite() -> None:
    volumes = [100, 100, 100, 4, 6]
    runs = [run(volume) for volume in volumes] + [run(1, "clean")] * 3

    assert usual_volume(runs, "raw") == 100.0
    assert usual([*volumes, 5]) == 6.0
    assert usual([100, 100]) is None


def test_the_values_of_forgotten_rows_are_taken_out_and_the_counts_stay(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    add_run(file, run(failures=(("a", "words:low", "2"), ("b", "words:low", "3"))))
    assert naming(read_runs(file), {"a"}) == 1

    (left,) = forget_rows(file, {"a"})

    assert left.failures == (("b", "words:low", "3"),) and left.refused == 1
    assert read_runs(file) == [left] and naming([left], {"a"}) == 0
