"""The one door to the vector index: passages, their embeddings, and a search that mixes meaning with words.

Two stores stand behind it and behave alike: Weaviate (a server) and LanceDB (a folder). An index has
colours (see include/colours.py); one is made by the first write to it, never by a read. Filters
mean the same everywhere: `since` is included, `until` is not, both are times with a zone, and a
passage without a date is outside every period.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Protocol, Self, TypedDict, Unpack
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from include.colours import Colour, Colours, wanted_colour
from include.settings import Settings
from ml.types import Chunk, Hit, Kind, digest

Vector = NDArray[np.float32]
# Both ways of searching put forward this many before they are mixed; Weaviate does the same.
CANDIDATES = 100
# Weaviate gives no more than this in one answer.
MOST = 10_000
WEAVIATE_PORT = 8080


class Only(TypedDict, total=False):
    """What a search may ask of a passage besides its meaning; None and absent ask nothing."""

    author: str | None
    kind: Kind | None
    since: datetime | None
    until: datetime | None


class VectorStore(Protocol):
    """One colour of an index of chunks. Writing twice changes nothing; a colour that nobody made is empty.

    A store of the live colour follows the alias at every call; its first write publishes a colour.
    """

    def upsert(self, chunks: Sequence[Chunk], embeddings: Vector) -> None:
        """Write chunks with their embeddings (n, d); a chunk with a known id replaces the former one."""

    def delete(self, chunk_ids: Iterable[str]) -> None:
        """Take chunks out; unknown ids are none of its business."""

    def purge(self, document_ids: Iterable[str] = (), chunk_ids: Iterable[str] = ()) -> int:
        """Erase whole documents, and chunks, out of every colour; returns how many chunks went."""

    def holds(self, document_id: str) -> int:
        """Count the chunks of a document over all colours: 0 proves that it was erased."""

    def ids(self) -> set[str]:
        """Name every chunk of the index."""

    def count(self) -> int:
        """Count the chunks of the index."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk without its embedding, in no order that anyone may rely on."""

    def scan(self) -> Iterator[tuple[Chunk, Vector]]:
        """Yield every chunk with its embedding, in no order that anyone may rely on."""

    def search(
        self, text: str, embedding: Vector, *, limit: int, alpha: float = 0.7, **only: Unpack[Only]
    ) -> list[Hit]:
        """Find by meaning and by words (BM25), best first; `alpha` 1 is meaning alone, 0 is words alone.

        Each way's scores are stretched to 0…1 over what it put forward, then mixed (relative-score fusion).
        """

    def dense(self, embedding: Vector, *, limit: int, **only: Unpack[Only]) -> list[Hit]:
        """Find by meaning alone, best first.

        The score is the cosine or the dot product, or minus the distance (squared for l2).
        """

    def close(self) -> None:
        """Close the connection; closing twice is fine."""

    def __enter__(self) -> Self:
        """Hand the open store to a `with` block, which closes it."""

    def __exit__(self, *raised: object) -> None:
        """Close."""


def open_vectors(settings: Settings, colour: Colour | None = None) -> VectorStore:
    """Open the live colour of a world's index, or one that is named; see `open_colours`."""
    return open_colours(settings).store(colour)


def open_colours(settings: Settings) -> Colours:
    """Open the index of a world: Weaviate or LanceDB, as TWIN_VECTORS_URL says.

    A malformed address is a ValueError, a server that does not answer within five seconds a ConnectionError.
    """
    url = settings.vectors_url or f"weaviate://127.0.0.1:{settings.port('weaviate')}"
    first = wanted_colour(settings, collection_name(settings.mongo_database), "")
    if url.startswith("lancedb://"):
        from include.colours_lance import open_lance

        return open_lance(_folder(url), first)
    host, port = _host_and_port(url)
    from include.colours_weaviate import open_weaviate

    key = settings.vectors_api_key.get_secret_value()
    return open_weaviate(host, port, settings.port("weaviate_grpc"), key, first)


def collection_name(database: str) -> str:
    """Name the index of a world; what Weaviate cannot write is replaced, and a hash keeps names apart."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in database)
    return f"Chunks_{plain}" if plain == database else f"Chunks_{plain}_{digest(database)[:8]}"


def _folder(url: str) -> str:
    """Read the folder of a LanceDB address. No URL parser: a folder may have any character in its name."""
    folder = url.removeprefix("lancedb://")
    if not folder.startswith("/") or not folder.strip("/"):
        raise _wrong(url)
    return folder


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or WEAVIATE_PORT
    except ValueError:
        raise _wrong(url) from None
    if parts.scheme != "weaviate" or not host or parts.path.strip("/") or parts.username:
        raise _wrong(url)
    return host, port


def _wrong(url: str) -> ValueError:
    shown = re.sub(r"//[^/]*@", "//…@", url)
    return ValueError(
        f"TWIN_VECTORS_URL is {shown!r}; it has to look like weaviate://host:8080 or "
        "lancedb:///folder (three slashes), or be empty for the embedded Weaviate. Keys go into TWIN_VECTORS_API_KEY."
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """What a passage has to be; a field that is None asks nothing."""

    author: str | None = None
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            check_zone(name, getattr(self, name))


def check_zone(name: str, moment: datetime | None) -> None:
    """Refuse a time without a zone: the two stores would read it differently."""
    if moment is not None and moment.tzinfo is None:
        raise ValueError(
            f"{name} is {moment.isoformat()}, a time without a zone; add one, for example UTC."
        )


def check_batch(chunks: Sequence[Chunk], embeddings: Vector) -> dict[str, tuple[Chunk, Vector]]:
    """Pair chunks with their embeddings by id, the last one winning; refuse what would spoil an index."""
    vectors = np.asarray(embeddings, dtype=np.float32)
    if len(chunks) != len(vectors):
        raise ValueError(
            f"There are {len(chunks)} chunks and {len(vectors)} embeddings; embed every chunk once."
        )
    if not chunks:
        return {}
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError(f"Embeddings have the shape {vectors.shape}; it has to be (chunks, size).")
    usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    if not usable.all():
        broken = chunks[int(np.argmin(usable))].id
        raise ValueError(
            f"The embedding of chunk {broken} is zero or not finite; check the embedder."
        )
    for chunk in chunks:
        check_zone(f"published_at of chunk {chunk.id}", chunk.published_at)
    return {c.id: (c, v) for c, v in zip(chunks, vectors, strict=True)}


def check_question(embedding: Vector, limit: int, alpha: float = 1.0) -> Vector:
    """Refuse a question that has no meaning as a vector; `limit` may be anything."""
    vector = np.asarray(embedding, dtype=np.float32)
    if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(
            f"The question's embedding (shape {vector.shape}) has to be one finite vector that is not zero."
        )
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha is {alpha}; it has to be between 0 (words) and 1 (meaning).")
    return vector


def check_dimensions(name: str, stored: int | None, given: int) -> None:
    """Refuse vectors of another size than those of the index; None stands for an index without any."""
    if stored is not None and stored != given:
        raise ValueError(
            f"The index {name} holds vectors of {stored} numbers, these have {given}: the embedder is another one. "
            "Set TWIN_EMBEDDER back, or TWIN_MONGO_DATABASE to a new name and run the pipeline again."
        )


def best_first(scored: Iterable[tuple[Mapping[str, Any], float]], limit: int) -> list[Hit]:
    """Turn scored rows into hits, best first; equal ones by id, so that nothing depends on chance."""
    hits = [Hit(from_row(row), float(score)) for row, score in scored]
    return sorted(hits, key=lambda h: (-h.score, h.chunk.id))[:limit]


def object_id(chunk_id: str) -> uuid.UUID:
    """Name a chunk the way Weaviate names objects."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"chunk:{chunk_id}")


def to_row(chunk: Chunk) -> dict[str, Any]:
    """Turn a chunk into what a store keeps; Weaviate reserves the name `id` and knows absent, not null."""
    row = {k: v for k, v in asdict(chunk).items() if v is not None}
    row["chunk_id"] = row.pop("id")
    return row


def from_row(row: Mapping[str, Any]) -> Chunk:
    """Turn what a store kept back into a chunk."""
    values: dict[str, Any] = {
        f.name: row.get("chunk_id" if f.name == "id" else f.name) for f in fields(Chunk)
    }
    if published := values["published_at"]:
        values["published_at"] = published.astimezone(UTC)
    return Chunk(**values)
