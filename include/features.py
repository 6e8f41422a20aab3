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

from include.feature_means import author_rows, merged, with_last_times
from include.feature_store import (
    KEYS,
    MEASURES,
    Row,
    erase_online,
    history_file,
    open_store,
    pull,
    read_history,
    write_history,
)
from include.settings import Settings
from ml.files import locked
from ml.style import StyleRow

log = logging.getLogger(__name__)

# What new models are trained with; an older one is served with the service that its manifest names.
FEATURE_SERVICE = "twin_v2"

# Rows of one online read or write: a reader never waits long for a writer.
BATCH = 500


def open_features(settings: Settings) -> "Features":
    """Open the feature store of this world; its declarations are applied when they changed."""
    lock = settings.data_dir / "features.lock"
    with locked(lock):
        return Features(open_store(settings), lock)


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

    def store_rows(self, rows: Sequence[StyleRow], removed_ids: Iterable[str]) -> None:
        """Add measurements to the history and work out the authors' rows; a repeated one is replaced.

        Removed documents leave the history, the authors' means and the online store.
        """
        removed = set(removed_ids)
        with locked(self._lock):
            documents, authors = self._view("document_style"), self._view("author_style")
            before = read_history(self._store, documents)
            kept = [r for r in before if r["document_id"] not in removed]
            now = merged("document_id", [*kept, *map(_row, rows)])
            former = read_history(self._store, authors)
            means = with_last_times(author_rows(now), former)
            # Online first: after a kill in between, a second run finds what there still is to remove.
            erase_online(self._store, documents, sorted(removed))
            gone = _keys(former, "author") - _keys(means, "author")
            erase_online(self._store, authors, sorted(gone))
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
            only = {"document_style": documents}
            return sum(self._materialize(self._view(n), until, only.get(n)) for n in KEYS)

    def history_rows(self, document_ids: Collection[str]) -> int:
        """Count the measurements of documents in the history."""
        rows = read_history(self._store, self._view("document_style"))
        return sum(row["document_id"] in document_ids for row in rows)

    def online_rows(self, document_ids: Collection[str]) -> int:
        """Count the documents that have measurements online."""
        view = self._view("document_style")
        wanted = [f"{view.name}:{feature.name}" for feature in view.features]
        return sum(1 for _ in self._online(wanted, "document_id", [*document_ids]))

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
        return {k: found for k, _, found in self._online(wanted, key, values)}

    def _online(
        self, wanted: Sequence[str], key: str, values: Sequence[str]
    ) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield key, time in whole seconds and features of what is online."""
        for part in _batches(values):
            answer = self._store.get_online_features(
                features=list(wanted), entity_rows=[{key: value} for value in part]
            ).to_dict(include_event_timestamps=True)
            names = [n for n in answer if n != key and not n.endswith("__ts")]
            for i, value in enumerate(answer[key]):
                found = {n: answer[n][i] for n in names if answer[n][i] is not None}
                if found:
                    yield value, max(answer[f"{n}__ts"][i] for n in names), found

    def _materialize(self, view: Any, until: datetime, only: Collection[str] | None) -> int:
        import pandas

        newer = self._newer(view, pull(self._store, view, until, only=only))
        for part in _batches(newer):
            self._store.write_to_online_store(view.name, pandas.DataFrame(part))
        if newer:
            start = min(row["event_timestamp"] for row in newer)
            self._store.registry.apply_materialization(view, self._store.project, start, until)
        return len(newer)

    def _newer(self, view: Any, rows: Sequence[Row]) -> list[Row]:
        """Keep the rows that are newer than what is online, or were measured anew at the same time."""
        (key,) = view.join_keys
        names = [f.name for f in view.features]
        wanted = [f"{view.name}:{name}" for name in names]
        online = {k: (at, f) for k, at, f in self._online(wanted, key, [r[key] for r in rows])}
        newer = []
        for row in rows:
            at, found = online.get(row[key], (-1, {}))
            # SQLite keeps whole seconds.
            measured = int(row["event_timestamp"].timestamp())
            set_ones = {n: row[n] for n in names if row[n] is not None}
            if measured > at or (measured == at and found != set_ones):
                newer.append(row)
            elif measured < at:
                log.warning("%s %s is newer online than in the history", view.name, row[key])
        return newer

    def _replace(self, view: Any, before: Sequence[Row], now: Sequence[Row]) -> None:
        (key,) = view.join_keys
        known = {(r[key], r["event_timestamp"]): r for r in before}
        changed = [r for r in now if known.get((r[key], r["event_timestamp"])) != r]
        if changed or len(before) != len(now):
            write_history(self._store, view, now, changed)
        gone = _keys(before, key) - _keys(now, key)
        if gone and history_file(self._store, view) is None:
            log.warning("delete these from your offline store of %s: %s", view.name, sorted(gone))


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


def _keys(rows: Iterable[Row], key: str) -> set[str]:
    return {row[key] for row in rows}


def _batches(values: Sequence[Any]) -> Iterator[list[Any]]:
    return (list(values[i : i + BATCH]) for i in range(0, len(values), BATCH))
