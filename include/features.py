"""The door to Feast: style features of documents and authors, over time and online.

The history (Parquet) keeps every measurement with its time, so that a training sample can be
joined with what was known then; the online store keeps the latest, for answering. Rows of an
author are means over the documents that were there at that time, worked out from the history.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from include.feature_means import author_rows
from include.feature_online import NEVER, Online, erase_online, online_form, online_keys
from include.feature_store import (
    KEYS,
    MEASURES,
    applied_mark,
    measured,
    open_store,
    read_history,
    read_latest,
    write_history,
)
from include.feature_tables import (
    BATCH,
    TIME,
    Row,
    joined,
    keys_of,
    latest,
    merged,
    no_later,
    only,
    row_digest,
    rows_of,
    without,
)
from include.settings import Settings
from ml.files import locked
from ml.style import StyleRow

log = logging.getLogger(__name__)

# What new models are trained with; an older one is served with the service that its manifest names.
FEATURE_SERVICE = "twin_v2"


def open_features(settings: Settings) -> "Features":
    """Open the feature store of this world; its declarations are applied when they changed."""
    lock = settings.data_dir / "features.lock"
    with locked(lock):
        return Features(open_store(settings), lock)


def has_features(settings: Settings) -> bool:
    """Tell, without opening it, whether there may be anything in the feature store of this world."""
    return bool(settings.feature_store) or applied_mark(settings).exists()


class Features:
    """An open feature store. Writes take turns, also between processes; reads never wait for them."""

    def __init__(self, store: Any, lock: Path) -> None:
        self._store = store
        self._lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store; its connections close with it."""
        self._store = None

    def store_rows(
        self,
        rows: Iterable[StyleRow],
        removed_ids: Iterable[str],
        until: Mapping[str, datetime] | None = None,
    ) -> None:
        """Add measurements to the history and work out the authors' rows; a repeated one is replaced.

        Removed documents leave the history, the authors' means and the online store. Of the documents in
        `until` nothing stays that is later than their time there; they and all authors leave the online store.
        """
        removed, cut = set(removed_ids), until or {}
        with locked(self._lock):
            documents, authors = (self._view(name) for name in KEYS)
            before, former = (read_history(self._store, v) for v in (documents, authors))
            new = measured(self._store, documents, map(_row, rows))
            kept = no_later(without(before, "document_id", removed), "document_id", cut)
            now = merged(joined(kept, new), "document_id")
            means = self._means(now, former.slice(0, 0) if cut else former)
            # Online first: after a kill in between, a second run finds what there still is to remove.
            erase_online(self._store, documents, sorted(removed | cut.keys()))
            left = set() if cut else keys_of(means, "author")
            erase_online(self._store, authors, sorted(keys_of(former, "author") - left))
            self._replace(documents, before, now)
            self._replace(authors, former, means)

    def materialize(self, until: datetime, documents: Collection[str] | None = None) -> int:
        """Bring the latest rows up to a time online; returns how many were written.

        With `documents`, only theirs and those of the authors are looked at.

        The history is compared with what is online, so that rows which came late are found however
        old they are. An older row never replaces a newer one.
        """
        with locked(self._lock):
            self._store.refresh_registry()
            wanted = {"document_style": documents}
            return sum(self._materialize(self._view(n), until, wanted.get(n)) for n in KEYS)

    def history(self, view: str) -> Any:
        """Return every row that was ever stored for a view, as a table in the order of time."""
        return read_history(self._store, self._view(view))

    def means(self) -> Any:
        """Work out what the history of the authors has to be, as a table in the order of time."""
        documents, authors = (self.history(name) for name in KEYS)
        return self._means(documents, authors)

    def online(self, view: str, keys: Sequence[str]) -> dict[str, Online]:
        """Return time and features of what is online of some keys."""
        return self._online(self._view(view), keys)

    def online_keys(self, view: str) -> set[str]:
        """Name every key that is online, where the store can tell."""
        return online_keys(self._store, self._view(view))

    def erase_online(self, view: str, keys: Iterable[str]) -> None:
        """Take rows out of the online store."""
        with locked(self._lock):
            erase_online(self._store, self._view(view), sorted(keys))

    def history_rows(self, document_ids: Collection[str]) -> int:
        """Count the measurements of documents in the history."""
        return int(only(self.history("document_style"), "document_id", document_ids).num_rows)

    def online_rows(self, document_ids: Collection[str]) -> int:
        """Count the documents that have measurements online."""
        return len(self.online("document_style", [*document_ids]))

    def author_style(self, service: str, author: str) -> dict[str, float]:
        """Return an author's means from the online store; LookupError when there are none."""
        found = self._read(service, "author", [author]).get(author)
        if not found:
            raise LookupError(
                f"No style of author {author} is online in feature service {service}. "
                f"Run the DAG build_features (or `python -m include store_features`) first."
            )
        return {name: float(value) for name, value in found.items()}

    def document_features(self, service: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the latest features of documents from the online store; unknown ones are left out."""
        return self._read(service, "document_id", ids)

    def training_rows(
        self, service: str, entity_rows: Sequence[Mapping[str, object]]
    ) -> list[dict[str, Any]]:
        """Join rows of document_id, author and event_timestamp with what was known at that time.

        Columns are named view__feature; a feature that nobody had measured by then is None.
        """
        rows = [dict(row) for row in entity_rows]
        for view in self._service(service).feature_view_projections if rows else ():
            keys = [*self._keys_of(view.name), "event_timestamp"]
            names = [f"{view.name_to_use()}__{f.name}" for f in view.features]
            known = self._known(view, keys, rows)
            for row in rows:
                row.update(known.get(tuple(row[k] for k in keys), dict.fromkeys(names)))
        return rows

    def _known(self, view: Any, keys: list[str], rows: Sequence[Row]) -> dict[Any, Row]:
        """Ask Feast for one view: asked for several, it leaves out a row that one knows nothing of."""
        import pandas

        frame = pandas.DataFrame([{k: row[k] for k in keys} for row in rows]).drop_duplicates()
        job = self._store.get_historical_features(frame, _references(view), True)
        found = job.to_df().astype(object)
        found = found.where(found.notna(), None).to_dict("records")
        return {tuple(r[k] for k in keys): {n: r[n] for n in r if n not in keys} for r in found}

    def _keys_of(self, view: str) -> list[str]:
        """Return the keys of a view as it was when the store was opened."""
        registry = self._store.registry
        return registry.get_feature_view(view, self._store.project, allow_cache=True).join_keys

    def _view(self, name: str) -> Any:
        return self._store.get_feature_view(name)

    def _service(self, name: str) -> Any:
        from feast.errors import FeatureServiceNotFoundException

        try:
            return self._store.get_feature_service(name, allow_cache=True)
        except FeatureServiceNotFoundException:
            raise LookupError(
                f"There is no feature service {name} in {self._store.repo_path}. "
                f"Declare it in feature_definitions.py and run `feast apply` there."
            ) from None

    def _read(self, service: str, key: str, values: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Read the part of a service that one key finds."""
        views = self._service(service).feature_view_projections
        wanted = [r for v in views if self._keys_of(v.name) == [key] for r in _references(v)]
        return {k: found for k, (_, found) in self._ask(wanted, key, values).items()}

    def _online(self, view: Any, values: Sequence[str]) -> dict[str, Online]:
        wanted = [f"{view.name}:{feature.name}" for feature in view.features]
        return self._ask(wanted, view.join_keys[0], values)

    def _ask(self, wanted: Sequence[str], key: str, values: Sequence[str]) -> dict[str, Online]:
        """Return, by key, what is online of some features."""
        asked: dict[str, Online] = {}
        for part in _batches(values):
            answer = self._store.get_online_features(
                features=list(wanted), entity_rows=[{key: value} for value in part]
            ).to_dict(include_event_timestamps=True)
            names = [n for n in answer if n != key and not n.endswith("__ts")]
            for i, value in enumerate(answer[key]):
                found = {n: answer[n][i] for n in names if answer[n][i] is not None}
                if found:
                    asked[value] = Online(max(answer[f"{n}__ts"][i] for n in names), found)
        return asked

    def _means(self, history: Any, former: Any) -> Any:
        known = {r["author"]: r[TIME] for part in rows_of(latest(former, "author")) for r in part}
        rows = measured(self._store, self._view("author_style"), author_rows(history, known))
        return merged(rows, "author")

    def _materialize(self, view: Any, until: datetime, wanted: Collection[str] | None) -> int:
        import pandas

        (key,) = view.join_keys
        table = read_latest(self._store, view, until)
        written, start = 0, until
        for part in rows_of(table if wanted is None else only(table, key, wanted)):
            if newer := self._newer(view, part):
                self._store.write_to_online_store(view.name, pandas.DataFrame(newer))
                written += len(newer)
                start = min(start, *(row[TIME] for row in newer))
        if written:
            self._store.registry.apply_materialization(view, self._store.project, start, until)
        return written

    def _newer(self, view: Any, rows: Sequence[Row]) -> list[Row]:
        """Keep the rows that are newer than what is online, or were measured anew at the same time."""
        (key,) = view.join_keys
        found, newer = self._online(view, [r[key] for r in rows]), []
        for row in rows:
            there, wanted = found.get(row[key], NEVER), online_form(row, key)
            if wanted.at > there.at or (wanted.at == there.at and wanted != there):
                newer.append(row)
            elif wanted.at < there.at:
                log.warning("%s %s is newer online than in the history", view.name, row[key])
        return newer

    def _replace(self, view: Any, before: Any, now: Any) -> None:
        if not now.equals(before):
            write_history(self._store, view, now, before)


def digest_of(row: StyleRow) -> str:
    """Hash a measurement in the form in which it is kept."""
    return row_digest(_row(row))


def _references(projection: Any) -> list[str]:
    return [f"{projection.name_to_use()}:{f.name}" for f in projection.features]


def _row(row: StyleRow) -> Row:
    at = row.event_timestamp
    if at.tzinfo is None:
        raise ValueError(f"Row {row.document_id} has the time {at} without a zone; give it in UTC.")
    measures = {name: getattr(row, name) for name in MEASURES}
    measures["heading_buckets"] = list(row.heading_buckets)
    return {
        "document_id": row.document_id,
        "written_by": row.author,
        **measures,
        "event_timestamp": at.astimezone(UTC),
    }


def _batches(values: Sequence[Any]) -> Iterator[list[Any]]:
    return (list(values[i : i + BATCH]) for i in range(0, len(values), BATCH))
