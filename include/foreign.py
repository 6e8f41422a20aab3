"""The story: judge a dataset that somebody else made, by the same rules, and say in counts what is wrong with it.

A folder holds samples, {instruction, answer}, {prompt, chosen, rejected} or {messages}, and the documents that they
claim to come from, as JSON, JSON lines or Parquet, nested in any way; Markdown and text files are documents too.
What is of which split is told by a key or a file name that says `train` or `test`.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.settings import Settings
from ml.foreign import Claim, judge_claims

log = logging.getLogger(__name__)

ASKED = ("instruction", "prompt", "question", "input")
ANSWERED = ("chosen", "answer", "output", "response", "completion")
TEXTS = ("content", "text", "body")
# A text that is shorter is a name or a label.
SHORTEST_TEXT = 200


@dataclass(slots=True)
class _Found:
    """What a folder holds."""

    claims: list[Claim] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)


def check_dataset(settings: Settings, folder: str) -> dict[str, object]:
    """Judge the dataset files of a folder against the documents beside them; returns the counts and the reasons.

    Raises FileNotFoundError for a folder that is not there, ValueError where there is nothing to judge.
    """
    found = _read(Path(folder).expanduser())
    if not found.claims:
        raise ValueError(
            f"{folder} holds no samples: nothing with {'/'.join(ASKED)} and {'/'.join(ANSWERED)} was found."
        )
    if not found.documents:
        raise ValueError(
            f"{folder} holds no documents, so nothing can be grounded: nothing with {'/'.join(TEXTS)} was found."
        )
    result = judge_claims(found.claims, found.documents, settings.leak_words)
    for reason in result["reasons"]:
        log.warning("%s", reason)
    log.info("the dataset in %s is %s", folder, "accepted" if result["accepted"] else "refused")
    return {"folder": folder, "documents": len(found.documents), **result}


def _read(folder: Path) -> _Found:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}. Name the folder that holds the dataset's files."
        )
    found = _Found()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        split = _split(file.stem, "")
        if file.suffix in (".md", ".txt"):
            found.documents.append(file.read_text(encoding="utf-8", errors="replace"))
        for value in _values(file):
            _collect(value, split, found)
    return found


def _values(file: Path) -> Iterator[object]:
    """Yield what a file holds; one that cannot be read is a sentence."""
    try:
        if file.suffix == ".json":
            yield json.loads(file.read_text(encoding="utf-8"))
        elif file.suffix == ".jsonl":
            yield from map(
                json.loads, filter(str.strip, file.read_text(encoding="utf-8").splitlines())
            )
        elif file.suffix == ".parquet":
            import pyarrow.parquet as parquet

            yield parquet.read_table(file).to_pylist()
    except ValueError as error:
        raise ValueError(f"{file} cannot be read: {error}. Mend or remove it.") from None


def _collect(value: object, split: str, found: _Found) -> None:
    """Walk through nested values, and keep what is a sample or a document."""
    if isinstance(value, Mapping):
        if claim := _claim(value, split):
            found.claims.append(claim)
            return
        if text := _document(value):
            found.documents.append(text)
            return
        for key, inner in value.items():
            _collect(inner, _split(str(key), split), found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, split, found)


def _claim(value: Mapping[str, Any], split: str) -> Claim | None:
    """Read a sample, if it is one."""
    named = {k.lower(): _said(v) for k, v in value.items()}
    if turns := value.get("messages"):
        said = [_said([turn]) for turn in turns]
        if len(said) < 2:
            return None
        return Claim(said[-2], said[-1], None, split or "train")
    asked = next((named[k] for k in ASKED if named.get(k)), "")
    answer = next((named[k] for k in ANSWERED if k in named), None)
    if not asked or answer is None:
        return None
    rejected = named.get("rejected") if "rejected" in named else None
    return Claim(asked, answer, rejected, split or "train")


def _said(value: object) -> str:
    """Read a text, or the last turn of a conversation."""
    if isinstance(value, list) and value and isinstance(value[-1], Mapping):
        return str(value[-1].get("content") or "")
    return value if isinstance(value, str) else ""


def _document(value: Mapping[str, Any]) -> str:
    """Read a document, if it is one: a text of its own, not a list of parts."""
    named = {k.lower(): v for k, v in value.items()}
    for key in TEXTS:
        text = named.get(key)
        if isinstance(text, str) and len(text) >= SHORTEST_TEXT:
            return text
    return ""


def _split(name: str, known: str) -> str:
    """Tell by a name of which split its values are; what says nothing keeps what is known."""
    return next((s for s in ("train", "test") if name.lower().startswith(s)), known)
