"""What was measured on models and what was decided about them: one file for each, replaced by the next one.

evaluations/<model id>.json   verdicts/<model id>.json, .html   attempts/<dataset id>.json
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.manifests import artifacts_root, checked_id
from include.settings import Settings
from ml.files import read_json, write_json, write_whole


def write_evaluation(settings: Settings, model_id: str, record: Mapping[str, object]) -> None:
    """Keep what was measured on a model; a later measurement replaces it."""
    write_json(_file(settings, "evaluations", model_id), record)


def read_evaluation(settings: Settings, model_id: str) -> dict[str, Any]:
    """Read what was measured on a model; empty if nothing was."""
    return read_json(_file(settings, "evaluations", model_id))


def write_verdict(settings: Settings, model_id: str, verdict: Mapping[str, object]) -> None:
    """Keep what the gate decided about a model."""
    write_json(_file(settings, "verdicts", model_id), verdict)


def read_verdict(settings: Settings, model_id: str) -> dict[str, Any]:
    """Read what the gate decided about a model; empty if it was not asked."""
    return read_json(_file(settings, "verdicts", model_id))


def amend_verdict(settings: Settings, model_id: str, promote: bool, reason: str) -> dict[str, Any]:
    """Decide after the gate, as a person or a roll-out does, and say why; it leaves no question open."""
    verdict = read_verdict(settings, model_id)
    before = verdict.get("reasons", [])
    reasons = before if before[-1:] == [reason] else [*before, reason]
    amended = verdict | {"promote": promote, "reasons": reasons, "ask": False}
    write_verdict(settings, model_id, amended)
    return amended


def why_turned_down(settings: Settings, model_id: str) -> str:
    """Say why a model was turned down, by the last word on it; empty if it was not."""
    verdict = read_verdict(settings, model_id)
    return "" if verdict.get("promote", True) else str(verdict["reasons"][-1])


def write_report(settings: Settings, model_id: str, page: str) -> Path:
    """Keep the record of a decision for people; returns the file."""
    file = _file(settings, "verdicts", model_id, "html")
    write_whole(file, page)
    return file


def mark_attempt(settings: Settings, dataset_id: str, reason: str) -> None:
    """Note that nobody should train on a dataset again, and why."""
    write_json(_file(settings, "attempts", dataset_id), {"reason": reason})


def attempts(settings: Settings) -> dict[str, str]:
    """Return the datasets that were given up, each with its reason."""
    files = sorted((artifacts_root(settings) / "attempts").glob("[!.]*.json"))
    return {f.stem: str(read_json(f)["reason"]) for f in files}


def _file(settings: Settings, sort: str, name: str, suffix: str = "json") -> Path:
    return artifacts_root(settings) / sort / f"{checked_id(name)}.{suffix}"
