"""Embeddings that were computed once: a SQLite file, keyed by the embedder's fingerprint and the exact text.

It outlives the index: a rebuild, or a switch of embedder and back, computes nothing twice. It is a
cache only: lost or damaged, it fills again. It holds no texts, but an embedding gives away much of
what its text says, so what leaves the corpus leaves this file as well (`forget_embeddings`,
`forget_documents`). Not here: how texts are embedded (ml/embed.py), and the index (include/vectors.py).
"""

import hashlib
import logging
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from include.settings import Settings
from ml.embed import Embedder, Precision, describe_files, load_embedder
from ml.files import locked
from ml.types import Chunk

log = logging.getLogger(__name__)

Vector = NDArray[np.float32]
Result = TypeVar("Result")

# How long one process waits while another writes.
PATIENCE_SECONDS = 30.0
# `embeddings.text` is the sha256 of the text, `vector` its float32 bytes with their CRC-32 behind them.
TABLES = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
CREATE TABLE embeddings (
    text BLOB NOT NULL, embedder TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (text, embedder)
);
CREATE TABLE holders (
    document TEXT NOT NULL, text BLOB NOT NULL, PRIMARY KEY (document, text)
) WITHOUT ROWID;
CREATE INDEX holders_text ON holders (text);
"""


def open_embedder(settings: Settings) -> Embedder:
    """Load the embedder that the settings name, or take the one that this process loaded from the same files."""
    files = describe_files(settings.embedder)
    named = (settings.embedder, settings.cache_dir, settings.embedder_precision)
    return _loaded(*named, files, os.getpid())


def embed_chunks(
    settings: Settings, embedder: Embedder, chunks: Sequence[Chunk]
) -> tuple[Vector, int]:
    """Give chunks their unit vectors (n, d), from the cache where it has them; also count what was computed.

    Every block that is computed is kept at once, so that a kill costs one block. No chunks: the file
    is not even opened.
    """
    if not chunks:
        return np.zeros((0, embedder.dimensions), dtype=np.float32), 0
    texts = list(dict.fromkeys(c.text for c in chunks))
    held = {(c.document_id, _hash(c.text)) for c in chunks}

    def work(cache: sqlite3.Connection) -> tuple[Vector, int]:
        known = _read(cache, embedder, texts)
        missing = [t for t in texts if t not in known]
        coming = iter(missing)
        for block in embedder.stream(missing):
            new = dict(zip(islice(coming, len(block)), block, strict=True))
            _write(cache, embedder, new)
            known |= new
        _hold(cache, held)
        return np.stack([known[c.text] for c in chunks]), len(missing)

    return _with_cache(settings, work)


def forget_embeddings(settings: Settings, texts: Iterable[str]) -> int:
    """Erase the embeddings of texts, by every embedder, and of all that their documents ever held.

    The latter are the former revisions of a document, which nobody else remembers. Returns how many
    are gone; the bytes are overwritten. Embeddings of other documents that held the same text go as
    well, and are computed anew when needed.
    """
    hashes = [(_hash(t),) for t in texts]

    def work(cache: sqlite3.Connection) -> int:
        found = {
            d for h in hashes for d in cache.execute("SELECT document FROM holders WHERE text=?", h)
        }
        with cache:
            gone = _erase(cache, hashes) + _erase_documents(cache, found)
        return _wipe(cache, gone)

    return _with_cache(settings, work) if cache_file(settings).exists() else 0


def forget_documents(settings: Settings, document_ids: Iterable[str]) -> int:
    """Erase every embedding that these documents ever held; returns how many are gone."""
    ids = [(i,) for i in document_ids]

    def work(cache: sqlite3.Connection) -> int:
        with cache:
            gone = _erase_documents(cache, ids)
        return _wipe(cache, gone)

    return _with_cache(settings, work) if ids and cache_file(settings).exists() else 0


def held_embeddings(settings: Settings, document_ids: Iterable[str]) -> int:
    """Count the embeddings that these documents hold."""

    def work(cache: sqlite3.Connection) -> int:
        asked = "SELECT count(*) FROM holders WHERE document=?"
        return sum(int(cache.execute(asked, (i,)).fetchone()[0]) for i in document_ids)

    return _with_cache(settings, work) if cache_file(settings).exists() else 0


def cache_size(settings: Settings) -> dict[str, int]:
    """Count the embeddings that are kept, their embedders, and the bytes of the file."""
    file = cache_file(settings)
    if not file.exists():
        return {"embeddings": 0, "embedders": 0, "bytes": 0}

    def work(cache: sqlite3.Connection) -> tuple[int, int]:
        found: tuple[int, int] = cache.execute(
            "SELECT count(*), count(DISTINCT embedder) FROM embeddings"
        ).fetchone()
        return found

    count, embedders = _with_cache(settings, work)
    return {"embeddings": count, "embedders": embedders, "bytes": file.stat().st_size}


def cache_file(settings: Settings) -> Path:
    """Return where the cache is; it may not be there yet."""
    return settings.data_dir / "embeddings.db"


@lru_cache(maxsize=2)
def _loaded(name: str, cache_dir: Path, precision: Precision, files: str, process: int) -> Embedder:
    """Load an embedder; a fork has none of the threads of its parent's."""
    return load_embedder(name, cache_dir, precision)


def _with_cache(settings: Settings, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Do something with the open cache; one that is damaged is thrown away, and the work done again."""
    file = cache_file(settings)
    try:
        try:
            with _open(file) as cache:
                return work(cache)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            _discard(file, error)
            with _open(file) as cache:
                return work(cache)
    except sqlite3.DatabaseError as error:
        raise OSError(
            f"The embedding cache {file} cannot be used: {error}. Is the disk full, or does another process "
            "hold it? It may be deleted: it only saves time."
        ) from error


@contextmanager
def _open(file: Path) -> Iterator[sqlite3.Connection]:
    if not file.exists():
        _make(file)
    with closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS)) as cache:
        cache.execute("PRAGMA synchronous = NORMAL")
        cache.execute("PRAGMA secure_delete = ON")
        yield cache


def _make(file: Path) -> None:
    """Make an empty cache; it appears under its name only when it is whole, and once."""
    with _locked(file):
        if not file.exists():
            aside = file.with_name(f".{file.name}.new")
            aside.unlink(missing_ok=True)
            with closing(sqlite3.connect(aside)) as cache:
                cache.executescript(TABLES)
            aside.replace(file)


def _locked(file: Path) -> AbstractContextManager[None]:
    return locked(file.with_name(f".{file.name}.lock"))


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _discard(file: Path, error: sqlite3.DatabaseError) -> None:
    """Remove a damaged cache, unless another process has done so already and filled it again."""
    with _locked(file):
        try:
            with closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS)) as cache:
                whole = cache.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
        except sqlite3.DatabaseError:
            whole = False
        if not whole:
            log.warning("the embedding cache %s is damaged (%s): it is made anew", file, error)
            for end in ("", "-wal", "-shm"):
                file.with_name(file.name + end).unlink(missing_ok=True)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _read(cache: sqlite3.Connection, embedder: Embedder, texts: Sequence[str]) -> dict[str, Vector]:
    """Find the embeddings of texts; one whose checksum is wrong counts as not there."""
    found = {}
    for text in texts:
        row = cache.execute(
            "SELECT vector FROM embeddings WHERE text=? AND embedder=?",
            (_hash(text), embedder.fingerprint),
        ).fetchone()
        if row is None:
            continue
        data, check = row[0][:-4], row[0][-4:]
        if len(data) == 4 * embedder.dimensions and check == _checksum(data):
            found[text] = np.frombuffer(data, dtype="<f4")
        else:
            log.warning("an embedding of the cache is damaged and computed anew")
    return found


def _write(cache: sqlite3.Connection, embedder: Embedder, new: dict[str, Vector]) -> None:
    """Keep embeddings; what another process kept meanwhile is replaced by its equal."""
    rows = []
    for text, vector in new.items():
        data = vector.astype("<f4").tobytes()
        rows.append((_hash(text), embedder.fingerprint, data + _checksum(data)))
    with cache:
        cache.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _hold(cache: sqlite3.Connection, held: Iterable[tuple[str, bytes]]) -> None:
    """Remember which documents hold which texts."""
    with cache:
        cache.executemany("INSERT OR IGNORE INTO holders VALUES (?, ?)", held)


def _erase_documents(cache: sqlite3.Connection, ids: Iterable[tuple[str]]) -> int:
    texts = {t for i in ids for t in cache.execute("SELECT text FROM holders WHERE document=?", i)}
    return _erase(cache, texts)


def _erase(cache: sqlite3.Connection, hashes: Iterable[tuple[bytes]]) -> int:
    listed = list(hashes)
    gone = cache.executemany("DELETE FROM embeddings WHERE text=?", listed).rowcount
    cache.executemany("DELETE FROM holders WHERE text=?", listed)
    return max(gone, 0)


def _wipe(cache: sqlite3.Connection, gone: int) -> int:
    """Empty the journal, which still holds what was erased; returns `gone`."""
    busy, _, _ = cache.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise TimeoutError(
            f"{gone} embeddings are erased, but another process keeps the cache's journal open, which still "
            "holds them. Forget them again when it has ended."
        )
    return gone
