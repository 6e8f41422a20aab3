"""What to make of passages of places where others write, too: they come after the author's own, and are named as such.

Whose they are is told by the document's source (include/trust.py). One that gives orders to a model, or is stuffed
with words, is left out whole; of the author's own only the sentence is.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from ml.injection import is_stuffed, speaks_to_a_model
from ml.rerank import Found, best_first

Shared = Callable[[Collection[str]], Collection[str]]
# A passage that others may have written has to be better by this much, in the ranking's own unit.
HANDICAP = 0.6


def nothing_shared(document_ids: Collection[str]) -> Collection[str]:
    """Name no document: every text is the author's own."""
    return ()


def weigh_trust(ranked: Sequence[Found], shared: Shared) -> list[Found]:
    """Leave out what is suspicious, and put what others may have written behind what is about as good."""
    theirs = set(shared({f.chunk.document_id for f in ranked}))
    told = [replace(f, shared=f.chunk.document_id in theirs) for f in ranked]
    kept = [f for f in told if not _is_suspicious(f)]
    if not any(f.shared for f in kept):
        return kept
    return best_first(kept, [f.score - HANDICAP * f.shared for f in kept])


def _is_suspicious(found: Found) -> bool:
    text = found.chunk.text
    return is_stuffed(text) or (found.shared and speaks_to_a_model(text))
