"""The story: from clean documents to a dataset of the author's own words, proven and versioned.

Each verb may run twice; a dataset that is finished is returned as it is. What becomes of it is told
in `include/learning.py`.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from include import registry
from include.cleaning import clean_originals
from include.documents import open_documents
from include.features import FEATURE_SERVICE, open_features
from include.indexing import index_mark
from include.quality import prove_samples
from include.settings import Settings
from include.sources import author_name, load_sources
from include.validation import ValidationFailed
from include.withdrawals import withdrawn
from ml.examples import count, make_examples, make_preferences, split_documents
from ml.fingerprint import model_fingerprint
from ml.types import CleanDocument, DatasetVersion, Example, Preference, digest

log = logging.getLogger(__name__)


def build_dataset(settings: Settings) -> dict[str, object]:
    """Build the author's samples, prove them, and publish a version when enough of them are new."""
    documents = _own_documents(settings)
    parent = (registry.list_datasets(settings) or [""])[-1]
    before = registry.read_examples(settings, parent) if parent else []
    examples, preferences = _make_samples(settings, documents, before)
    mark = model_fingerprint(index_mark(settings), settings.base_model)
    wanted, reason = _is_wanted(settings, parent, mark, before, examples)
    counted = {"examples": len(examples), "preferences": len(preferences), "reason": reason}
    if not wanted:
        log.info("no new dataset: %s", reason)
        return {"dataset_id": parent, "created": False, **counted}
    _prove(settings, documents, examples, preferences)
    # The parent counts: words that come back to what they were are a step all the same.
    samples = sorted([*(e.id for e in examples), *(p.id for p in preferences)])
    version = DatasetVersion(
        id=digest("dataset", mark, parent, *samples)[:16],
        parent=parent,
        fingerprint=mark,
        created_at=datetime.now(UTC),
        counts=count(examples, preferences),
        documents={d.id: d.revision for d in documents},
        files={},
    )
    registry.write_dataset(settings, version, examples, preferences, _card(settings, version))
    return {"dataset_id": version.id, "created": True, **counted}


def _own_documents(settings: Settings) -> list[CleanDocument]:
    return [d for d in clean_originals(settings) if d.author == settings.author]


def _make_samples(
    settings: Settings, documents: Sequence[CleanDocument], before: Sequence[Example]
) -> tuple[list[Example], list[Preference]]:
    if not documents:
        return [], []
    name = author_name(settings)
    with open_features(settings) as features:
        style = features.author_style(FEATURE_SERVICE, settings.author)
    parts = {e.span.document_id: e.split for e in before}
    tested = [i for i, split in parts.items() if split == "test"]
    splits = split_documents(documents, settings.test_share, tested, parts.keys() - set(tested))
    examples = make_examples(documents, splits, style, name, settings.leak_words)
    return examples, make_preferences(documents, splits, style, name, examples)


def _prove(
    settings: Settings,
    documents: Sequence[CleanDocument],
    examples: Sequence[Example],
    preferences: Sequence[Preference],
) -> None:
    """Stop a dataset with a bad sample; what was bad is kept until a dataset is good."""
    with open_documents(settings) as store:
        store.clear_rejected("dataset")
        try:
            prove_samples(settings, documents, examples, preferences)
        except ValidationFailed as stop:
            store.reject(stop.rejected, datetime.now(UTC))
            raise


def _is_wanted(
    settings: Settings,
    parent: str,
    mark: str,
    before: Sequence[Example],
    examples: Sequence[Example],
) -> tuple[bool, str]:
    """Tell whether a new version is worth having, and why: samples on one side only, as a share of all."""
    if len(examples) < settings.min_examples:
        return (
            False,
            f"{len(examples)} examples are too few; {settings.min_examples} are needed.",
        )
    if all(e.split == "train" for e in examples):
        return (
            False,
            "No example is held out for evaluation; four documents of one kind are needed.",
        )
    if not parent:
        return True, "It is the first version."
    if withdrawn(settings, parent):
        return True, "The last version is withdrawn: a document of it was forgotten."
    if registry.read_dataset(settings, parent, verify=False).fingerprint != mark:
        return True, "Samples or base model are made in another way than before."
    then, now = {e.id for e in before}, {e.id for e in examples}
    share = len(then ^ now) / max(len(then | now), 1)
    said = f"{share:.1%} of the examples are new or gone; a version needs {settings.dataset_change:.1%}."
    return share >= settings.dataset_change, said


def _card(settings: Settings, version: DatasetVersion) -> str:
    consent = sorted({f"- {s.id}: {s.consent}" for s in load_sources(settings)})
    counts = [f"| {name} | {n} |" for name, n in version.counts.items()]
    return "\n".join(
        [
            f"# Dataset {version.id}",
            f"The words of {author_name(settings)}, from {len(version.documents)} documents.",
            "",
            "| split/task | samples |",
            "|---|---|",
            *counts,
            "",
            "Consent by source:",
            *consent,
            "",
            f"Made from dataset {version.parent or '(none)'}; fingerprint {version.fingerprint}.",
            "",
        ]
    )
