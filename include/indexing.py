"""The story: chunk and embed what changed, in every colour of the index that is still made here.

Small changes are written in place: into the live colour, and into every kept colour whose embedder
is still there, so that going back to one brings nothing stale. Another embedder, chunk size,
distance or kind of index builds a new colour beside the live one; it is published when it is whole
and its probes have passed. A colour that can no longer be made only loses what has vanished.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from itertools import islice

import numpy as np

from include.colours import (
    Colour,
    Colours,
    live_colour,
    newest_copies,
    settings_of,
    wanted_colour,
)
from include.documents import Documents, open_documents
from include.embedding_cache import embed_chunks, forget_documents, open_embedder
from include.engine import Work, run_batches
from include.publishing import publish
from include.ranking import learn_ranking
from include.records import IndexState
from include.settings import Settings
from include.vectors import Vector, VectorStore, collection_name, open_colours
from ml.chunk import chunk_document
from ml.embed import Embedder
from ml.fingerprint import check, index_fingerprint, model_fingerprint
from ml.probes import choose
from ml.types import Chunk, CleanDocument, ModelVersion, digest

log = logging.getLogger(__name__)

# Documents that are embedded before the index is told: what a kill costs at most.
INDEX_BATCH = 32


def index_chunks(settings: Settings) -> dict[str, int | str | bool]:
    """Chunk and embed the clean documents that changed; take vanished ones out; publish a colour that is new."""
    fingerprint = index_mark(settings)
    with open_documents(settings) as documents, open_colours(settings) as colours:
        if documents.cleaned_otherwise(fingerprint):
            raise LookupError("The embedder or the chunk size is new: run clean_documents first.")
        wanted = documents.original_revisions(fingerprint)
        asked, known = (
            wanted_colour(settings, collection_name(settings.mongo_database), fingerprint),
            newest_copies(colours.all()),
        )
        asked = next((c for c in known if c.build == asked.build), asked)
        done = Counter(embedded=0, reused=0, deleted=0)
        for colour in (asked, *(c for c in known if c.published and c.name != asked.name)):
            store = colours.store(colour)
            its = settings if colour.fingerprint == fingerprint else maker(settings, colour)
            if its:
                done.update(_write_changed(its, documents, store, colour, wanted))
            done["deleted"] += _drop_vanished(settings, documents, store, colour, wanted)
        published = _publish_new(settings, documents, colours, asked, wanted)
        learned = learn_ranking(settings, colours)
        log.info("ranking: %s", learned)
        chunks = colours.store().count()
        return {**done, "chunks": chunks, "colour": colours.live_name(), "published": published}


def store_digest(settings: Settings) -> str:
    """Hash the state of documents and of the live colour: equal worlds have equal digests."""
    with open_documents(settings) as documents, open_colours(settings) as colours:
        live, vectors = live_colour(colours), colours.store()
        state = documents.digest(live.build if live else "")
        return digest("world", state, *sorted(vectors.ids()))


def index_mark(settings: Settings) -> str:
    """Return the fingerprint of the index that this installation makes."""
    return _fingerprint(settings, open_embedder(settings))


def model_index(settings: Settings, version: ModelVersion) -> str:
    """Name the fingerprint of the index that a model was made for: this installation's, or a kept colour's."""
    ours = index_mark(settings)
    if model_fingerprint(ours, version.base_model) == version.fingerprint:
        return ours
    with open_colours(settings) as colours:
        for colour in colours.all():
            fits = model_fingerprint(colour.fingerprint, version.base_model) == version.fingerprint
            if fits and colour.published:
                return colour.fingerprint
    mark = model_fingerprint(ours, version.base_model)
    remedy = "No kept colour of the index fits it either: train a new one with this installation."
    check(mark, version.fingerprint, f"Model {version.id}", remedy)
    return ours


def maker(settings: Settings, colour: Colour) -> Settings | None:
    """Return the settings with which a colour's chunks are made, if this installation can still make them."""
    made = settings_of(colour, settings)
    try:
        return made if index_mark(made) == colour.fingerprint else None
    except (OSError, ValueError) as error:
        log.warning("%s stays as it is, its embedder cannot be loaded: %s", colour.name, error)
        return None


def payload_digest(chunks: Iterable[Chunk]) -> str:
    """Hash what the index has to hold of a document's chunks, word for word."""
    ordered = sorted(chunks, key=lambda c: c.id)
    return digest("payload", *(str(part) for c in ordered for part in astuple(c)))


def source_digest(document: CleanDocument) -> str:
    """Hash what a document's chunks are made of."""
    parts = (document.kind, document.author, document.url, document.title, document.text)
    return digest("source", document.revision, str(document.published_at), *parts)


def _fingerprint(settings: Settings, embedder: Embedder) -> str:
    return index_fingerprint(embedder.fingerprint, embedder.offsets, settings.chunk_tokens)


def _write_changed(
    its: Settings,
    documents: Documents,
    store: VectorStore,
    colour: Colour,
    wanted: Mapping[str, str],
) -> dict[str, int]:
    """Write the documents that are new or changed, by id and revision; returns how many chunks it took."""
    states, mark = documents.indexed(colour.build), colour.fingerprint
    stale = [i for i, revision in wanted.items() if _is_stale(states.get(i), revision, mark)]
    done = run_batches(its, partial(_embedding, mark), stale, INDEX_BATCH)
    counts = Counter(embedded=0, reused=0, deleted=0)
    while batch := list(islice(done, INDEX_BATCH)):
        chunks = [c for passages in batch for c in passages.chunks]
        store.upsert(chunks, np.concatenate([p.embeddings for p in batch]))
        new = {p.document_id: _state(p, mark) for p in batch}
        counts["deleted"] += _drop(store, states, new.keys(), {c.id for c in chunks})
        documents.mark_indexed(new, colour.build)
        computed = sum(p.computed for p in batch)
        counts.update(embedded=computed, reused=len(chunks) - computed)
        said = "%s: embedded %d chunks, reused %d, %d documents in this batch"
        log.info(said, colour.name, counts["embedded"], counts["reused"], len(batch))
    return counts


def _drop_vanished(
    settings: Settings,
    documents: Documents,
    store: VectorStore,
    colour: Colour,
    wanted: Mapping[str, str],
) -> int:
    states = documents.indexed(colour.build)
    vanished = states.keys() - wanted.keys()
    deleted = _drop(store, states, vanished, set())
    documents.unmark_indexed(vanished, colour.build)
    forget_documents(settings, vanished)
    return deleted


def _publish_new(
    settings: Settings,
    documents: Documents,
    colours: Colours,
    colour: Colour,
    wanted: Mapping[str, str],
) -> bool:
    """Publish the colour that the settings ask for, unless it is live, empty, or was rolled back from."""
    if not wanted or colour.name == colours.live_name():
        return False
    if colour.withdrawn:
        log.info("%s was rolled back from: rollback_index brings it back by its name", colour.name)
        return False
    embedder = open_embedder(settings)
    size = min(settings.chunk_tokens, embedder.window)
    found = documents.read_clean(choose(list(wanted)))
    sample = [chunk_document(d, embedder.offsets, size, colour.fingerprint) for d in found]
    dropped = publish(settings, colours, colour, embedder.encode, sample)
    documents.keep_indexed(c.build for c in colours.all())
    log.info("dropped %s", ", ".join(dropped) or "no older colour")
    return True


def _is_stale(state: IndexState | None, revision: str, fingerprint: str) -> bool:
    return state is None or (state.revision, state.fingerprint) != (revision, fingerprint)


@dataclass(frozen=True, slots=True)
class _Passages:
    """What one document becomes: its chunks and their embeddings (n, d).

    `computed` embeddings were new to the cache; the first document of a batch counts for all of it.
    """

    document_id: str
    revision: str
    source: str
    chunks: Sequence[Chunk]
    embeddings: Vector
    computed: int


def _embedding(fingerprint: str, settings: Settings) -> Work[_Passages]:
    """Make the work of the batch engine that chunks and embeds clean documents by id.

    A worker that would do it in another way, with another embedder, is refused.
    """
    embedder = open_embedder(settings)
    check(_fingerprint(settings, embedder), fingerprint, "The batch", "Use one code and embedder.")
    size = min(settings.chunk_tokens, embedder.window)

    def work(ids: Sequence[str]) -> list[_Passages]:
        with open_documents(settings) as documents:
            found = documents.read_clean(ids)
        chunks = [chunk_document(d, embedder.offsets, size, fingerprint) for d in found]
        embeddings, computed = _embed(settings, embedder, [c for part in chunks for c in part])
        parts = np.split(embeddings, np.cumsum([len(c) for c in chunks])[:-1])
        counts = [computed, *[0] * (len(found) - 1)]
        return [
            _Passages(d.id, d.revision, source_digest(d), c, e, n)
            for d, c, e, n in zip(found, chunks, parts, counts, strict=True)
        ]

    return work


def _embed(settings: Settings, embedder: Embedder, chunks: Sequence[Chunk]) -> tuple[Vector, int]:
    """Embed chunks; on other machines without the cache, which is erased on this one only."""
    if settings.ray_address in ("", "local"):
        return embed_chunks(settings, embedder, chunks)
    return embedder.encode([c.text for c in chunks]), len(chunks)


def _drop(
    vectors: VectorStore, states: dict[str, IndexState], document_ids: Iterable[str], keep: set[str]
) -> int:
    """Take the former chunks of documents out of the index, but for those to keep."""
    former = {c for i in document_ids if i in states for c in states[i].chunk_ids} - keep
    vectors.delete(former)
    return len(former)


def _state(passages: _Passages, fingerprint: str) -> IndexState:
    return IndexState(
        revision=passages.revision,
        fingerprint=fingerprint,
        chunk_ids=tuple(c.id for c in passages.chunks),
        source=passages.source,
        payload=payload_digest(passages.chunks),
    )
