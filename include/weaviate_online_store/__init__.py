"""A Feast online store in Weaviate: features by entity, nearest vectors, words (BM25), and both at once.

The module stands alone: it needs `feast` and `weaviate-client`, nothing else of this project. Name it in
a feature_store.yaml (`type: include.weaviate_online_store.WeaviateOnlineStore`), or copy its folder to
anywhere on the Python path and name that place; docs/weaviate_online_store.md says the rest.

A feature view is a collection, an entity an object whose id follows from the entity key. Values are kept
as Feast's own messages, so that every type comes back as it went in; what can be searched stands beside
them in Weaviate's types. Every feature keeps the event time that it was written with: rows may come
late, twice, in parts and in any order, and the newest value of each feature stays.
"""

import asyncio
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import weaviate
from feast import Entity, FeatureView, RepoConfig
from feast.filter_models import FilterType
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.online_stores.vector_store import VectorStoreConfig
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.online_response import OnlineResponse
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel
from pydantic import Field, SecretStr
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.classes.query import Filter
from weaviate.config import GrpcConfig
from weaviate.exceptions import WeaviateBaseError

from . import objects, rows, search
from .objects import MOST
from .questions import question_of
from .rows import Written, collection_name

Read = tuple[datetime | None, dict[str, Value] | None]
Found = tuple[datetime | None, EntityKey | None, dict[str, Value] | None]

READY_SECONDS = 5


class WeaviateOnlineStoreConfig(FeastConfigBaseModel, VectorStoreConfig):
    """Say where the server is, and what of a feature view can be searched.

    `vector_enabled` indexes the field with `vector_index=True`, `text_search_enabled` the strings; with
    either, scalar features and join keys can be filtered by. `similarity` (cosine, dot, l2, manhattan)
    holds for a field without a `vector_search_metric`. `enforce_ttl` hides rows older than their view's ttl.
    """

    type: str = f"{__name__}.WeaviateOnlineStore"
    host: str = "localhost"
    port: int = 8080
    grpc_host: str = ""
    grpc_port: int = 50051
    secure: bool = False
    api_key: SecretStr | None = None
    timeout_seconds: int = Field(default=30, gt=0)
    write_batch_size: int = Field(default=500, ge=1, le=MOST)
    text_search_enabled: bool = False
    hybrid_alpha: float = Field(default=0.7, ge=0, le=1)
    ef: int = 256
    ef_construction: int = 256
    enforce_ttl: bool = False


def by_rank(answer: OnlineResponse) -> list[dict[str, Any]]:
    """Return the rows of an answer of `retrieve_online_documents_v2`, best first."""
    columns = answer.to_dict()
    found = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if "text_rank" in columns:
        return sorted(found, key=lambda row: -row["text_rank"])
    return sorted(found, key=lambda row: row["distance"])


class WeaviateOnlineStore(OnlineStore):
    """Serve Feast from a Weaviate server; threads may share it.

    Raises ConnectionError where no server answers, PermissionError where it refuses the key, LookupError
    for a view that was never applied, OSError for rows that were not written. Weaviate has no conditional
    write: let one process at a time write a view, or an older row may win a race.
    """

    def __init__(self) -> None:
        self._client: weaviate.WeaviateClient | None = None
        self._opening, self._writing = threading.Lock(), threading.Lock()

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[Any],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make the collections of the views to keep, add what they newly declare, delete the others."""
        self.teardown(config, tables_to_delete, entities_to_delete)
        with self._talking(config) as client:
            for table in tables_to_keep:
                objects.made(client, config, table)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Delete the collections of these views; those of other projects stay."""
        with self._talking(config) as client:
            for table in tables:
                client.collections.delete(collection_name(config, table))

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows; a value that is older than what is there changes nothing."""
        size = config.online_store.write_batch_size
        with self._writing, self._talking(config) as client:
            collection = objects.made(client, config, table)
            for start in range(0, len(data), size):
                part = data[start : start + size]
                objects.write(collection, config, table, part)
                if progress:
                    progress(len(part))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Read]:
        """Return time and values of each key, in their order; (None, None) where there is nothing."""
        ids = [rows.object_id(rows.encode_key(config, key)) for key in entity_keys]
        with self._talking(config, table) as client:
            stored = objects.stored(objects.use(client, config, table), list(dict.fromkeys(ids)))
        oldest, found = objects.oldest(config, table), dict[str, Read]()
        for name, layers in stored.items():
            if not oldest or rows.time_of(layers) >= oldest:
                found[name] = rows.time_of(layers), rows.values_of(layers, requested_features)
        return [found.get(name, (None, None)) for name in ids]

    def retrieve_online_documents_v2(
        self,
        config: RepoConfig,
        table: FeatureView,
        requested_features: list[str],
        embedding: list[float] | None,
        top_k: int,
        distance_metric: str | None = None,
        query_string: str | None = None,
        filters: FilterType = None,
        include_feature_view_version_metadata: bool = False,
    ) -> list[Found]:
        """Do `find` for Feast, the rows in the order of their entities; `by_rank` puts an answer best first.

        Feast 0.67 sorts the entities of an answer and not its rows: in any other order it would name
        the wrong entity beside each row.
        """
        asked = (requested_features, embedding, top_k, distance_metric, query_string, filters)
        return sorted(self.find(config, table, *asked), key=lambda row: rows.order(row[1]))

    def find(
        self,
        config: RepoConfig,
        table: FeatureView,
        wanted: Sequence[str],
        embedding: Sequence[float] | None,
        top_k: int,
        metric: str | None = None,
        words: str | None = None,
        filters: FilterType = None,
    ) -> list[Found]:
        """Find by meaning (`embedding`), by words or by both, best first; only what the filters let through.

        A row carries `distance` where an embedding was given (smaller is nearer; L2 as it is, cosine as
        1 - cos, dot as the negative product) and `text_rank` where words were (larger is better).
        """
        among = search.WeaviateFilterTranslator(search.filterable(config, table)).translate(filters)
        if oldest := objects.oldest(config, table):
            young = Filter.by_property("event_ts").greater_or_equal(oldest)
            among = young if among is None else young & among
        asked = question_of(config, table, embedding, words, metric, among)
        with self._talking(config, table) as client:
            hits = list(asked.ask(objects.use(client, config, table), top_k)) if top_k > 0 else []
        found = list[Found]()
        for properties, scores in hits:
            layers = rows.decode(properties["layers"])
            key = rows.decode_key(config, properties["entity_key"])
            found.append((rows.time_of(layers), key, {**rows.values_of(layers, wanted), **scores}))
        return found

    def online_delete(
        self, config: RepoConfig, table: FeatureView, entity_keys: Sequence[EntityKey]
    ) -> None:
        """Delete the rows of these entities; unknown ones are none of its business.

        Feast 0.67 knows no such call, and empty values with an old time would change nothing here.
        """
        ids = [rows.object_id(rows.encode_key(config, key)) for key in entity_keys]
        with self._talking(config, table) as client:
            collection = objects.use(client, config, table)
            for start in range(0, len(ids), MOST):
                collection.data.delete_many(
                    where=Filter.by_id().contains_any(ids[start : start + MOST])
                )

    def delete_expired(self, config: RepoConfig, table: FeatureView) -> int:
        """Delete the rows that are older than the view's ttl, where `enforce_ttl` is set; return how many."""
        if not (oldest := objects.oldest(config, table)):
            return 0
        with self._talking(config, table) as client:
            old = Filter.by_property("event_ts").less_than(oldest)
            done = objects.use(client, config, table).data.delete_many(where=old)
        return int(done.successful)

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        """Say that reads and writes can be awaited: each runs in a thread, several beside each other."""
        return SupportedAsyncMethods(read=True, write=True)

    async def online_read_async(self, *args: Any, **named: Any) -> list[Read]:
        """Do `online_read` in a thread."""
        return await asyncio.to_thread(self.online_read, *args, **named)

    async def online_write_batch_async(self, *args: Any, **named: Any) -> None:
        """Do `online_write_batch` in a thread."""
        await asyncio.to_thread(self.online_write_batch, *args, **named)

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._opening:
            client, self._client = self._client, None
        if client:
            client.close()

    @contextmanager
    def _talking(self, config: RepoConfig, table: Any = None) -> Iterator[weaviate.WeaviateClient]:
        """Lend the client; its errors become Python's own, with a sentence. `table` must be there."""
        online = config.online_store
        with self._opening:
            if self._client is None:
                self._client = _connect(online)
                weakref.finalize(self, self._client.close)
            client = self._client
        where = f"Weaviate at {online.host}:{online.port}"
        try:
            yield client
        except WeaviateBaseError as error:
            if getattr(error, "status_code", None) in (401, 403) or "UNAUTHENTICATED" in str(error):
                raise PermissionError(
                    f"{where} does not accept the key; set online_store.api_key."
                ) from None
            if table is not None and "could not find class" in str(error):
                raise LookupError(
                    f"{where} has nothing of feature view {table.name} of project {config.project}; "
                    f"run `feast apply`."
                ) from None
            raise ConnectionError(f"{where} could not do it: {error}") from error


def _connect(online: Any) -> weaviate.WeaviateClient:
    """Connect; a server that does not answer on both ports is an error within seconds."""
    # Without the client's own checks, which ask a package index for news; proxies are not for servers of one's own.
    extra = AdditionalConfig(
        timeout=Timeout(init=2, query=online.timeout_seconds, insert=online.timeout_seconds),
        grpc_config=GrpcConfig(channel_options=[("grpc.enable_http_proxy", 0)]),
    )
    grpc_host, key = online.grpc_host or online.host, online.api_key
    try:
        socket.create_connection((grpc_host, online.grpc_port), READY_SECONDS).close()
        return weaviate.connect_to_custom(
            http_host=online.host,
            http_port=online.port,
            http_secure=online.secure,
            grpc_host=grpc_host,
            grpc_port=online.grpc_port,
            grpc_secure=online.secure,
            auth_credentials=Auth.api_key(key.get_secret_value()) if key else None,
            additional_config=extra,
            skip_init_checks=True,
        )
    except (WeaviateBaseError, OSError) as error:
        raise ConnectionError(
            f"No Weaviate answers at {online.host}:{online.port} (gRPC {grpc_host}:{online.grpc_port}): start it, "
            f"or correct host, port and grpc_port of online_store. ({error})"
        ) from None
