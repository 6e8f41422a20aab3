"""What readers said of answers, as pairs of the next dataset; what makes none is kept with the reason."""

from collections.abc import Sequence
from datetime import UTC, datetime

from include.documents import open_documents
from include.sample_making import Made
from include.settings import Settings
from include.sources import author_name, load_sources
from ml.feedback import STAGE, Corpus, Taught, join, learn
from ml.types import CleanDocument, Preference


def add_judged(
    settings: Settings,
    documents: Sequence[CleanDocument],
    made: Made,
    preferences: Sequence[Preference],
) -> tuple[list[Preference], Taught]:
    """Add the pairs that follow from readers' judgements to those of the author's texts."""
    with open_documents(settings) as store:
        given, traces = store.judgements()
        if not (given and made.examples):
            return list(preferences), Taught()
        corpus = Corpus(
            documents={d.id: d for d in documents},
            examples=made.examples,
            style=made.style,
            author=settings.author,
            name=author_name(settings),
            leak_words=settings.leak_words,
            allowed=frozenset(e for s in load_sources(settings) for e in s.author.emails),
            meaning=made.meaning,
        )
        pairs, taught = join(preferences, learn(given, traces, corpus))
        store.clear_rejected(STAGE)
        store.reject(taught.refused, datetime.now(UTC))
    return pairs, taught
