"""One colour of an index in a Weaviate server: vectors, BM25, filters. Opened by `include/colours_weaviate.py`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
import stamina
import weaviate.classes as wvc
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections import Collection
from weaviate.exceptions import WeaviateInsertManyAllFailedError, WeaviateQueryError

from include.colours import Colour, publish_first
from include.vectors import (
    MOST,
    Filters,
    Only,
    Vector,
    best_first,
    check_batch,
    check_dimensions,
    check_question,
    from_row,
    object_id,
    to_row,
)
from include.weaviate_server import talking
from ml.types import Chunk, Hit

if TYPE_CHECKING:
    from include.colours_weaviate import WeaviateColours

PAGE = 500
# While vectors that are there are being made smaller, a collection takes no others: so long, looked at so often.
QUANTISING_SECONDS, PAUSE = 300.0, 0.2
QUANTISING = "UpdateVectorIndexConfigs"
SEARCHED = ("text", "heading", "title")


def _is_being_made(error: Exception) -> bool:
    """Tell whether a collection is in the schema already and its index not yet: somebody makes it just now."""
    return isinstance(error, WeaviateQueryError) and "non-existing index" in str(error)


class WeaviateVectors:
    """One colour, or whichever is live; threads may share it."""

    def __init__(self, colours: "WeaviateColours", colour: Colour | None) -> None:
        self._colours, self._colour = colours, colour
        self._client, self._server = colours.client, colours.server
        self._sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def upsert(self, chunks: Sequence[Chunk], embeddings: Vector) -> None:
        """Write chunks with their embeddings (n, d); a chunk with a known id replaces the former one."""
        batch = list(check_batch(chunks, embeddings).values())
        if not batch:
            return
        with talking(self._server):
            collection = self._made()
            check_dimensions(collection.name, self._dimensions(collection), len(batch[0][1]))
            for start in range(0, len(batch), PAGE):
                _insert(collection, batch[start : start + PAGE])
            if self._colour is None and not self._colours.live_name():
                publish_first(self._colours, self._colours.first)

    def delete(self, chunk_ids: Iterable[str]) -> None:
        """Take chunks out; unknown ids are none of its business."""
        names = [object_id(i) for i in sorted(set(chunk_ids))]
        with talking(self._server):
            if not names or (collection := self._found()) is None:
                return
            for start in range(0, len(names), PAGE):
                these = Filter.by_id().contains_any(names[start : start + PAGE])
                if failed := collection.data.delete_many(where=these).failed:
                    raise OSError(
                        f"{failed} chunks are still in {collection.name}; delete them again."
                    )

    def purge(self, document_ids: Iterable[str] = (), chunk_ids: Iterable[str] = ()) -> int:
        """Erase whole documents, and chunks, out of every colour; returns how many chunks went."""
        return self._colours.purge(document_ids, chunk_ids)

    def holds(self, document_id: str) -> int:
        """Count the chunks of a document over all colours."""
        return self._colours.holds(document_id)

    def ids(self) -> set[str]:
        """Name every chunk of the index."""
        with talking(self._server):
            if (collection := self._found()) is None:
                return set()
            objects = collection.iterator(return_properties=["chunk_id"], cache_size=PAGE)
            return {str(o.properties["chunk_id"]) for o in objects}

    def count(self) -> int:
        """Count the chunks of the index."""
        with talking(self._server):
            collection = self._found()
            return 0 if collection is None else len(collection)

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk without its embedding."""
        with talking(self._server):
            if (collection := self._found()) is not None:
                for o in collection.iterator(cache_size=PAGE):
                    yield from_row(o.properties)

    def scan(self) -> Iterator[tuple[Chunk, Vector]]:
        """Yield every chunk with its embedding."""
        with talking(self._server):
            if (collection := self._found()) is not None:
                for o in collection.iterator(include_vector=True, cache_size=PAGE):
                    yield from_row(o.properties), np.asarray(o.vector["default"], np.float32)

    def search(
        self, text: str, embedding: Vector, *, limit: int, alpha: float = 0.7, **only: Unpack[Only]
    ) -> list[Hit]:
        """Find by meaning and by words (BM25), best first; see `VectorStore.search`."""
        vector = check_question(embedding, limit, alpha)
        condition = _condition(Filters(**only))
        with talking(self._server):
            if (collection := self._asked(vector, limit)) is None:
                return []
            found: Any = collection.query.hybrid(
                text,
                vector=vector.tolist(),
                alpha=alpha,
                limit=min(limit, MOST),
                filters=condition,
                query_properties=list(SEARCHED),
                fusion_type=wvc.query.HybridFusion.RELATIVE_SCORE,
                return_metadata=MetadataQuery(score=True),
            )
        return best_first(((o.properties, o.metadata.score) for o in found.objects), limit)

    def dense(self, embedding: Vector, *, limit: int, **only: Unpack[Only]) -> list[Hit]:
        """Find by meaning alone, best first; see `VectorStore.dense`."""
        vector = check_question(embedding, limit)
        condition = _condition(Filters(**only))
        with talking(self._server):
            if (collection := self._asked(vector, limit)) is None:
                return []
            found: Any = collection.query.near_vector(
                vector.tolist(),
                limit=min(limit, MOST),
                filters=condition,
                return_metadata=MetadataQuery(distance=True),
            )
        cosine = self._colours.distance(collection.name) == "cosine"
        scored = ((o.properties, float(cosine) - o.metadata.distance) for o in found.objects)
        return best_first(scored, limit)

    def _asked(self, vector: Vector, limit: int) -> Collection | None:
        """Return the collection if a question to it can find anything."""
        collection = self._found() if limit > 0 else None
        if collection is not None:
            check_dimensions(collection.name, self._dimensions(collection), len(vector))
        return collection

    def _found(self) -> Collection | None:
        """Return the collection if somebody has made it."""
        if self._colour is None:
            name = self._colours.live_name()
        else:
            name = self._colour.name if self._colours.exists(self._colour.name) else ""
        return self._client.collections.use(name) if name else None

    def _made(self) -> Collection:
        """Return the collection, made if need be.

        Asked anew at every write: a server that misses a collection would invent one without its settings.
        """
        live = "" if self._colour else self._colours.live_name()
        return self._client.collections.use(
            live or self._colours.made(self._colour or self._colours.first)
        )

    @stamina.retry(on=_is_being_made, timeout=5.0, wait_initial=0.05, attempts=None)
    def _dimensions(self, collection: Collection) -> int | None:
        """Return the size of the stored vectors, None where there are none."""
        if collection.name not in self._sizes:
            first = collection.query.fetch_objects(limit=1, include_vector=True).objects
            if first:
                self._sizes[collection.name] = len(first[0].vector["default"])
        return self._sizes.get(collection.name)


def _insert(collection: Collection, batch: Sequence[tuple[Chunk, Vector]]) -> None:
    """Write chunks; while the collection makes its vectors smaller, they wait.

    It says so of one chunk and takes none of the others either: all are written again.
    """
    objects = [
        wvc.data.DataObject(properties=to_row(c), uuid=object_id(c.id), vector=v.tolist())
        for c, v in batch
    ]
    deadline = time.monotonic() + QUANTISING_SECONDS
    while refused := _refused(collection, objects):
        if time.monotonic() > deadline or not any(QUANTISING in said for said in refused):
            raise OSError(
                f"{len(refused)} of {len(batch)} chunks were not written to {collection.name}; "
                f"try again. ({refused[0]})"
            )
        time.sleep(PAUSE)


def _refused(collection: Collection, objects: Sequence[Any]) -> list[str]:
    """Write objects; returns the reason of each that was not taken."""
    try:
        return [e.message for e in collection.data.insert_many(objects).errors.values()]
    except WeaviateInsertManyAllFailedError as error:
        return [str(error)] * len(objects)


def _condition(where: Filters) -> Any:
    """Build the filter; None asks nothing."""
    asked = []
    for name in ("author", "kind"):
        if (value := getattr(where, name)) is not None:
            asked.append(Filter.by_property(name).equal(value))
    if where.since is not None:
        asked.append(Filter.by_property("published_at").greater_or_equal(where.since))
    if where.until is not None:
        asked.append(Filter.by_property("published_at").less_than(where.until))
    return Filter.all_of(asked) if asked else None
