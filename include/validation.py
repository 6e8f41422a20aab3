"""The one door to Great Expectations: suites, what fails them, and Data Docs that people can read.

The rules are in `include/suites.py`. Failing rows are named by their `id`, so that they can be
quarantined with the rule and the value. Nothing is stored here; the caller decides what becomes of
a failing row.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.data_docs import write_overview
from include.settings import Settings
from include.suites import FINAL_REASONS, SUITES, Rule, Suite, columns
from include.validation_runs import Run, add_run, read_runs, usual_volume
from ml.types import Rejected

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite, ExpectationValidationResult
    from great_expectations.data_context.data_context.file_data_context import FileDataContext

# How a row says which one it is, and of which document.
ROW_NAMES = ("id", "document_id")
# What the overview shows of a run: so many refusals, so much of each value.
SHOWN_FAILURES, SHOWN_CHARACTERS = 10, 80


class ValidationFailed(ValueError):
    """Raised where a batch as a whole must not go on; `rejected` are the rows that stopped it."""

    def __init__(self, said: str, rejected: Iterable[Rejected] = ()) -> None:
        super().__init__(said)
        self.rejected = tuple(rejected)


@dataclass(frozen=True, slots=True)
class Failure:
    """One row that broke one rule."""

    row_id: str
    expectation: str
    column: str
    value: str

    @property
    def reason(self) -> str:
        """Return a short code: the column and the rule."""
        return f"{self.column}:{self.expectation}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a suite found in a batch of `total` rows; `batch_failures` and `warnings` are sentences."""

    suite: str
    batch: str
    total: int
    failures: tuple[Failure, ...]
    batch_failures: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def failing_ids(self) -> frozenset[str]:
        """Name the rows that broke at least one rule."""
        return frozenset(f.row_id for f in self.failures)

    def without(self, row_ids: Iterable[str]) -> "Report":
        """Let rows pass although they fail, but for the rules that nobody may break."""
        passed = set(row_ids)
        kept = (f for f in self.failures if f.row_id not in passed or f.reason in FINAL_REASONS)
        return replace(self, failures=tuple(kept))

    def bad(self, error_budget: float, among: int) -> bool:
        """Tell whether the batch as a whole must stop: too many `among` so many rows are bad."""
        share = len(self.failing_ids) / max(among, 1)
        return bool(self.batch_failures) or share > error_budget


def validate(
    settings: Settings,
    suite: Suite,
    rows: Sequence[Mapping[str, object]],
    *,
    batch: str,
    volume: int | None = None,
) -> Report:
    """Run a suite over rows (each with an `id`), write the Data Docs, and name what fails.

    `volume` is what there is in all, where the batch is only what changed; it is compared with the last runs'.
    """
    if not rows:
        return Report(suite, batch, 0, (), (f"The batch {batch} is empty.",))
    there = len(rows) if volume is None else volume
    middle = usual_volume(read_runs(runs_file(settings)), suite)
    share = there / middle if middle else 1.0
    page, result = _run(_context(settings), suite, [{**r, "volume_share": share} for r in rows])
    failures = tuple(f for outcome in result for f in _failures(outcome))
    wrong, warnings = _batch_failures(result), _warnings(result)
    report = Report(suite, batch, len(rows), failures, tuple(wrong), tuple(warnings))
    kept = sum(bool(r.success) for r in result)
    write_overview(
        add_run(runs_file(settings), _told(report, there, len(result), kept, page)),
        data_docs(settings),
    )
    log = logging.getLogger(__name__)
    log.info("suite %s on %s: %d of %d rows fail", suite, batch, len(failures), len(rows))
    for warning in warnings:
        log.warning("suite %s on %s: %s", suite, batch, warning)
    return report


def _told(report: Report, volume: int, rules: int, kept: int, page: str) -> Run:
    """Sum a report up for the overview: counts, and the first values that were refused."""
    first = report.failures[:SHOWN_FAILURES]
    return Run(
        at=datetime.now(UTC).isoformat(),
        suite=report.suite,
        batch=report.batch,
        rows=report.total,
        volume=volume,
        rules=rules,
        kept=kept,
        refused=len(report.failing_ids),
        page=page,
        failures=tuple((f.row_id, f.reason, f.value[:SHOWN_CHARACTERS]) for f in first),
        reasons=dict(Counter(f.reason for f in report.failures)),
        warnings=(*report.batch_failures, *report.warnings),
    )


def data_docs(settings: Settings) -> Path:
    """Return the folder of the Data Docs; `overview.html` in it needs no network."""
    return settings.data_dir / "data_docs"


def validation_results(settings: Settings) -> Path:
    """Return the folder where Great Expectations keeps what it found, one JSON file for each run."""
    return settings.data_dir / "gx" / "uncommitted" / "validations"


def runs_file(settings: Settings) -> Path:
    """Return the file of what every run found in short."""
    return settings.data_dir / "validation.jsonl"


def _context(settings: Settings) -> "FileDataContext":
    """Open the project under data_dir, with its Data Docs."""
    # Great Expectations reports usage over the network unless told before it is imported.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context import data_context_variables
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # This module names its logger after its file.
    logging.getLogger(data_context_variables.__file__).setLevel(logging.WARNING)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=settings.data_dir)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.save()
    context.update_data_docs_site(
        "local_site",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(data_docs(settings).resolve()),
            },
        },
    )
    return context


def _run(
    context: "FileDataContext", suite: Suite, rows: Sequence[Mapping[str, object]]
) -> "tuple[str, list[ExpectationValidationResult]]":
    """Run one suite as a checkpoint that also updates the Data Docs; also returns where its page is."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    source = context.data_sources.add_or_update_pandas("rows")
    batch = source.add_dataframe_asset(suite).add_batch_definition_whole_dataframe("all")
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=suite, data=batch, suite=_suite(context, suite))
    )
    checkpoint = context.checkpoints.add_or_update(
        gx.Checkpoint(
            name=suite,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="data_docs")],
            result_format={
                "result_format": "COMPLETE",
                # By these, what a forgotten document left here is found.
                "unexpected_index_column_names": [c for c in ROW_NAMES if c in rows[0]],
            },
        )
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": pd.DataFrame([*map(dict, rows)])})
    ((name, result),) = outcome.run_results.items()
    return "validations/" + "/".join(name.to_tuple()) + ".html", list(result.results)


def _suite(context: "FileDataContext", name: Suite) -> "ExpectationSuite":
    import great_expectations as gx
    import great_expectations.expectations as expectations

    suite = gx.ExpectationSuite(name=name)
    looked_at = {"column_set": columns(name), "exact_match": False}
    schema = Rule("ExpectTableColumnsToMatchSet", looked_at, "Every column that a rule looks at.")
    for rule in (schema, *SUITES[name]):
        expect = getattr(expectations, rule.kind)
        suite.add_expectation(expect(**rule.parameters, notes=rule.note, severity=rule.severity))
    return context.suites.add_or_update(suite)


def _failures(outcome: "ExpectationValidationResult") -> list[Failure]:
    """Name the rows that one expectation refuses, with the value that it saw."""
    rule = outcome.expectation_config
    if rule is None:
        return []
    column = str(rule.kwargs.get("column") or rule.kwargs.get("column_A"))
    unexpected = outcome.result.get("unexpected_index_list") or []
    name = rule.type.removeprefix("expect_column_")
    return [
        Failure(str(row["id"]), name.replace("_", "-"), column, str(row.get(column, ""))[:200])
        for row in unexpected
    ]


def _batch_failures(results: "Sequence[ExpectationValidationResult]") -> list[str]:
    """Say which expectations could not be judged at all, and which the batch as a whole did not meet."""
    broken = [r for r in results if r.expectation_config and _messages(r.exception_info)]
    return [
        *(
            f"{r.expectation_config.type} could not be judged: {sorted(_messages(r.exception_info))}"
            for r in broken
            if r.expectation_config
        ),
        *(_sentence(r) for r in results if _is_of_batch(r, "critical")),
    ]


def _warnings(results: "Sequence[ExpectationValidationResult]") -> list[str]:
    return [_sentence(r) for r in results if _is_of_batch(r, "warning")]


def _is_of_batch(result: "ExpectationValidationResult", severity: str) -> bool:
    """Tell whether a rule that looks at the batch as a whole was judged, and not met."""
    rule = result.expectation_config
    judged = "observed_value" in result.result and not result.success
    return bool(rule and judged and rule.severity.value == severity)


def _sentence(result: "ExpectationValidationResult") -> str:
    rule, seen = result.expectation_config, result.result["observed_value"]
    note = rule.notes if rule else ""
    column = rule.kwargs.get("column", "columns") if rule else ""
    found = f"{column}: {seen:.3g}" if isinstance(seen, float) else str(seen)
    return f"Not met: {note} ({found})"


def _messages(exception_info: Mapping[str, object]) -> set[str]:
    """Collect the messages of Great Expectations' exception record, flat or by metric."""
    records = [exception_info, *(v for v in exception_info.values() if isinstance(v, Mapping))]
    return {str(r["exception_message"]) for r in records if r.get("exception_message")}
