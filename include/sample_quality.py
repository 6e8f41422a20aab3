"""What the dataset suite sees of a sample, and the stop of a dataset with a single bad one.

The rules are in `include/suites.py`; what they look at is measured here anew, from the documents and the
samples alone, whoever made them.
"""

from collections.abc import Mapping, Sequence

from include.quality import Row, describe, rejections
from include.settings import Settings
from include.validation import ValidationFailed, validate
from ml.flatten import plain_words
from ml.grounding import support
from ml.meaning import Meaning
from ml.negatives import length_bias
from ml.splits import crossed, find_leaks
from ml.types import CleanDocument, Example, Preference, Span

# Fewer preference pairs than this may be lopsided by chance.
FEW_PAIRS = 20


def prove_samples(
    settings: Settings,
    documents: Sequence[CleanDocument],
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    edits: Sequence[CleanDocument] = (),
    meaning: Meaning | None = None,
) -> None:
    """Stop a dataset with a single sample that is not the author's words, that leaks, or that is a tie."""
    rows = sample_rows(settings, documents, examples, preferences, edits, meaning)
    texts = {d.id: d for d in documents}
    report = validate(settings, "dataset", rows, batch="dataset")
    if report.failures or report.batch_failures:
        sources = {str(r["id"]): texts.get(str(r["document_id"])) for r in rows}
        known = {i: d for i, d in sources.items() if d}
        raise ValidationFailed(describe(report), rejections(report, known))


def sample_rows(
    settings: Settings,
    documents: Sequence[CleanDocument],
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    edits: Sequence[CleanDocument] = (),
    meaning: Meaning | None = None,
) -> list[Row]:
    """Measure every sample and pair: what it stands on, whether it leaks, and what its length tells.

    Without `meaning`, leaks are told by runs of words alone.
    """
    texts = {d.id: d for d in (*documents, *edits)}
    wrong = find_leaks(examples, preferences, settings.leak_words, meaning)
    across = crossed(documents, examples)
    rows = [_example_row(e, texts) for e in examples]
    rows += [_preference_row(p, texts) for p in preferences]
    lengths = _lengths(preferences)
    for row in rows:
        row |= {"leaked": row["id"] in wrong, "crossed": row["document_id"] in across} | lengths
    return rows


def _lengths(preferences: Sequence[Preference]) -> Row:
    """Measure what length tells about the pairs; of a few, nothing can be said."""
    bias = length_bias(preferences if len(preferences) >= FEW_PAIRS else ())
    return {"length_difference": bias.difference, "length_surprise": bias.surprise}


def _example_row(example: Example, texts: Mapping[str, CleanDocument]) -> Row:
    answer = example.messages[-1].content
    return {
        "id": example.id,
        "task": example.task,
        "split": example.split,
        "characters": len(answer),
        "tied": False,
        **_grounds(example.span, answer, texts),
    }


def _preference_row(pair: Preference, texts: Mapping[str, CleanDocument]) -> Row:
    return {
        "id": pair.id,
        "task": "preference",
        "split": pair.split,
        "characters": len(pair.chosen),
        "tied": plain_words(pair.chosen) == plain_words(pair.rejected),
        **_grounds(pair.span, pair.chosen, texts),
    }


def _grounds(span: Span, answer: str, texts: Mapping[str, CleanDocument]) -> Row:
    found = support(span, answer, texts)
    return {
        "document_id": span.document_id,
        "grounded": found.grounded,
        "containment": found.containment,
        "topic": found.topic,
    }
