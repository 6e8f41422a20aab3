"""The online side of a measurement: its form there, and what Feast has no call for, to forget rows and to list them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from include.feature_tables import TIME, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Online(NamedTuple):
    """What is online of one key: its time in whole seconds, and the features that it has."""

    at: int
    features: dict[str, Any]


NEVER = Online(-1, {})


def erase_online(store: Any, view: Any, values: Sequence[str]) -> None:
    """Take rows out of the online store.

    Feast has no call that deletes rows: where the store has none of its own, they are emptied, which
    every store can do, and then deleted where the store is a SQLite file.
    """
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    (key,) = view.join_keys
    keys = [EntityKey(join_keys=[key], entity_values=[Value(string_val=v)]) for v in values]
    empty = {feature.name: Value() for feature in view.features}
    if not keys:
        return
    if delete := getattr(store.provider.online_store, "online_delete", None):
        delete(store.config, view, keys)
        return
    data = [(k, empty, EPOCH, None) for k in keys]
    store.provider.online_write_batch(store.config, view, data, None)
    version = store.config.entity_key_serialization_version
    if file := _online_file(store):
        with closing(sqlite3.connect(file)) as database, database:
            database.executemany(
                f'DELETE FROM "{store.project}_{view.name}" WHERE entity_key = ?',
                [(serialize_entity_key(k, version),) for k in keys],
            )


def online_keys(store: Any, view: Any) -> set[str]:
    """Name every key that is online, where the store is a SQLite file; Feast itself cannot list them."""
    from feast.infra.key_encoding_utils import deserialize_entity_key

    file = _online_file(store)
    if file is None:
        return set()
    version = store.config.entity_key_serialization_version
    asked = f'SELECT DISTINCT entity_key FROM "{store.project}_{view.name}"'
    with closing(sqlite3.connect(file)) as database:
        found = [deserialize_entity_key(k, version) for (k,) in database.execute(asked)]
    return {key.entity_values[0].string_val for key in found}


def _online_file(store: Any) -> Path | None:
    config = store.config.online_store
    return Path(store.repo_path) / config.path if config.type == "sqlite" else None


def online_form(row: Row, key: str) -> Online:
    """Return what a measurement is online: SQLite keeps whole seconds, and nothing of what is not known."""
    known = {n: v for n, v in row.items() if v is not None and n not in (key, TIME)}
    return Online(int(row[TIME].timestamp()), known)
