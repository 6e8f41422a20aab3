"""A feature view's collection: make it, add what is newly declared, write rows to it and read them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import weaviate
from feast import RepoConfig
from weaviate.classes import config as schema
from weaviate.classes.data import DataObject
from weaviate.exceptions import UnexpectedStatusCodeError

from . import rows, search
from .rows import Layer, Written

MOST = 1000  # Objects of one question; a server answers with 10,000 at most.
METRICS = {
    search.COSINE: schema.VectorDistances.COSINE,
    search.DOT: schema.VectorDistances.DOT,
    search.L2: schema.VectorDistances.L2_SQUARED,
    search.L1: schema.VectorDistances.MANHATTAN,
}


def use(client: weaviate.WeaviateClient, config: RepoConfig, table: Any) -> Any:
    """Return a view's collection, there or not."""
    return client.collections.use(rows.collection_name(config, table))


def made(client: weaviate.WeaviateClient, config: RepoConfig, table: Any) -> Any:
    """Return a view's collection with all that it declares; another process may make it just now."""
    name = rows.collection_name(config, table)
    if not client.collections.exists(name):
        try:
            return _create(client, config, table, name)
        except UnexpectedStatusCodeError:
            if not client.collections.exists(name):
                raise
    collection = client.collections.use(name)
    there = collection.config.get()
    known = {p.name for p in there.properties}
    for wanted in search.properties(config, table):
        if wanted.name not in known:
            collection.config.add_property(wanted)
    for vector in _vectors(config, table):
        if vector.name not in (there.vector_config or {}):
            collection.config.add_vector(vector_config=vector)
    return collection


def write(collection: Any, config: RepoConfig, table: Any, data: Sequence[Written]) -> None:
    """Merge rows with what is there and write those that changed. OSError says what was refused."""
    keys, arrived = dict[str, str](), dict[str, list[Layer]]()
    for row in data:
        key = rows.encode_key(config, row[0])
        keys[rows.object_id(key)] = key
        arrived.setdefault(rows.object_id(key), []).append(rows.layer_of(row))
    there = stored(collection, list(keys))
    objects = []
    for name, layers in arrived.items():
        merged = rows.newest_first([*there.get(name, ()), *layers])
        # An equal time is written again: the searchable side may be newly declared.
        if merged and (merged != there.get(name) or max(x[0] for x in layers) == merged[0][0]):
            objects.append(_object(config, table, name, keys[name], merged))
    if objects and (failed := collection.data.insert_many(objects).errors):
        first = next(iter(failed.values())).message
        raise OSError(
            f"{len(failed)} of {len(objects)} rows of {table.name} were not written; write them again. ({first})"
        )


def stored(collection: Any, ids: Sequence[str]) -> dict[str, list[Layer]]:
    """Read the rows of these ids; unknown ones are left out."""
    found = dict[str, list[Layer]]()
    for start in range(0, len(ids), MOST):
        part = ids[start : start + MOST]
        answer = collection.query.fetch_objects_by_ids(
            part, limit=len(part), return_properties=["layers"]
        )
        found |= {str(o.uuid): rows.decode(o.properties["layers"]) for o in answer.objects}
    return found


def oldest(config: RepoConfig, table: Any) -> datetime | None:
    """Return the event time from which rows are young enough; None where age does not matter."""
    ttl = table.ttl if config.online_store.enforce_ttl else None
    return datetime.now(UTC) - ttl if ttl else None


def _object(
    config: RepoConfig, table: Any, name: str, key: str, layers: Sequence[Layer]
) -> DataObject[Any, Any]:
    values, field = rows.values_of(layers), search.vector_field(config, table)
    kept = {
        "entity_key": key,
        "layers": rows.encode(layers),
        "event_ts": rows.time_of(layers),
        # A filter may compare join keys too; they stand in the entity key only.
        **search.native(config, table, {**rows.key_values(config, key), **values}),
    }
    return DataObject(
        uuid=name, properties=kept, vector=search.vector_of(field, values) if field else {}
    )


def _create(client: weaviate.WeaviateClient, config: RepoConfig, table: Any, name: str) -> Any:
    """Make a collection for vectors that come from outside; no word is too common to be found."""
    words = schema.Configure.inverted_index(
        stopwords_preset=schema.StopwordsPreset.NONE, index_null_state=True
    )
    return client.collections.create(
        name,
        description=f"Feast: feature view {table.name} of project {config.project}",
        properties=[*search.properties(config, table)],
        vector_config=[*_vectors(config, table)] or None,
        inverted_index_config=words,
    )


def _vectors(config: RepoConfig, table: Any) -> Iterator[Any]:
    if field := search.vector_field(config, table):
        online = config.online_store
        index = schema.Configure.VectorIndex.hnsw(
            distance_metric=METRICS[field.metric],
            ef=online.ef,
            ef_construction=online.ef_construction,
        )
        yield schema.Configure.Vectors.self_provided(name=field.name, vector_index_config=index)
