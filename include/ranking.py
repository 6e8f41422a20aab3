"""The story: learn from the index how to order what it finds, and keep that beside it, under its fingerprint.

A ranking is a JSON file, `rankings/<fingerprint of the index>.json` beside the datasets and models: four
weights, and in how many passages a word occurs. A word of fewer than SHARED documents is not kept, so
that the file says nothing that is one text's own. Without a ranking, one of another corpus is used.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from include import registry
from include.colours import live_colour, settings_of
from include.embedding_cache import open_embedder
from include.settings import Settings
from include.vectors import open_colours
from ml.files import read_json, write_json
from ml.ranker import fit_ranking as fit
from ml.rerank import WEIGHTS, Ranker, Ranking, Scores, from_values, to_values
from ml.terms import terms
from ml.types import Chunk

if TYPE_CHECKING:
    from include.colours import Colours

log = logging.getLogger(__name__)

# A passage of the index with its embedding.
Stored = tuple[Chunk, NDArray[np.float32]]

# Passages that are looked at; more make the weights no better.
MOST_PASSAGES = 20_000
# Documents that a word occurs in at least, to be kept.
SHARED = 3
# A ranking is learned anew when this share of the passages has come or gone.
CHANGED = 0.1


def fit_ranking(settings: Settings) -> dict[str, object]:
    """Learn the ranking of the live index, unless the one that is kept was learned from about as much."""
    with open_colours(settings) as colours:
        return learn_ranking(settings, colours)


def learn_ranking(settings: Settings, colours: "Colours") -> dict[str, object]:
    """Learn the ranking of the live colour of an open index."""
    live = live_colour(colours)
    if live is None or not live.embedder:
        return {"passages": 0, "pairs": 0, "learned": False}
    store, kept = colours.store(live), read_ranking(settings, live.fingerprint)
    count = min(store.count(), MOST_PASSAGES)
    if count and abs(count - kept.passages) <= CHANGED * kept.passages:
        return {"passages": kept.passages, "pairs": kept.pairs, "learned": False}
    read = sorted(islice(store.scan(), MOST_PASSAGES), key=lambda pair: pair[0].id)
    if not read:
        return {"passages": 0, "pairs": 0, "learned": False}
    try:
        embedder = open_embedder(settings_of(live, settings))
    except (OSError, ValueError) as error:
        log.warning("the ranking of %s stays as it is, its embedder is away: %s", live.name, error)
        return {"passages": kept.passages, "pairs": kept.pairs, "learned": False}
    chunks, vectors = [c for c, _ in read], np.stack([v for _, v in read])
    base = Ranking(live.fingerprint, passages=len(chunks), counts=shared_terms(chunks))
    learned = fit(base, chunks, vectors, embedder.encode)
    write_json(_file(settings, live.fingerprint), to_values(learned))
    log.info("ranking of %s: %d pairs, weights %s", live.name, learned.pairs, learned.weights)
    return {"passages": learned.passages, "pairs": learned.pairs, "learned": True}


def read_ranking(settings: Settings, fingerprint: str) -> Ranking:
    """Read the ranking of an index; without one, or with one of another code, that of another corpus."""
    values = read_json(_file(settings, fingerprint)) if fingerprint else {}
    try:
        return from_values(values) if values else Ranking()
    except ValueError as error:
        log.warning("%s", error)
        return Ranking()


def unbiased_ranker(
    ranking: Ranking,
    stored: Sequence[Stored],
    held_out: Collection[str],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
) -> Ranker:
    """Learn a ranking again without what held-out documents ask, as their questions are to measure it."""
    usual = replace(ranking, weights=WEIGHTS, pairs=0)
    if not stored:
        return Ranker(usual)
    read = sorted(stored[:MOST_PASSAGES], key=lambda pair: pair[0].id)
    chunks, vectors = [c for c, _ in read], np.stack([v for _, v in read])
    return Ranker(fit(usual, chunks, vectors, encode, held_out))


def shared_terms(chunks: Sequence[Chunk]) -> dict[str, int]:
    """Count in how many passages each word occurs that enough documents have."""
    counted: Counter[str] = Counter()
    holders: dict[str, set[str]] = defaultdict(set)
    for chunk in chunks:
        found = set(terms(chunk.text))
        counted.update(found)
        _hold(holders, found, chunk.document_id)
    return {t: n for t, n in sorted(counted.items()) if len(holders[t]) >= SHARED}


class Rankings:
    """The rankings of a world, each read once and again when it was learned anew; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[int, Ranker]] = {}

    def of(self, fingerprint: str) -> Ranker:
        """Return what orders the passages of an index."""
        file = _file(self._settings, fingerprint or "none")
        written = file.stat().st_mtime_ns if file.exists() else 0
        known = self._known.get(fingerprint)
        if known is None or known[0] != written:
            known = (written, Ranker(read_ranking(self._settings, fingerprint)))
            self._known[fingerprint] = known
        return known[1]


def open_judge(settings: Settings) -> Scores | None:
    """Load the cross-encoder that the settings name; None where the platform's own ranking decides."""
    if settings.reranker == "own":
        return None
    from ml.crossencoder import load_cross_encoder

    return load_cross_encoder(settings.reranker)


def _hold(holders: dict[str, set[str]], found: Iterable[str], document: str) -> None:
    """Note who has a word; beyond SHARED it makes no difference."""
    for term in found:
        if len(holders[term]) < SHARED:
            holders[term].add(document)


def _file(settings: Settings, fingerprint: str) -> Path:
    return registry.map_folder(settings).with_name("rankings") / f"{fingerprint}.json"
