"""The colours of an index in a Weaviate server: one collection each, and an alias. Imported by `open_colours` only.

What is known of a colour is the description of its collection. Nothing is asked of the internet: the
client's own start-up checks, which ask a package index for its newest version, are left out; whether
the server answers is found out here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Self

import numpy as np
import weaviate
import weaviate.classes as wvc
from weaviate.auth import Auth
from weaviate.classes.config import Configure, DataType, Property, Tokenization
from weaviate.classes.query import Filter
from weaviate.collections import Collection
from weaviate.config import GrpcConfig
from weaviate.exceptions import UnexpectedStatusCodeError

from include.colours import Colour, check_kind, from_text, newest_first, to_text
from include.vectors_weaviate import PAGE, SEARCHED, WeaviateVectors
from include.weaviate_server import Server, ask_health, talking

# Neighbours that are looked at: recall@10 of .99 and more at some ten thousand chunks costs milliseconds.
EF = 512
EF_CONSTRUCTION = 256
# Of quantised vectors so many candidates for each hit asked for are compared once more, exactly.
RESCORED = 200
EXACT = ("chunk_id", "document_id", "revision", "author", "kind", "url")
NUMBERS = ("position", "start", "end")
DISTANCES = {
    "cosine": wvc.config.VectorDistances.COSINE,
    "dot": wvc.config.VectorDistances.DOT,
    "l2": wvc.config.VectorDistances.L2_SQUARED,
    "manhattan": wvc.config.VectorDistances.MANHATTAN,
}
UNSUPPORTED = {
    ("flat", "pq"): tuple(DISTANCES),
    ("flat", "sq"): tuple(DISTANCES),
    ("flat", "rq"): ("manhattan",),
    ("hnsw", "sq"): ("manhattan",),
    ("hnsw", "rq"): ("manhattan",),
}


def open_weaviate(
    host: str, port: int, grpc_port: int, key: str, first: Colour
) -> "WeaviateColours":
    """Connect to a server; one that does not answer, on either port, is an error within five seconds."""
    server = Server(host, port, grpc_port)
    ask_health(server)
    # Environment proxies are not for servers of one's own; gRPC would use them unasked.
    extra = wvc.init.AdditionalConfig(
        timeout=wvc.init.Timeout(init=2, query=30, insert=120),
        grpc_config=GrpcConfig(channel_options=[("grpc.enable_http_proxy", 0)]),
    )
    with talking(server):
        client = weaviate.connect_to_custom(
            http_host=host,
            http_port=port,
            http_secure=False,
            grpc_host=host,
            grpc_port=grpc_port,
            grpc_secure=False,
            auth_credentials=Auth.api_key(key) if key else None,
            additional_config=extra,
            skip_init_checks=True,
        )
    return WeaviateColours(client, server, first)


class WeaviateColours:
    """The collections of one index in one server; `first` is the colour that a write to nothing makes."""

    def __init__(self, client: weaviate.WeaviateClient, server: Server, first: Colour) -> None:
        self.client, self.server, self.first = client, server, first
        self._alias = f"Live{first.index}"
        self._known: set[str] = set()
        self._distances: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def all(self) -> list[Colour]:
        """List the colours, the newest publication first."""
        with talking(self.server):
            found = self.client.collections.list_all(simple=True).values()
        colours = [c for c in (from_text(f.description) for f in found) if c]
        return newest_first(c for c in colours if c.index == self.first.index)

    def live_name(self) -> str:
        """Name the collection that the alias points to; empty where there is none."""
        with talking(self.server):
            alias = self.client.alias.get(alias_name=self._alias)
        return alias.collection if alias else ""

    def note(self, colour: Colour) -> None:
        """Keep what is known of a colour."""
        with talking(self.server):
            self.client.collections.use(colour.name).config.update(description=to_text(colour))

    def point(self, name: str) -> None:
        """Point the alias to a collection; another process may do the same at this very moment."""
        with talking(self.server):
            if self.client.alias.update(alias_name=self._alias, new_target_collection=name):
                return
            try:
                self.client.alias.create(alias_name=self._alias, target_collection=name)
            except UnexpectedStatusCodeError:
                if not self.client.alias.update(alias_name=self._alias, new_target_collection=name):
                    raise

    def drop(self, name: str) -> None:
        """Delete a collection, and the alias where it points to it."""
        live = self.live_name()
        with talking(self.server):
            if live == name:
                self.client.alias.delete(alias_name=self._alias)
            self.client.collections.delete(name)
        self._known.discard(name)

    def store(self, colour: Colour | None = None) -> WeaviateVectors:
        """Open one colour, or whichever is live."""
        check_kind(colour or self.first, "Weaviate", UNSUPPORTED)
        return WeaviateVectors(self, colour)

    def purge(self, document_ids: Iterable[str], chunk_ids: Iterable[str]) -> int:
        """Erase whole documents, and chunks, out of every colour; returns how many chunks went.

        What is deleted from a collection stays in its files until the server happens to merge them. So a collection
        that holds something is copied without it, and dropped; searches go on meanwhile.
        """
        gone = {"document_id": set(document_ids), "chunk_id": set(chunk_ids)}
        return sum(self._without(colour, gone) for colour in self.all())

    def _without(self, colour: Colour, gone: Mapping[str, set[str]]) -> int:
        """Put a copy in the place of a colour that holds what has to go; returns how many chunks went."""
        old, copy = self.store(colour), replace(colour, copy=colour.copy + 1)
        held = self._held(colour.name, gone)
        # A copy that somebody began and did not finish has no description, and is no colour.
        if copy.name not in {c.name for c in self.all()}:
            with talking(self.server):
                self.client.collections.delete(copy.name)
            if not held:
                return 0
            self._fill(copy, old, gone)
        erased = old.count() - self.store(copy).count() if held else 0
        if self.live_name() == colour.name:
            self.point(copy.name)
        self.drop(colour.name)
        return erased

    def _fill(self, copy: Colour, old: WeaviateVectors, gone: Mapping[str, set[str]]) -> None:
        """Make a copy of a colour without what has to go; it is a colour once it is whole."""
        with talking(self.server):
            _create(self.client, copy, described=False)
        kept = (
            (chunk, vector)
            for chunk, vector in old.scan()
            if chunk.document_id not in gone["document_id"] and chunk.id not in gone["chunk_id"]
        )
        while page := list(islice(kept, PAGE)):
            self.store(copy).upsert([c for c, _ in page], np.stack([v for _, v in page]))
        self.note(copy)

    def _held(self, name: str, gone: Mapping[str, set[str]]) -> int:
        """Count what a collection holds of what has to go; what is asked for in two ways counts twice."""
        collection, held = self.client.collections.use(name), 0
        with talking(self.server):
            for name_of, values in gone.items():
                asked = sorted(values)
                for start in range(0, len(asked), PAGE):
                    where = Filter.by_property(name_of).contains_any(asked[start : start + PAGE])
                    found = collection.aggregate.over_all(filters=where, total_count=True)
                    held += found.total_count or 0
        return held

    def holds(self, document_id: str) -> int:
        """Count the chunks of a document over all colours."""
        where = Filter.by_property("document_id").equal(document_id)
        with talking(self.server):
            counts = [
                c.aggregate.over_all(filters=where, total_count=True).total_count
                for c in self._collections()
            ]
        return sum(count or 0 for count in counts)

    def exists(self, name: str) -> bool:
        """Tell whether somebody has made a collection; what was there once is not asked for again."""
        if name not in self._known and self.client.collections.exists(name):
            self._known.add(name)
        return name in self._known

    def made(self, colour: Colour) -> str:
        """Make a colour's collection if need be; another process may do the same at this very moment."""
        if not self.client.collections.exists(colour.name):
            try:
                _create(self.client, colour)
            except UnexpectedStatusCodeError:
                if not self.client.collections.exists(colour.name):
                    raise
        return colour.name

    def distance(self, name: str) -> str:
        """Tell how the vectors of a collection are compared; that never changes."""
        if name not in self._distances:
            self._distances |= {c.name: c.distance for c in self.all()}
        return self._distances.get(name, self.first.distance)

    def _collections(self) -> list[Collection]:
        return [self.client.collections.use(c.name) for c in self.all()]


def _create(client: weaviate.WeaviateClient, colour: Colour, *, described: bool = True) -> None:
    """Make a collection for vectors that come from outside; without its description it is no colour yet."""
    # No words are left out of the index: the author may write in any language.
    words = Configure.inverted_index(stopwords_preset=wvc.config.StopwordsPreset.NONE)
    client.collections.create(
        colour.name,
        description=to_text(colour) if described else None,
        vector_config=Configure.Vectors.self_provided(vector_index_config=_index(colour)),
        inverted_index_config=words,
        properties=[*_properties()],
    )


def _index(colour: Colour) -> Any:
    quantizers = Configure.VectorIndex.Quantizer
    makers: dict[str, Callable[[], Any]] = {
        "none": quantizers.none,
        "pq": quantizers.pq,
        "bq": lambda: quantizers.bq(rescore_limit=RESCORED),
        "sq": lambda: quantizers.sq(rescore_limit=RESCORED),
        "rq": lambda: quantizers.rq(rescore_limit=RESCORED),
    }
    quantizer = makers[colour.quantizer]()
    distance = DISTANCES[colour.distance]
    if colour.structure == "flat":
        return Configure.VectorIndex.flat(distance_metric=distance, quantizer=quantizer)
    return Configure.VectorIndex.hnsw(
        distance_metric=distance, ef=EF, ef_construction=EF_CONSTRUCTION, quantizer=quantizer
    )


def _properties() -> Iterator[Property]:
    """Describe the fields. Whole-field tokens where values are compared: words would match loosely."""
    for name in (*SEARCHED, *EXACT):
        words = name in SEARCHED
        yield Property(
            name=name,
            data_type=DataType.TEXT,
            tokenization=Tokenization.WORD if words else Tokenization.FIELD,
            index_filterable=not words,
            index_searchable=words,
        )
    for name in NUMBERS:
        yield Property(name=name, data_type=DataType.INT, index_filterable=False)
    yield Property(name="published_at", data_type=DataType.DATE, index_filterable=True)
