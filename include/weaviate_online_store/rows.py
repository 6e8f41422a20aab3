"""What of a feature row is kept: an id that follows from the entity, and every value with its time.

A row is a list of layers, newest first: the times and values of one write. A feature stands in the
newest layer that wrote it and in no other, so that writes give the same row in whatever order they come.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from feast import RepoConfig
from feast.infra.key_encoding_utils import deserialize_entity_key, serialize_entity_key
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Map, MapList, Value

# One row as Feast hands it over: entity, values, event time, time of creation.
Written = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
# What was written at one time: event and creation in µs since 1970, and the values.
Layer = tuple[int, int, dict[str, Value]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def legible(name: str) -> str:
    """Spell a name as Weaviate allows; what had to be changed gets a mark, so that no two names meet.

    Weaviate compares names without their case.
    """
    if re.fullmatch(r"[a-z0-9_]{1,80}", name):
        return name
    return (
        f"{re.sub(r'[^a-z0-9]+', '_', name.lower())[:80]}_{sha256(name.encode()).hexdigest()[:8]}"
    )


def collection_name(config: RepoConfig, table: Any) -> str:
    """Name the collection of a feature view; the mark at its end keeps projects apart."""
    versions = config.registry.enable_online_feature_view_versioning
    view = compute_versioned_name(table, versions)
    mark = sha256(f"{config.project}\x00{view}".encode()).hexdigest()[:10]
    words = re.sub(r"[^0-9A-Za-z]+", "_", f"{config.project}_{view}")[:150]
    return f"Feast_{words}_{mark}"


def encode_key(config: RepoConfig, key: EntityKey) -> str:
    """Write an entity key as text."""
    version = config.entity_key_serialization_version
    return base64.b64encode(serialize_entity_key(key, version)).decode("ascii")


def decode_key(config: RepoConfig, text: str) -> EntityKey:
    """Read an entity key that `encode_key` wrote."""
    version = config.entity_key_serialization_version
    return deserialize_entity_key(base64.b64decode(text), version)


def object_id(key: str) -> str:
    """Name the object of an encoded entity key: a second write replaces the first."""
    return str(uuid5(NAMESPACE_OID, key))


def newest_first(arrived: Iterable[Layer]) -> list[Layer]:
    """Merge layers in the order in which they came: the newest value of each feature stays.

    Of two at the same time, the one that was created later stays, then the one that came later.
    """
    kept = dict[tuple[int, int], dict[str, Value]]()
    seen = set[str]()
    for event, created, values in sorted([*arrived][::-1], key=lambda x: x[:2], reverse=True):
        fresh = {name: value for name, value in values.items() if name not in seen}
        if fresh:
            kept.setdefault((event, created), {}).update(fresh)
            seen |= fresh.keys()
    return [(*times, values) for times, values in kept.items()]


def layer_of(row: Written) -> Layer:
    """Make a layer of a row; times without a zone are in UTC."""
    _, values, event, created = row
    return _microseconds(event), _microseconds(created) if created else 0, dict(values)


def encode(layers: Sequence[Layer]) -> str:
    """Write layers as text, values as Feast's own messages."""
    kept = MapList(
        val=[
            Map(
                val={
                    "event": Value(int64_val=event),
                    "created": Value(int64_val=created),
                    "values": Value(map_val=Map(val=values)),
                }
            )
            for event, created, values in layers
        ]
    )
    return base64.b64encode(kept.SerializeToString(deterministic=True)).decode("ascii")


def decode(text: str) -> list[Layer]:
    """Read layers that `encode` wrote."""
    kept = MapList.FromString(base64.b64decode(text))
    return [
        (m.val["event"].int64_val, m.val["created"].int64_val, dict(m.val["values"].map_val.val))
        for m in kept.val
    ]


def time_of(layers: Sequence[Layer]) -> datetime:
    """Return the event time of a row: that of its newest value."""
    return EPOCH + layers[0][0] * MICROSECOND


def values_of(layers: Sequence[Layer], wanted: Sequence[str] | None = None) -> dict[str, Value]:
    """Return the values of a row, or the wanted ones of them."""
    every = {name: value for _, _, values in layers for name, value in values.items()}
    return {name: every[name] for name in wanted if name in every} if wanted else every


def _microseconds(at: datetime) -> int:
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (aware - EPOCH) // MICROSECOND


def key_values(config: RepoConfig, text: str) -> dict[str, Value]:
    """Return the join keys of an encoded entity key with their values."""
    key = decode_key(config, text)
    return dict(zip(key.join_keys, key.entity_values, strict=True))


def order(key: EntityKey | None) -> tuple[Any, ...]:
    """Return what Feast sorts entities by."""
    return tuple(getattr(v, v.WhichOneof("val")) for v in key.entity_values) if key else ()
