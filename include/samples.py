"""Training samples as Parquet: what the registry stores, and what Hugging Face `datasets` and TRL read.

One file per configuration and split: `instruct/train.parquet` (column `messages`) and
`preference/train.parquet` (columns `prompt`, `chosen`, `rejected`, each a list of messages).
`position` keeps the order across splits. A split without samples has no file: `datasets` cannot
read an empty one.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.types import Example, Message, Preference, Span

if TYPE_CHECKING:
    import pyarrow

SPLITS = ("train", "test")
INSTRUCT, PREFERENCE = "instruct", "preference"


def write_samples(
    folder: Path, examples: Sequence[Example], preferences: Sequence[Preference]
) -> None:
    """Write both kinds of samples below a folder."""
    for split in SPLITS:
        rows = [_example_row(n, e) for n, e in enumerate(examples) if e.split == split]
        _write(folder / INSTRUCT / f"{split}.parquet", rows, ("messages",), ("task",))
        pairs = [_preference_row(n, p) for n, p in enumerate(preferences) if p.split == split]
        _write(
            folder / PREFERENCE / f"{split}.parquet",
            pairs,
            ("prompt", "chosen", "rejected"),
            ("how",),
        )


def card_header(folder: Path) -> str:
    """Return the lines of a dataset card that tell `load_dataset` which files there are."""
    lines = ["---", "language: en", "license: other", "tags: [llm-twin, author-voice]"]
    lines += ["task_categories: [text-generation]", "configs:"]
    for kind in (INSTRUCT, PREFERENCE):
        files = [s for s in SPLITS if (folder / kind / f"{s}.parquet").exists()]
        lines += [f"- config_name: {kind}", "  data_files:"] if files else []
        lines += [f"  - {{split: {s}, path: {kind}/{s}.parquet}}" for s in files]
    return "\n".join([*lines, "---", "", ""])


def load_examples(folder: Path) -> list[Example]:
    """Read the instruct samples, in the order in which they were written."""
    return [
        Example(_messages(row["messages"]), _span(row), row["task"], split)  # type: ignore[arg-type]
        for split, row in _rows(folder / INSTRUCT)
    ]


def load_preferences(folder: Path) -> list[Preference]:
    """Read the preference pairs, in the order in which they were written."""
    return [
        Preference(
            messages=_messages(row["prompt"]),
            chosen=row["chosen"][0]["content"],
            rejected=row["rejected"][0]["content"],
            span=_span(row),
            how=row["how"],
            split=split,  # type: ignore[arg-type]
        )
        for split, row in _rows(folder / PREFERENCE)
    ]


def _example_row(position: int, example: Example) -> dict[str, object]:
    return {
        "id": example.id,
        "position": position,
        "task": example.task,
        "messages": _plain(example.messages),
        **_span_columns(example.span),
    }


def _preference_row(position: int, pair: Preference) -> dict[str, object]:
    return {
        "id": pair.id,
        "position": position,
        "how": pair.how,
        "prompt": _plain(pair.messages),
        "chosen": _plain([Message("assistant", pair.chosen)]),
        "rejected": _plain([Message("assistant", pair.rejected)]),
        **_span_columns(pair.span),
    }


def _plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _span_columns(span: Span) -> dict[str, object]:
    return {
        "document_id": span.document_id,
        "revision": span.revision,
        "start": span.start,
        "end": span.end,
    }


def _write(
    file: Path, rows: list[dict[str, object]], talks: Iterable[str], texts: Iterable[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not rows:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=_schema(talks, texts))
    parquet.write_table(table, file)


def _schema(talks: Iterable[str], texts: Iterable[str]) -> "pyarrow.Schema":
    import pyarrow as pa

    talk = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    strings = ("id", *texts, "document_id", "revision")
    return pa.schema(
        [(name, talk) for name in talks]
        + [(name, pa.string()) for name in strings]
        + [(name, pa.int64()) for name in ("position", "start", "end")]
    )


def _rows(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet as parquet

    rows = [
        (split, row)
        for split in SPLITS
        if (file := folder / f"{split}.parquet").exists()
        for row in parquet.read_table(file).to_pylist()
    ]
    return sorted(rows, key=lambda pair: pair[1]["position"])


def _messages(values: Iterable[Mapping[str, str]]) -> tuple[Message, ...]:
    return tuple(Message(v["role"], v["content"]) for v in values)  # type: ignore[arg-type]


def _span(row: Mapping[str, Any]) -> Span:
    return Span(row["document_id"], row["revision"], row["start"], row["end"])
