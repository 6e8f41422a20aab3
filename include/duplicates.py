"""The story: find copies among the clean documents, and show them to a person side by side.

Texts pass by some at a time; those that may be copies of each other are read again and compared. Of the others
a few hundred bytes stay, and where copies are looked for by meaning a vector.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

import numpy as np

from include.documents import open_documents
from include.embedding_cache import embed_chunks, open_embedder
from include.indexing import index_mark
from include.records import CleanState, state_of
from include.settings import Settings
from include.trust import Trust
from ml.chunk import chunk_document
from ml.comparison import draw_copies
from ml.dedup import Limits, mark_duplicates
from ml.embed import Embedder
from ml.files import write_whole
from ml.semantic import Meanings, Vectors, mean_vector
from ml.suspects import Suspects
from ml.types import CleanDocument, digest

# Reads clean documents, all (None) or some of them, as often as it is asked.
Read = Callable[[Collection[str] | None], Iterator[CleanDocument]]
LOOKED_AT_TOGETHER = 500


def find_copies(read: Read, settings: Settings) -> dict[str, CleanState]:
    """Say of every clean document that `read` yields whose copy it is, by id.

    The documents pass by once; those that may be copies are read again and compared.
    """
    states, suspects, meanings = dict[str, CleanState](), Suspects(), Meanings()
    limits = Limits(
        settings.near_duplicate, settings.excerpt_duplicate, settings.semantic_duplicate
    )
    embedder = open_embedder(settings) if limits.semantic else None
    coming = read(None)
    while part := list(islice(coming, LOOKED_AT_TOGETHER)):
        suspects.add(part)
        if embedder:
            meanings.add(_meanings(part, settings, embedder))
        states |= {c.id: CleanState(c.revision, c.origin) for c in part}
    wanted = suspects.ids() | meanings.ids(limits.semantic)
    texts, vectors = list(read(wanted)), meanings.of(wanted)
    found = {c.id: c for c in mark_duplicates(texts, limits, vectors)}
    if shared := Trust(settings).shared(wanted):
        # What others may have written stands for nothing of the author's own, however old it says it is.
        own = [t for t in texts if t.id not in shared]
        found |= {c.id: c for c in mark_duplicates(own, limits, vectors)}
    return states | {i: state_of(c) for i, c in found.items()}


def report_duplicates(settings: Settings) -> dict[str, object]:
    """Write `duplicates.html`: every copy beside what stands for it; anew only when something changed."""
    file = settings.data_dir / "duplicates.html"
    with open_documents(settings) as documents:
        found = documents.outlines(index_mark(settings))
        state = digest("copies", *map(_provenance, found))
        runs = documents.runs("report_duplicates")
        copies = sum(bool(d.duplicate_of) for d in found)
        if file.exists() and runs and runs[-1]["state"] == state:
            return {"drawn": False, "copies": copies, "file": str(file)}
        page = draw_copies(found, "The corpus", lambda d: documents.read_clean([d.id])[0])
        write_whole(file, page)
        documents.put_run("report_duplicates", "last", {"state": state}, datetime.now(UTC))
    return {"drawn": True, "copies": copies, "file": str(file)}


def _provenance(document: CleanDocument) -> str:
    told = (document.duplicate_of, document.duplicate_how, str(document.duplicate_similarity))
    return digest(document.id, document.revision, *told)


def _meanings(
    documents: Sequence[CleanDocument], settings: Settings, embedder: Embedder
) -> dict[str, Vectors]:
    """Embed whole documents: the mean of their passages, which the index asks for again, from the cache."""
    size = min(settings.chunk_tokens, embedder.window)
    parts = [chunk_document(d, embedder.offsets, size, "") for d in documents]
    vectors, _ = embed_chunks(settings, embedder, [c for part in parts for c in part])
    rows = np.split(vectors, np.cumsum([len(part) for part in parts])[:-1])
    return {d.id: mean_vector(row) for d, row in zip(documents, rows, strict=True) if len(row)}
