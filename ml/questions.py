"""Questions whose truth is known without asking anybody: from the structure of held-out texts, and from elsewhere.

A heading, and a question that a text asks itself, are answered by the passages that stand under them. What no
author of a technical blog writes about should be declined. Retrieval is measured as the field measures it
(ir-measures); what the answer path declines, as two rates.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.probes import choose
from ml.text import words
from ml.types import Chunk, Hit

# Questions with an answer, and without one; more cost seconds and change little.
ASKED, ELSEWHERE = 12, 8
# How far down the list of hits one looks.
DEEP = 5
# Never change one: they are asked of every index alike. One that the author does write about is left out.
_ELSEWHERE = (
    "What is the best recipe for strawberry jam?",
    "Which team won the football world cup in 1974?",
    "How do I treat a cat with an ear infection?",
    "What is the boiling point of mercury?",
    "How do you knit the heel of a sock?",
    "Which visa does a student need for Australia?",
    "When should tulip bulbs be planted?",
    "What does the second movement of the Eroica sound like?",
    "How long must a turkey stay in the oven?",
    "Which vaccine does a baby get first?",
    "How is a tennis racket restrung?",
    "What did the treaty of Westphalia end?",
    "How do you train for a first marathon?",
    "Which nail polish dries fastest?",
    "What is the rent of a flat in Lisbon?",
    "How do bees find their way back to the hive?",
)  # fmt: skip
_ASKS = re.compile(r"(?<![^\s\"“(])([A-Z][^.!?\n]{15,140}\?)")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the passages that answer it; none means that it should be declined."""

    text: str
    relevant: tuple[str, ...] = ()
    reference: str = ""


def held_out_questions(passages: Sequence[Chunk], many: int = ASKED) -> list[Question]:
    """Derive questions from the passages of held-out texts: those they ask themselves, and their headings.

    A heading that stands over several documents, such as “Conclusion”, asks for nothing.
    """
    found: dict[str, Question] = {}
    for chunk in passages:
        for asked in _ASKS.findall(chunk.text)[:1]:
            found.setdefault(asked, Question(asked, (chunk.id,), chunk.text))
    headed: dict[str, list[Chunk]] = {}
    for chunk in passages:
        # A heading is the way down to a passage: `Title > Part > Detail`.
        heading = chunk.heading.rpartition(" > ")[2]
        if heading not in ("", chunk.title):
            headed.setdefault(heading, []).append(chunk)
    for heading, under in headed.items():
        if len({c.document_id for c in under}) == 1:
            text = _as_question(heading)
            found[text] = Question(
                text, tuple(c.id for c in under), "\n\n".join(c.text for c in under)
            )
    return [found[text] for text in choose(list(found), many)]


def unanswerable_questions(many: int = ELSEWHERE) -> list[Question]:
    """List questions that no technical author answers; `is_told` finds the one that this author does."""
    return [Question(asked) for asked in _ELSEWHERE[:many]]


def is_told(asked: str, hits: Sequence[Hit]) -> bool:
    """Tell whether one of the passages found holds most of what a question asks about."""
    about = {w.lower() for w in words(asked) if len(w) > 4}
    held = ({w.lower() for w in words(hit.chunk.text)} for hit in hits)
    return any(len(about & said) > len(about) / 2 for said in held)


def measure_retrieval(
    questions: Sequence[Question], found: Mapping[str, Sequence[Hit]]
) -> dict[str, float]:
    """Measure the hits of questions with known passages: hit@k, nDCG and mean reciprocal rank; empty without any."""
    import ir_measures
    from ir_measures import RR, Success, nDCG

    asked = [q for q in questions if q.relevant]
    if not asked:
        return {}
    truth = [ir_measures.Qrel(q.text, name, 1) for q in asked for name in q.relevant]
    run = [
        # The order is what was retrieved; scores of one search need not be of one kind.
        ir_measures.ScoredDoc(q.text, hit.chunk.id, -float(place))
        for q in asked
        for place, hit in enumerate(found[q.text])
    ]
    measures = {"hit_at_1": Success @ 1, f"hit_at_{DEEP}": Success @ DEEP}
    measures |= {f"ndcg_at_{DEEP}": nDCG @ DEEP, "mrr": RR @ DEEP}
    values = ir_measures.calc_aggregate(measures.values(), truth, run)
    return {name: float(values[m]) for name, m in measures.items()}


def abstention_rates(
    questions: Sequence[Question], abstained: Mapping[str, bool]
) -> dict[str, float]:
    """Return how often an answerable question was declined, and how often an unanswerable one was."""
    rates = {}
    for name, known in (("declined_answerable", True), ("declined_unanswerable", False)):
        asked = [q for q in questions if bool(q.relevant) == known]
        if asked:
            rates[name] = sum(abstained[q.text] for q in asked) / len(asked)
    return rates


def _as_question(heading: str) -> str:
    if heading.endswith("?"):
        return heading
    return f"What do you say about {heading[:1].lower() + heading[1:]}?"
