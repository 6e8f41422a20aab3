"""The story: from clean documents to a dataset of the author's own words, proven and versioned.

Each verb may run twice; a dataset that is finished is returned as it is. How samples are made is told
in `include/sample_making.py`, what becomes of a dataset in `include/learning.py`.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from include import registry
from include.cleaning import clean_originals
from include.dataset_card import write_card
from include.documents import open_documents
from include.experiments import dataset_artifact, open_experiment
from include.feedback import add_judged
from include.indexing import index_mark
from include.model_answers import kept_answers
from include.sample_making import Made, pair_samples, sample_documents
from include.sample_quality import prove_samples
from include.settings import Settings
from include.validation import ValidationFailed
from include.withdrawals import withdrawn
from ml.examples import count
from ml.feedback import Taught
from ml.fingerprint import model_fingerprint
from ml.negatives import length_bias
from ml.sample_pictures import draw_samples
from ml.types import CleanDocument, DatasetVersion, Example, Preference, digest

log = logging.getLogger(__name__)


def build_dataset(settings: Settings) -> dict[str, object]:
    """Build the author's samples, prove them, and publish a version when enough of them are new."""
    originals = clean_originals(settings)
    documents = [d for d in originals if d.author == settings.author]
    parent = (registry.list_datasets(settings) or [""])[-1]
    before = registry.read_examples(settings, parent) if parent else []
    made = sample_documents(settings, documents, before)
    preferences, made = pair_samples(settings, made, kept_answers(settings))
    preferences, taught = add_judged(settings, documents, made, preferences)
    mark = model_fingerprint(index_mark(settings), settings.base_model)
    wanted, reason = _is_wanted(settings, parent, mark, before, made.examples, preferences)
    if wanted and (alone := _is_alone(settings, originals)):
        wanted, reason = False, alone
    counted = {"examples": len(made.examples), "preferences": len(preferences), "reason": reason}
    if made.asked:
        counted["questions"] = made.asked
    if taught.judgements:
        counted["feedback"] = {"judgements": taught.judgements, "pairs": len(taught.pairs)}
    if not wanted:
        log.warning("no new dataset: %s", reason)
        return {"dataset_id": parent, "created": False, **counted}
    _prove(settings, documents, made, preferences, taught.edits)
    version = _version(parent, mark, documents, made, preferences)
    _publish(settings, version, made, preferences, taught, reason)
    return {"dataset_id": version.id, "created": True, **counted}


def _version(
    parent: str,
    mark: str,
    documents: Sequence[CleanDocument],
    made: Made,
    preferences: Sequence[Preference],
) -> DatasetVersion:
    """Name a version by its content and its parent: words that come back to what they were are a step all the same."""
    samples = sorted([*(e.id for e in made.examples), *(p.id for p in preferences)])
    return DatasetVersion(
        id=digest("dataset", mark, parent, *samples)[:16],
        parent=parent,
        fingerprint=mark,
        created_at=datetime.now(UTC),
        counts=count(made.examples, preferences),
        documents={d.id: d.revision for d in documents},
        files={},
    )


def _publish(
    settings: Settings,
    version: DatasetVersion,
    made: Made,
    preferences: Sequence[Preference],
    taught: Taught,
    reason: str,
) -> None:
    """Publish a version with its card and pictures, and mirror it in W&B."""
    card = write_card(settings, version, made, preferences, reason, taught)
    pictures = draw_samples(made.examples, preferences)
    registry.write_dataset(settings, version, made.examples, preferences, card, pictures)
    bias = length_bias(preferences)
    with open_experiment(settings, "dataset", version.id) as run:
        run.artifact(*dataset_artifact(settings, version.id))
        told = {"documents": len(version.documents), "length_accuracy": bias.accuracy}
        run.summary({**version.counts, **told, "parent": version.parent, "dropped": made.dropped})


def _prove(
    settings: Settings,
    documents: Sequence[CleanDocument],
    made: Made,
    preferences: Sequence[Preference],
    edits: Sequence[CleanDocument],
) -> None:
    """Stop a dataset with a bad sample; what was bad is kept until a dataset is good."""
    with open_documents(settings) as store:
        store.clear_rejected("dataset")
        try:
            prove_samples(settings, documents, made.examples, preferences, edits, made.meaning)
        except ValidationFailed as stop:
            store.reject(stop.rejected, datetime.now(UTC))
            raise


def _is_wanted(
    settings: Settings,
    parent: str,
    mark: str,
    before: Sequence[Example],
    examples: Sequence[Example],
    preferences: Sequence[Preference],
) -> tuple[bool, str]:
    """Tell whether a new version is worth having, and why."""
    if poor := _is_poor(settings, examples):
        return False, poor
    if not parent:
        return True, "It is the first version."
    if withdrawn(settings, parent):
        return True, "The last version is withdrawn: a document of it was forgotten."
    if registry.read_dataset(settings, parent, verify=False).fingerprint != mark:
        return True, "Samples or base model are made in another way than before."
    then = {e.id for e in before} | {p.id for p in registry.read_preferences(settings, parent)}
    now = {e.id for e in examples} | {p.id for p in preferences}
    share = len(then ^ now) / max(len(then | now), 1)
    said = f"{share:.1%} of the samples are new or gone; a version needs {settings.dataset_change:.1%}."
    return share >= settings.dataset_change, said


def _is_poor(settings: Settings, examples: Sequence[Example]) -> str:
    """Say what is missing for a dataset that anything could be learned from, and judged on."""
    if len(examples) < settings.min_examples:
        return f"{len(examples)} examples are too few; {settings.min_examples} are needed."
    if all(e.split == "train" for e in examples):
        return "No example is held out for evaluation; four documents of one kind are needed."
    return ""


def _is_alone(settings: Settings, originals: Sequence[CleanDocument]) -> str:
    """Say what is missing where nobody else's articles are there to tell the voice apart from."""
    others = sum(d.kind == "article" and d.author != settings.author for d in originals)
    if others >= settings.min_other_texts:
        return ""
    return (
        f"The corpus holds {others} articles by other authors; {settings.min_other_texts} are needed, or nobody "
        f"could tell whose voice a model has. Add a source of another author to {settings.sources_file}, or set "
        "TWIN_MIN_OTHER_TEXTS to 0 and do without."
    )
