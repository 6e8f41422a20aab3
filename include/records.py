"""The plain form in which the nouns are kept in a database. Pure: no connection here (see documents.py)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from ml.canary import Outcome
from ml.style import StyleRow
from ml.types import CleanDocument, Document, Feedback, Kind, Rejected, Trace

Record = dict[str, Any]
# One message at a time: the embedded server is slow on very long ones.
BATCH = 500


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What is known of a document without its text."""

    id: str
    url: str
    kind: Kind
    revision: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class CleanState:
    """What is known of a clean document without its text: what it follows from, and whose copy it is."""

    revision: str
    origin: str = ""
    duplicate_of: str = ""
    duplicate_how: str = ""
    duplicate_similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class IndexState:
    """Which revision of a document is in the index, made how, as which chunks.

    `source` is a hash of the clean document that was cut, `payload` one of the chunks that came of it.
    """

    revision: str
    fingerprint: str
    chunk_ids: tuple[str, ...]
    source: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True)
class MeasuredState:
    """What a document's row of features follows from, and the time that it holds for.

    `source` is a hash of the clean document that was measured, `row` one of its row; empty where the row was refused.
    """

    mark: str
    at: datetime
    source: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Who let one revision of a text pass a stage that refused it, when and why."""

    url: str
    stage: str
    revision: str
    who: str
    why: str
    at: datetime


Noun = TypeVar(
    "Noun",
    Document,
    CleanState,
    Rejected,
    CleanDocument,
    Trace,
    Feedback,
    IndexState,
    MeasuredState,
    Release,
    StyleRow,
    Outcome,
)


def state_of(document: CleanDocument) -> CleanState:
    """Leave the text of a clean document out."""
    return CleanState(**{f.name: getattr(document, f.name) for f in fields(CleanState)})


def to_record(
    noun: Document | Rejected | CleanDocument | Trace | Feedback | Release | StyleRow,
) -> Record:
    """Turn a noun into what a database keeps; tuples become lists."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(noun).items()}


def from_record(noun: type[Noun], record: Mapping[str, Any]) -> Noun:
    """Build a noun of what a database kept; fields that it does not know are left out."""
    known = {f.name for f in fields(noun)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in known}
    return cast(Noun, cast(Any, noun)(**values))


def kept_time(moment: datetime) -> datetime:
    """Cut a time to the milliseconds that MongoDB keeps of it, in UTC."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def hide_password(url: str) -> str:
    """Make an address fit to be shown."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":…@") if password else url


def is_newer(document: Document, before: Record | None) -> bool:
    """Tell whether a look at a document is at least as recent as what is kept, tombstone included."""
    if before is None:
        return True
    last = before.get("gone_at") or before["fetched_at"]
    return kept_time(document.fetched_at) >= max(before["fetched_at"], last)


def says_the_same(document: Document, before: Record | None) -> bool:
    """Tell whether what is kept, and not gone, has the same title and text."""
    if before is None or before.get("gone_at"):
        return False
    return bool(before["revision"] == document.revision)


def in_parts(ids: Iterable[str]) -> list[list[str]]:
    """Split ids, in order, into what fits into one message."""
    wanted = sorted(ids)
    return [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
