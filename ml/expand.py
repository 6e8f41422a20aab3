"""Other ways of asking a question, for the step `expand`: by rules, or by whoever is passed in."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ml.terms import terms

# How a question is wrapped; what is inside is what an author would write about.
_WRAPPING = re.compile(
    r"^\W*(?:(?:please|can|could|would|will)\b\W*(?:you\b\W*)?)?(?:(?:tell|explain|describe|show)\b\W*(?:me|us)?\W*(?:about\b)?)?"
    r"\W*(?:(?:what|which|why|how|when|where|who)\b)?\W*(?:(?:do|does|did|are|is|was|were|have|has|would|should|can|could)\b)?"
    r"\W*(?:(?:I|you|we|one|your|my)\b)?\W*(?:(?:think|say|write|written|believe|know|recommend|feel|advise)\b\W*(?:about|of|on)\b)?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Variants:
    """Other ways of asking, and who found them, for the trace."""

    texts: tuple[str, ...]
    by: str = "rules"


Expand = Callable[[str], Variants]


def expand_by_rules(question: str) -> Variants:
    """Say a question in other ways, without a model: the subject alone, and its bare terms."""
    subject = _WRAPPING.sub("", question, count=1).strip(" ?!.")
    bare = " ".join(w for w in re.findall(r"[\w'’-]+", question) if terms(w))
    return Variants(tuple(v for v in dict.fromkeys((subject, bare)) if v and v != question))
