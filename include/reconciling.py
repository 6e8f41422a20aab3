"""The story: compare what is stored where with what should be there, repair it, and say what was wrong.

MongoDB says what there is; every colour of the index and Feast follow it. They are compared by
digest: of the passages word for word, and of the style features in the history and online.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.colours import Colour, live_colour, newest_copies
from include.documents import Documents, open_documents
from include.feature_faults import find_faults, take_out
from include.features import has_features, open_features
from include.indexing import (
    index_chunks,
    index_mark,
    payload_digest,
    source_digest,
    store_digest,
)
from include.measuring import store_features
from include.records import IndexState
from include.settings import Settings
from include.vectors import VectorStore, open_colours
from ml.types import Chunk

log = logging.getLogger(__name__)

# Clean documents that are read at a time.
BATCH = 500


@dataclass(slots=True)
class Differences:
    """What was found in the index: chunks that are missing, chunks that nobody owns, altered documents.

    `broken` are the chunks that are left of documents to write again, by colour and document.
    """

    missing: int = 0
    orphans: int = 0
    altered: int = 0
    broken: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def reconcile_stores(settings: Settings) -> dict[str, int | str]:
    """Compare MongoDB, the index and Feast; repair what differs, and report the counts of each difference.

    Those of Feast are counted by document and author.
    """
    found = Differences()
    with open_documents(settings) as documents, open_colours(settings) as colours:
        live = live_colour(colours)
        mark = live.fingerprint if live else index_mark(settings)
        sources = _sources(documents, mark)
        for colour in newest_copies(colours.all()):
            _compare(documents, colours.store(colour), colour, sources, found)
    if found.broken:
        index_chunks(settings)
        _drop_unmade(settings, found.broken)
    counts = {"missing": found.missing, "orphans": found.orphans, "altered": found.altered}
    return {**counts, **_reconcile_features(settings, sources), "digest": store_digest(settings)}


def _reconcile_features(settings: Settings, sources: Mapping[str, str]) -> dict[str, int]:
    """Compare Feast with what was measured; what is wrong goes, and is measured anew."""
    counts = Counter(features_missing=0, features_orphans=0, features_altered=0)
    with open_documents(settings) as documents:
        states = documents.measured()
        if not states and not has_features(settings):
            return dict(counts)
        with open_features(settings) as features:
            faults = find_faults(features, states, sources)
            for view, each in faults.items():
                counts.update(features_missing=len(each.missing))
                counts.update(features_orphans=len(each.orphans))
                counts.update(features_altered=len(each.altered))
                if each.all():
                    log.warning("%s: %d rows are not as they should be", view, len(each.all()))
            if any(counts.values()):
                documents.unmark_measured(faults["document_style"].all())
                take_out(features, faults, states)
                features.materialize(datetime.now(UTC), ())
    if any(counts.values()):
        store_features(settings)
    return dict(counts)


def _sources(documents: Documents, fingerprint: str) -> dict[str, str]:
    """Hash every clean document that has to be in the index, some at a time."""
    ids = list(documents.original_revisions(fingerprint))
    parts = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
    return {d.id: source_digest(d) for part in parts for d in documents.read_clean(part)}


def _compare(
    documents: Documents,
    store: VectorStore,
    colour: Colour,
    sources: Mapping[str, str],
    found: Differences,
) -> None:
    """Compare one colour with what MongoDB says of it; what is wrong goes, so that it is made anew."""
    states = documents.indexed(colour.build)
    owners = {chunk: i for i, state in states.items() for chunk in state.chunk_ids}
    present: dict[str, list[Chunk]] = {i: [] for i in states}
    orphans = []
    for chunk in store.chunks():
        if chunk.id in owners:
            present[owners[chunk.id]].append(chunk)
        else:
            orphans.append(chunk.id)
    store.delete(orphans)
    broken = dict(_broken(states, present, sources))
    documents.unmark_indexed(broken, colour.build)
    found.orphans += len(orphans)
    found.missing += sum(broken.values())
    found.altered += sum(not missing for missing in broken.values())
    if broken:
        found.broken[colour.name] = {i: [c.id for c in present[i]] for i in broken}
        log.warning("%s: %d documents are not as they should be", colour.name, len(broken))


def _drop_unmade(settings: Settings, broken: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Take out what could not be written again: the embedder of its colour is gone."""
    with open_documents(settings) as documents, open_colours(settings) as colours:
        for colour in colours.all():
            made = documents.indexed(colour.build).keys()
            left = broken.get(colour.name, {})
            colours.store(colour).delete(c for i in left.keys() - made for c in left[i])


def _broken(
    states: Mapping[str, IndexState],
    present: Mapping[str, list[Chunk]],
    sources: Mapping[str, str],
) -> Iterator[tuple[str, int]]:
    """Name the documents to write again, with the number of chunks that are missing."""
    for i, state in states.items():
        missing = len(state.chunk_ids) - len(present[i])
        as_cut = sources.get(i, state.source) == state.source
        if missing or not as_cut or payload_digest(present[i]) != state.payload:
            yield i, missing
