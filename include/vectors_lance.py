"""One colour of an index in a LanceDB folder: vectors, a full-text index, filters (see `include/colours_lance.py`).

A small table is searched vector by vector, which is exact and takes milliseconds; from INDEXED_FROM
rows on, the index that the settings name is made. Rows that an index does not hold yet are searched
as well; `optimize` only keeps it quick.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from lancedb.expr import Expr, col, lit
from lancedb.index import FTS
from lancedb.query import LanceQueryBuilder, MatchQuery
from lancedb.table import Table

from include.colours import Colour, publish_first
from include.vectors import (
    CANDIDATES,
    MOST,
    Filters,
    Only,
    Vector,
    best_first,
    check_batch,
    check_dimensions,
    check_question,
    from_row,
    to_row,
)
from ml.types import Chunk, Hit

if TYPE_CHECKING:
    import pyarrow as pa

    from include.colours_lance import LanceColours

# Other processes may be reading the versions of the last minutes.
KEEP_VERSIONS = timedelta(minutes=5)
DELETE_BATCH = 1_000
# Rows from which an index over the vectors is quicker than none.
INDEXED_FROM = 2_000
# Candidates for each hit that are compared once more, exactly; neighbours that are looked at in a graph.
REFINED = 10
EF = 512
SCANNED = 1_000
TEXTS = ("chunk_id", "document_id", "revision", "text", "heading", "author", "kind", "title", "url")
NUMBERS = ("position", "start", "end", "published_us")
COLUMNS = (*TEXTS, *NUMBERS)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Scored = dict[str, tuple[Mapping[str, Any], float]]


class LanceVectors:
    """One colour, or whichever is live; any number of processes may read and write it."""

    def __init__(self, colours: "LanceColours", colour: Colour | None) -> None:
        self._colours, self._colour = colours, colour
        self._table: Table | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._table = None

    def upsert(self, chunks: Sequence[Chunk], embeddings: Vector) -> None:
        """Write chunks with their embeddings (n, d); a chunk with a known id replaces the former one."""
        batch = check_batch(chunks, embeddings)
        if not batch:
            return
        size = len(next(iter(batch.values()))[1])
        rows = _to_lance(batch.values(), size)
        with self._colours.writing():
            table = self._made(size)
            check_dimensions(table.name, _size(table), size)
            merge = table.merge_insert("chunk_id").when_matched_update_all()
            merge.when_not_matched_insert_all().execute(rows)
            self._tidy(table)
            if self._colour is None and not self._colours.live_name():
                publish_first(self._colours, self._colours.first)

    def delete(self, chunk_ids: Iterable[str]) -> None:
        """Take chunks out; unknown ids are none of its business."""
        ids, table = sorted(set(chunk_ids)), self._found()
        if table is None or not ids:
            return
        with self._colours.writing():
            for start in range(0, len(ids), DELETE_BATCH):
                table.delete(col("chunk_id").isin(ids[start : start + DELETE_BATCH]))
            self._tidy(table)

    def purge(self, document_ids: Iterable[str] = (), chunk_ids: Iterable[str] = ()) -> int:
        """Erase whole documents, and chunks, out of every colour; returns how many chunks went."""
        return self._colours.purge(document_ids, chunk_ids)

    def holds(self, document_id: str) -> int:
        """Count the chunks of a document over all colours."""
        return self._colours.holds(document_id)

    def ids(self) -> set[str]:
        """Name every chunk of the index."""
        table = self._found()
        if table is None:
            return set()
        return set(table.search().select(["chunk_id"]).to_arrow()["chunk_id"].to_pylist())

    def count(self) -> int:
        """Count the chunks of the index."""
        table = self._found()
        return 0 if table is None else table.count_rows()

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk without its embedding."""
        return (from_row(_from_lance(row)) for row in self._all_rows(COLUMNS))

    def scan(self) -> Iterator[tuple[Chunk, Vector]]:
        """Yield every chunk with its embedding."""
        for row in self._all_rows([*COLUMNS, "vector"]):
            yield from_row(_from_lance(row)), np.asarray(row["vector"], dtype=np.float32)

    def search(
        self, text: str, embedding: Vector, *, limit: int, alpha: float = 0.7, **only: Unpack[Only]
    ) -> list[Hit]:
        """Find by meaning and by words (BM25), best first; see `VectorStore.search`."""
        vector, where = check_question(embedding, limit, alpha), Filters(**only)
        table = self._asked(vector, limit)
        if table is None:
            return []
        wanted = min(max(limit, CANDIDATES), MOST)
        dense = (
            _by_meaning(table, self._colours.known(table.name), vector, where, wanted)
            if alpha > 0
            else {}
        )
        words = _by_words(table, text, where, wanted) if alpha < 1 else {}
        return best_first(_fuse(dense, words, alpha).values(), limit)

    def dense(self, embedding: Vector, *, limit: int, **only: Unpack[Only]) -> list[Hit]:
        """Find by meaning alone, best first; see `VectorStore.dense`."""
        vector, where = check_question(embedding, limit), Filters(**only)
        table = self._asked(vector, limit)
        if table is None:
            return []
        colour = self._colours.known(table.name)
        found = _by_meaning(table, colour, vector, where, min(limit, MOST))
        return best_first(found.values(), limit)

    def _all_rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        table = self._found()
        if table is not None:
            for batch in table.search().select(list(columns)).to_batches(SCANNED):
                yield from batch.to_pylist()

    def _asked(self, vector: Vector, limit: int) -> Table | None:
        """Return the table if a question to it can find anything."""
        table = self._found() if limit > 0 else None
        if table is not None:
            check_dimensions(table.name, _size(table), len(vector))
        return table

    def _found(self) -> Table | None:
        """Open the table if somebody has made it."""
        name = self._colour.name if self._colour else self._colours.live_name()
        if self._table is None or self._table.name != name:
            self._table = self._colours.table(name)
        return self._table

    def _made(self, size: int) -> Table:
        """Open the table, or make it with its full-text index: words as they are, in any language."""
        table = self._found()
        if table is None:
            colour = self._colour or self._colours.first
            self._table = table = self._colours.made(colour, _schema(size))
        if not any(i.index_type == "FTS" for i in table.list_indices()):
            plain = FTS(
                stem=False, remove_stop_words=False, ascii_folding=False, max_token_length=None
            )
            table.create_index("searched", config=plain)
        return table

    def _tidy(self, table: Table) -> None:
        """Bring the indices up to date and drop old versions; a vector index is made when it is worth it."""
        table.optimize(cleanup_older_than=KEEP_VERSIONS)
        config = self._colours.vector_index(table.name)
        if config is None or table.count_rows() < INDEXED_FROM:
            return
        if all("vector" not in i.columns for i in table.list_indices()):
            table.create_index("vector", config=config)


def _by_meaning(table: Table, colour: Colour, vector: Vector, where: Filters, limit: int) -> Scored:
    """Score by cosine or dot product, or by minus the squared distance; candidates are compared exactly."""
    query: Any = table.search(vector, vector_column_name="vector")
    query = query.distance_type(colour.distance).refine_factor(REFINED)
    if colour.structure == "hnsw":
        query = query.ef(max(EF, limit * REFINED))
    best = 0.0 if colour.distance == "l2" else 1.0
    return {r["chunk_id"]: (r, best - r["_distance"]) for r in _rows(query, where, limit)}


def _by_words(table: Table, text: str, where: Filters, limit: int) -> Scored:
    """Score by BM25. The question is data: it is matched word by word and never parsed."""
    matching: Any = MatchQuery
    query = table.search(matching(text, "searched"), query_type="fts")
    return {r["chunk_id"]: (r, r["_score"]) for r in _rows(query, where, limit)}


def _rows(query: LanceQueryBuilder, where: Filters, limit: int) -> list[dict[str, Any]]:
    condition = _condition(where)
    if condition is not None:
        query = query.where(condition, prefilter=True)
    return [_from_lance(row) for row in query.limit(limit).to_list()]


def _condition(where: Filters) -> Expr | None:
    """Build the filter from values, never from text, so that no value can break out of it."""
    asked: list[Expr] = []
    if where.author is not None:
        asked.append(col("author") == lit(where.author))
    if where.kind is not None:
        asked.append(col("kind") == lit(where.kind))
    if where.since is not None:
        asked.append(col("published_us") >= lit(_microseconds(where.since)))
    if where.until is not None:
        asked.append(col("published_us") < lit(_microseconds(where.until)))
    condition: Expr | None = None
    for part in asked:
        condition = part if condition is None else condition & part
    return condition


def _fuse(dense: Scored, words: Scored, alpha: float) -> Scored:
    """Mix two rankings by their stretched scores; what only one of them found gets nothing from the other."""
    meaning, spoken = _stretch(dense), _stretch(words)
    return {
        i: (row, alpha * meaning.get(i, 0.0) + (1 - alpha) * spoken.get(i, 0.0))
        for i, (row, _) in {**words, **dense}.items()
    }


def _stretch(found: Scored) -> dict[str, float]:
    """Stretch scores to 0…1; where all are equal, all are as good as it gets."""
    scores = {i: score for i, (_, score) in found.items()}
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    if high == low:
        return dict.fromkeys(scores, 1.0)
    return {i: (score - low) / (high - low) for i, score in scores.items()}


def _schema(size: int) -> "pa.Schema":
    import pyarrow as pa

    columns = [pa.field(t, pa.string()) for t in (*TEXTS, "searched")]
    columns += [pa.field(n, pa.int64()) for n in NUMBERS]
    return pa.schema([*columns, pa.field("vector", pa.list_(pa.float32(), size))])


def _size(table: Table) -> int:
    size: int = table.schema.field("vector").type.list_size
    return size


def _to_lance(batch: Iterable[tuple[Chunk, Vector]], size: int) -> "pa.Table":
    import pyarrow as pa

    rows = [{**_to_columns(chunk), "vector": vector} for chunk, vector in batch]
    return pa.Table.from_pylist(rows, _schema(size))


def _to_columns(chunk: Chunk) -> dict[str, Any]:
    row = to_row(chunk)
    moment = row.pop("published_at", None)
    row["published_us"] = None if moment is None else _microseconds(moment)
    row["searched"] = f"{chunk.title}\n{chunk.heading}\n{chunk.text}"
    return row


def _from_lance(row: dict[str, Any]) -> dict[str, Any]:
    moment = row["published_us"]
    return {**row, "published_at": None if moment is None else EPOCH + moment * MICROSECOND}


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND
