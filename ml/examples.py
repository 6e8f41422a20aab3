"""Render drafts into instruct samples, as the twin will be asked, and count what came of it.

Every answer is a span of a clean document (ml/drafts.py). Which side of the split a document is on is
told in ml/splits.py, what a pair rejects in ml/negatives.py.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ml.drafts import Draft, draft_samples
from ml.prompts import twin_messages
from ml.splits import Split
from ml.types import CleanDocument, Example, Message, Preference

Ask = Callable[[Draft], str]


def make_examples(
    documents: Sequence[CleanDocument],
    splits: Mapping[str, Split],
    style: Mapping[str, float],
    author_name: str,
    ask: Ask = lambda draft: draft.instruction,
) -> list[Example]:
    """Derive the instruct samples of one author; `ask` may put a question in other words."""
    made = [
        _example(draft, ask(draft), style, author_name, splits[document.id])
        for document in sorted(documents, key=lambda d: d.id)
        for draft in draft_samples(document)
    ]
    return list({e.id: e for e in made}.values())


def count(examples: Sequence[Example], preferences: Sequence[Preference]) -> dict[str, int]:
    """Count samples by split and task."""
    counted = Counter(f"{e.split}/{e.task}" for e in examples)
    counted.update(f"{p.split}/preference" for p in preferences)
    return dict(sorted(counted.items()))


def _example(
    draft: Draft, asked: str, style: Mapping[str, float], author_name: str, split: Split
) -> Example:
    prompt = twin_messages(asked, draft.evidence, style, author_name)
    answer = Message("assistant", draft.answer)
    return Example((*prompt, answer), draft.span, draft.task, split)
