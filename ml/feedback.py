"""Pairs from what readers say of answers: one that was praised, or rewritten, beside one that was worse.

Only what was given with consent counts. A praised answer is the model's own text and has to stand in the
author's, as every sample does; an edit is the author's own text, with itself as its source. What makes no
pair is named with the reason.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.answer import MARK
from ml.characters import drop_hidden, mend_characters
from ml.flatten import is_as_long, plain_words
from ml.grounding import support
from ml.meaning import Meaning
from ml.negatives import balance, cut_to
from ml.prompts import twin_messages
from ml.redact import redact_parts
from ml.splits import find_leaks, held_out
from ml.types import (
    CleanDocument,
    Example,
    Feedback,
    Message,
    Preference,
    Rejected,
    Span,
    Trace,
    digest,
)

# How such pairs are called: the author's edit beside the answer; praised beside blamed, or beside what it replaced.
EDITED, THUMBS, REGENERATED = "edited", "thumbs", "regenerated"
ORIGINS = (EDITED, THUMBS, REGENERATED)
STAGE = "feedback"
NO_CONSENT = "It was given without consent to learn from it."
NO_OTHER = "No answer to the same question was judged the other way."
TOLD_BY_LENGTH = "With it, length would tell which of two texts was chosen."
REPEATED = "Another judgement says the same."
LEAKED = "It holds what the test says or asks."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that was not proven yet; `trace` is of the answer that was praised or rewritten."""

    trace: Trace
    given: Feedback
    chosen: str
    rejected: str
    how: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What pairs are proven against: the author's documents and samples, how they are described, what is a leak."""

    documents: Mapping[str, CleanDocument]
    examples: Sequence[Example]
    style: Mapping[str, float]
    author: str
    name: str
    leak_words: int
    allowed: frozenset[str] = frozenset()
    meaning: Meaning | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of judgements: pairs, the edits that some stand on as texts of their own, and what was refused.

    `answers` are the traces that pairs were made of, by the pair's id.
    """

    judgements: int = 0
    pairs: list[Preference] = field(default_factory=list)
    edits: list[CleanDocument] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


def learn(given: Sequence[Feedback], traces: Mapping[str, Trace], corpus: Corpus) -> Taught:
    """Make pairs of judgements, each proven by the rules of every other sample."""
    taught = Taught(len(given))
    held, tilt, seen = held_out(corpus.examples), 0, set[tuple[str, ...]]()
    for candidate in _candidates(given, traces, taught.refused):
        reason = _refusal(candidate, corpus, held)
        edit, pair = _pair(candidate, corpus, longer=tilt > 0)
        reason = reason or _fault(pair, edit, corpus)
        said = (_question(candidate.trace), *plain_words(pair.chosen))
        if reason or said in seen:
            taught.refused.append(refuse(candidate.trace.id, reason or REPEATED))
            continue
        seen.add(said)
        taught.pairs.append(pair)
        taught.answers[pair.id] = candidate.trace.id
        tilt += (len(pair.chosen) > len(pair.rejected)) - (len(pair.chosen) < len(pair.rejected))
        if candidate.how == EDITED:
            taught.edits.append(edit)
    leaks = find_leaks(corpus.examples, taught.pairs, corpus.leak_words, corpus.meaning)
    return _without(taught, leaks, LEAKED)


def join(own: Sequence[Preference], taught: Taught) -> tuple[list[Preference], Taught]:
    """Put such pairs beside those of the author's texts; what would let length tell is refused, here as there."""
    if not taught.pairs:
        return list(own), taught
    kept = balance([*own, *taught.pairs])
    lopsided = {p.id for p in taught.pairs} - {p.id for p in kept}
    return kept, _without(taught, lopsided, TOLD_BY_LENGTH)


def refuse(trace_id: str, reason: str) -> Rejected:
    """Say why a judgement makes no pair; its texts stay where they are."""
    return Rejected(trace_id, STAGE, reason)


def _candidates(
    given: Sequence[Feedback], traces: Mapping[str, Trace], refused: list[Rejected]
) -> Iterator[Candidate]:
    """Put each judgement beside those of the same question."""
    judged = defaultdict[str, list[Feedback]](list)
    for one in (g for g in given if g.consent and g.trace_id in traces):
        judged[_question(traces[one.trace_id])].append(one)
    for one in (g for g in given if g.trace_id in traces):
        trace = traces[one.trace_id]
        if not one.consent:
            refused.append(refuse(trace.id, NO_CONSENT))
        elif one.edit.strip():
            yield Candidate(trace, one, one.edit, spoken(trace), EDITED)
        else:
            same = [g for g in judged[_question(trace)] if g.score == -one.score and not g.edit]
            worse = list(_worse(trace, same, traces)) if one.score > 0 else []
            yield from (Candidate(trace, one, spoken(trace), spoken(t), how) for t, how in worse)
            if not worse and (one.score > 0 or not same):
                refused.append(refuse(trace.id, NO_OTHER))


def _worse(
    trace: Trace, blamed: Sequence[Feedback], traces: Mapping[str, Trace]
) -> Iterator[tuple[Trace, str]]:
    """Name the answers that a praised one is better than: those that were blamed, and the one that it replaced."""
    found = {g.trace_id: THUMBS for g in blamed}
    replaced = traces.get(str(trace.how.get("instead_of", "")))
    if replaced is not None and _question(replaced) == _question(trace):
        found.setdefault(replaced.id, REGENERATED)
    found.pop(trace.id, None)
    yield from ((traces[i], how) for i, how in found.items())


def spoken(trace: Trace) -> str:
    """Return what the model said itself, without the evidence."""
    return trace.answer.partition(MARK)[2].strip()


def earlier(trace: Trace) -> list[Message]:
    """Return the turns before a question, as the model was shown them."""
    turns: Any = trace.how.get("earlier", ())
    return [Message(t["role"], t["content"]) for t in turns]


def _question(trace: Trace) -> str:
    return " ".join(trace.question.split()).casefold()


def _refusal(candidate: Candidate, corpus: Corpus, held: frozenset[str]) -> str:
    """Say why an answer teaches nothing, whatever was said of it; empty where it may."""
    trace, named = candidate.trace, {str(s["document_id"]) for s in candidate.trace.sources}
    faults: tuple[tuple[bool, str], ...] = (
        (not candidate.rejected, "The model said nothing of its own."),
        (trace.how.get("format") == "json", "An answer in JSON has no voice."),
        (bool(named & held), "It stands on a text that is held out for the test."),
        (
            not all(_stands(s, corpus.documents) for s in trace.sources),
            "It stands on a text that is not the author's, or has changed or gone since.",
        ),
    )
    return next((reason for wrong, reason in faults if wrong), "")


def _stands(source: Mapping[str, Any], documents: Mapping[str, CleanDocument]) -> bool:
    """Tell whether the author's document still says what an answer quoted of it."""
    document = documents.get(str(source["document_id"]))
    quoted = [document.text[a:b] for a, b in source.get("spans", ())] if document else []
    return bool(quoted) and " … ".join(quoted) == source["quote"]


def _pair(
    candidate: Candidate, corpus: Corpus, *, longer: bool
) -> tuple[CleanDocument, Preference]:
    """Render a pair as every other sample is, without secrets, with the edit as a text of its own."""
    trace = candidate.trace
    texts = (trace.question, candidate.chosen, candidate.rejected)
    seen = [mend_characters(drop_hidden(text)).strip() for text in texts]
    (question, chosen, rejected), _ = redact_parts(seen, corpus.allowed)
    evidence = [str(s["quote"]) for s in trace.sources]
    edit = _as_document(candidate, chosen, corpus)
    pair = Preference(
        messages=twin_messages(
            question, evidence, corpus.style, corpus.name, earlier=earlier(trace)
        ),
        chosen=chosen,
        rejected=cut_to(rejected, len(chosen), longer=longer),
        span=_source(candidate, edit, chosen, corpus),
        how=candidate.how,
        split="train",
    )
    return edit, pair


def _as_document(candidate: Candidate, text: str, corpus: Corpus) -> CleanDocument:
    given, of = candidate.given, digest("feedback", candidate.trace.id, candidate.given.by)
    return CleanDocument(
        id=of,
        revision=digest("revision", "", text),
        url=f"feedback:{of}",
        kind="post",
        author=corpus.author,
        title="",
        text=text,
        language="en",
        published_at=given.given_at,
    )


def _source(candidate: Candidate, edit: CleanDocument, chosen: str, corpus: Corpus) -> Span:
    """Find the text that a chosen one stands in: an edit in itself, an answer in one of its sources."""
    if candidate.how == EDITED:
        return Span(edit.id, edit.revision, 0, len(edit.text))
    named = (corpus.documents.get(str(s["document_id"])) for s in candidate.trace.sources)
    spans = [Span(d.id, d.revision, 0, len(d.text)) for d in named if d]
    grounded = (s for s in spans if support(s, chosen, corpus.documents).grounded)
    return next(grounded, Span("", "", 0, 0))


def _fault(pair: Preference, edit: CleanDocument, corpus: Corpus) -> str:
    """Say what is wrong with a pair; empty where nothing is."""
    texts = {**corpus.documents, edit.id: edit}
    if not support(pair.span, pair.chosen, texts).grounded:
        return "What was praised does not stand in its sources."
    worse = plain_words(pair.rejected)
    if worse and plain_words(pair.chosen)[: len(worse)] == worse:
        return "Both texts say the same."
    if not is_as_long(pair.rejected, pair.chosen):
        return "The worse text is too short to be compared."
    return ""


def _without(taught: Taught, wrong: set[str], reason: str) -> Taught:
    """Refuse some of the pairs, and let the edits go that only they stand on."""
    kept = [p for p in taught.pairs if p.id not in wrong]
    stood = {p.span.document_id for p in kept}
    refused = [refuse(taught.answers[p.id], reason) for p in taught.pairs if p.id in wrong]
    edits = [e for e in taught.edits if e.id in stood]
    return Taught(taught.judgements, kept, edits, [*taught.refused, *refused], taught.answers)
