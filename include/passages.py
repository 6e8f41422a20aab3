"""What documents say, passage by passage, as the index knows it or, where it does not hold them as they are, made here.

So nothing depends on whether the index is filled, and how far. Passages that are made are cut and embedded as the
index does, and kept in the cache of embeddings, from which the index takes them later.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from include.colours import colour_of
from include.embedding_cache import embed_chunks, open_embedder
from include.indexing import index_mark
from include.ranking import Stored
from include.settings import Settings
from include.vectors import Vector, open_colours
from ml.chunk import chunk_document
from ml.embed import BLOCK, Embedder
from ml.meaning import Meaning, Passages
from ml.types import Chunk, CleanDocument

log = logging.getLogger(__name__)


def open_meaning(settings: Settings, documents: Sequence[CleanDocument]) -> Meaning | None:
    """Prepare to tell what says in other words what the test of these documents says; None where that is not asked."""
    if not (settings.leak_cosine and documents):
        return None
    passages = passages_of(settings, documents, stored_passages(settings, documents))
    return Meaning(passages, _Texts(settings, documents[0]).embed, settings.leak_cosine)


def stored_passages(settings: Settings, documents: Sequence[CleanDocument]) -> list[Stored]:
    """List what the index holds of documents, if this installation's own embedder made it."""
    wanted = {d.id for d in documents}
    with open_colours(settings) as colours:
        colour = colour_of(colours.all(), colours.live_name(), index_mark(settings))
        scanned = colours.store(colour).scan() if colour else ()
        return [pair for pair in scanned if pair[0].document_id in wanted]


def passages_of(
    settings: Settings, documents: Sequence[CleanDocument], stored: Iterable[Stored]
) -> Passages:
    """Give documents all of their passages: those that are stored, and of documents that are not, new ones."""
    by_document: dict[str, list[Stored]] = defaultdict(list)
    for chunk, vector in stored:
        by_document[chunk.document_id].append((chunk, vector))
    held = {d.id for d in documents if _is_whole(d, [c for c, _ in by_document[d.id]])}
    known = [pair for d in documents if d.id in held for pair in by_document[d.id]]
    cut = _Cut(settings)
    missing = [c for d in documents if d.id not in held for c in cut(d)]
    made = _embed(settings, cut.embedder, missing, "that the index does not hold", keep=True)
    vectors = np.concatenate([*(v[None] for _, v in known), made])
    return Passages([*(c for c, _ in known), *missing], vectors)


def all_passages(
    settings: Settings, documents: Sequence[CleanDocument], stored: Sequence[Stored]
) -> Passages:
    """List what is stored, of whatever text, and beside it all passages of documents as they are now."""
    own = passages_of(settings, documents, stored)
    vectors = np.concatenate([*(v[None] for _, v in stored), own.vectors])
    return Passages([*(c for c, _ in stored), *own.chunks], vectors)


def _is_whole(document: CleanDocument, chunks: Sequence[Chunk]) -> bool:
    """Tell whether passages are of this very revision, with nothing but blanks between them."""
    ordered = sorted(chunks, key=lambda c: c.start)
    begins = [*(c.start for c in ordered), len(document.text)]
    ends = [0, *(c.end for c in ordered)]
    between = (document.text[a:b] for a, b in zip(ends, begins, strict=True))
    return all(c.revision == document.revision for c in ordered) and not any(
        gap.strip() for gap in between
    )


class _Cut:
    """Cuts documents as the index does; `embedder` is the installation's."""

    def __init__(self, settings: Settings) -> None:
        self.embedder = open_embedder(settings)
        self._size = min(settings.chunk_tokens, self.embedder.window)
        self._mark = index_mark(settings)

    def __call__(self, document: CleanDocument) -> list[Chunk]:
        return chunk_document(document, self.embedder.offsets, self._size, self._mark)


def _embed(
    settings: Settings, embedder: Embedder, chunks: Sequence[Chunk], what: str, *, keep: bool
) -> Vector:
    """Embed passages, through the cache where they may be kept; the log says how far it is."""
    parts = [np.zeros((0, embedder.dimensions), np.float32)]
    for top in range(0, len(chunks), BLOCK):
        block = chunks[top : top + BLOCK]
        texts = [c.text for c in block]
        parts.append(embed_chunks(settings, embedder, block)[0] if keep else embedder.encode(texts))
        done = top + len(block)
        log.info("embedded %d of %d passages %s", done, len(chunks), what)
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Texts:
    """Embeds texts that are no documents, each once; `like` is a document that lends them its other fields.

    Only what stands in a document is kept in the cache, which loses it when the document is forgotten.
    """

    settings: Settings
    like: CleanDocument
    known: dict[str, Vector] = field(default_factory=dict)

    def embed(self, texts: Sequence[tuple[str, str]]) -> list[Vector]:
        """Give each text the vectors of its passages; with it comes the document that it stands in, or none."""
        new = {text: document for document, text in texts if text not in self.known}
        cut = _Cut(self.settings)
        for keep in (True, False):
            asked = [text for text, document in new.items() if bool(document) is keep]
            as_documents = (replace(self.like, id=new[t], kind="article", text=t) for t in asked)
            chunks = [cut(d) for d in as_documents]
            passages = [c for part in chunks for c in part]
            vectors = _embed(self.settings, cut.embedder, passages, "of samples", keep=keep)
            ends = np.cumsum([len(part) for part in chunks], dtype=np.int64)
            self.known.update(zip(asked, np.split(vectors, ends), strict=False))
        return [self.known[text] for _, text in texts]
