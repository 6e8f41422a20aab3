"""The colours of an index in a LanceDB folder: one table each, and small files. Imported by `open_colours` only.

`NAME.colour` keeps what is known of a colour, `INDEX.live` names the one that is live; both are
replaced as whole files, so that a reader sees the old or the new one.
"""

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import lancedb
from lancedb.expr import col, lit
from lancedb.index import HnswFlat, HnswPq, HnswSq, IvfPq, IvfRq, IvfSq
from lancedb.table import Table

from include.colours import Colour, check_kind, from_text, newest_first, to_text
from include.vectors import MOST
from include.vectors_lance import DELETE_BATCH, LanceVectors
from ml.files import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

INDEXES: Mapping[tuple[str, str], Any] = {
    ("flat", "none"): None,
    ("flat", "pq"): IvfPq,
    ("flat", "sq"): IvfSq,
    ("flat", "rq"): IvfRq,
    ("hnsw", "none"): HnswFlat,
    ("hnsw", "pq"): HnswPq,
    ("hnsw", "sq"): HnswSq,
}
EVERY = ("cosine", "dot", "l2", "manhattan")
UNSUPPORTED = {
    (structure, quantizer): ("manhattan",) if (structure, quantizer) in INDEXES else EVERY
    for structure in ("hnsw", "flat")
    for quantizer in ("none", "pq", "bq", "sq", "rq")
}


def open_lance(folder: str, first: Colour) -> "LanceColours":
    """Open a folder; it is made by the first write."""
    if Path(folder).exists() and not Path(folder).is_dir():
        raise ValueError(f"TWIN_VECTORS_URL names {folder}, which is a file; name a folder.")
    return LanceColours(Path(folder), first)


class LanceColours:
    """The tables of one index in one folder; `first` is the colour that a write to nothing makes."""

    def __init__(self, folder: Path, first: Colour) -> None:
        self.first = first
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; nothing is held open."""

    def all(self) -> list[Colour]:
        """List the colours, the newest publication first."""
        files = self._folder.glob(f"{self.first.index}_*.colour")
        colours = [c for c in (from_text(f.read_text()) for f in files) if c]
        return newest_first(c for c in colours if c.index == self.first.index)

    def live_name(self) -> str:
        """Name the table that is live; empty where there is none."""
        file = self._pointer()
        return file.read_text().strip() if file.exists() else ""

    def note(self, colour: Colour) -> None:
        """Keep what is known of a colour."""
        write_whole(self._file(colour.name), to_text(colour))

    def point(self, name: str) -> None:
        """Name the table that is live."""
        write_whole(self._pointer(), name)

    def drop(self, name: str) -> None:
        """Delete a table; what is known of it goes first, so that a kill leaves nothing half alive."""
        if self.live_name() == name:
            self._pointer().unlink()
        self._file(name).unlink(missing_ok=True)
        with self.writing():
            if self.table(name) is not None:
                _connect(self._folder).drop_table(name)

    def store(self, colour: Colour | None = None) -> LanceVectors:
        """Open one colour, or whichever is live."""
        check_kind(colour or self.first, "LanceDB", UNSUPPORTED)
        return LanceVectors(self, colour)

    def purge(self, document_ids: Iterable[str], chunk_ids: Iterable[str]) -> int:
        """Erase whole documents, and chunks, out of every colour, former versions of its table included."""
        asked = (("document_id", sorted(set(document_ids))), ("chunk_id", sorted(set(chunk_ids))))
        if not any(values for _, values in asked):
            return 0
        with self._reading_all() as tables:
            before = sum(t.count_rows() for t in tables)
            for table in tables:
                for name, values in asked:
                    for start in range(0, len(values), DELETE_BATCH):
                        table.delete(col(name).isin(values[start : start + DELETE_BATCH]))
                table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
            return before - sum(t.count_rows() for t in tables)

    def holds(self, document_id: str) -> int:
        """Count the chunks of a document over all colours."""
        where = col("document_id") == lit(document_id)
        tables = [t for c in self.all() if (t := self.table(c.name)) is not None]
        found = (t.search().where(where).select(["chunk_id"]).to_arrow() for t in tables)
        return sum(f.num_rows for f in found)

    def table(self, name: str) -> Table | None:
        """Open a table if somebody has made it."""
        if not name or not self._folder.is_dir():
            return None
        database = _connect(self._folder)
        return (
            database.open_table(name) if name in database.list_tables(limit=MOST).tables else None
        )

    def made(self, colour: Colour, schema: "pa.Schema") -> Table:
        """Make a colour's table; called by the one writer that is let in."""
        if not self._file(colour.name).exists():
            self.note(colour)
        return self.table(colour.name) or _connect(self._folder).create_table(
            colour.name, schema=schema
        )

    def known(self, name: str) -> Colour:
        """Return what is known of a colour."""
        return from_text(self._file(name).read_text()) or self.first

    def vector_index(self, name: str) -> Any:
        """Describe the index over the vectors of a table; None stands for comparing all of them."""
        colour = self.known(name)
        kind = INDEXES[colour.structure, colour.quantizer]
        return kind and kind(distance_type=colour.distance, num_partitions=1)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let one writer in at a time: of two that insert the same chunk at once, Lance keeps both."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self.first.index}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _reading_all(self) -> Iterator[list[Table]]:
        """Open every table while nobody else writes."""
        if not self._folder.is_dir():
            yield []
            return
        with self.writing():
            yield [t for c in self.all() if (t := self.table(c.name)) is not None]

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.colour"

    def _pointer(self) -> Path:
        return self._folder / f"{self.first.index}.live"


def _connect(folder: Path) -> lancedb.DBConnection:
    """Connect so that every read sees what other processes wrote."""
    return lancedb.connect(folder, read_consistency_interval=timedelta(0))
