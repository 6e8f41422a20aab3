"""From the author's clean documents to samples: split, asked, rendered, and without what leaks.

Nothing is judged or published here; that is `include/datasets.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from include.cleaning import clean_originals
from include.features import FEATURE_SERVICE, open_features
from include.instructions import open_writer
from include.settings import Settings
from include.sources import author_name
from include.vectors import open_vectors
from ml.examples import make_examples
from ml.splits import Passages, decontaminate, split_documents
from ml.types import CleanDocument, Example


@dataclass(frozen=True, slots=True)
class Made:
    """What came of documents: samples, how many leaked and were dropped, who asked the questions, in which style."""

    examples: list[Example]
    dropped: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    style: dict[str, float] = field(default_factory=dict)


def own_documents(settings: Settings) -> list[CleanDocument]:
    """List the author's clean documents that are no copies."""
    return [d for d in clean_originals(settings) if d.author == settings.author]


def sample_documents(
    settings: Settings, documents: Sequence[CleanDocument], before: Sequence[Example] = ()
) -> Made:
    """Make the samples of documents; what the version `before` held out or taught stays so."""
    if not documents:
        return Made([])
    with open_features(settings) as features:
        style = features.author_style(FEATURE_SERVICE, settings.author)
    parts = {e.span.document_id: e.split for e in before}
    tested = [i for i, split in parts.items() if split == "test"]
    splits = split_documents(documents, settings.test_share, tested, parts.keys() - set(tested))
    with open_writer(settings) as writer:
        made = make_examples(documents, splits, style, author_name(settings), writer)
    passages = _passages(settings, documents) if settings.leak_cosine else None
    kept = decontaminate(made, settings.leak_words, passages, settings.leak_cosine)
    return Made(kept, len(made) - len(kept), dict(writer.counts), dict(style))


def _passages(settings: Settings, documents: Sequence[CleanDocument]) -> Passages | None:
    """Read the passages of documents from the index, where they are embedded already."""
    wanted = {d.id for d in documents}
    with open_vectors(settings) as vectors:
        found = [pair for pair in vectors.scan() if pair[0].document_id in wanted]
    if not found:
        return None
    return Passages([c for c, _ in found], np.stack([v for _, v in found]))
