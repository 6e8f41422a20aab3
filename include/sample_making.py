"""From the author's clean documents to samples and pairs: split, asked, rendered, and without what leaks.

Nothing is judged or published here; that is `include/datasets.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from include.cleaning import clean_originals
from include.features import FEATURE_SERVICE, open_features
from include.instructions import open_writer
from include.passages import open_meaning
from include.settings import Settings
from include.sources import author_name
from ml.examples import make_examples
from ml.meaning import Meaning
from ml.negatives import Answers, balance, make_preferences
from ml.splits import decontaminate, find_leaks, split_documents
from ml.types import CleanDocument, Example, Preference


@dataclass(frozen=True, slots=True)
class Made:
    """What came of documents: samples, how many leaked and were dropped, who asked the questions, in which style.

    `meaning` tells what else leaks, when pairs are added.
    """

    examples: list[Example]
    dropped: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    style: dict[str, float] = field(default_factory=dict)
    meaning: Meaning | None = field(default=None, compare=False, repr=False)


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
    meaning = open_meaning(settings, documents)
    kept = decontaminate(made, settings.leak_words, meaning)
    return Made(kept, len(made) - len(kept), dict(writer.counts), dict(style), meaning)


def pair_samples(settings: Settings, made: Made, answers: Answers) -> tuple[list[Preference], Made]:
    """Pair samples with what the author would not have said; pairs that leak are dropped, and counted as samples are.

    A model may have said what the test says, word for word or by meaning.
    """
    pairs = make_preferences(made.examples, answers)
    wrong = find_leaks(made.examples, pairs, settings.leak_words, made.meaning)
    kept = [p for p in pairs if p.id not in wrong]
    if len(kept) == len(pairs):
        return pairs, made
    return balance(kept), replace(made, dropped=made.dropped + len(pairs) - len(kept))
