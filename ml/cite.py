"""Name the sources of an answer to the character, say what is known where nothing answers, check what is claimed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml.compress import Extract
from ml.injection import defuse
from ml.rerank import Found
from ml.sentences import sentence_spans
from ml.terms import covered, terms, weigh
from ml.types import SourceRef

# A second source is quoted only when it comes this close to the best one, in the ranking's own unit.
SECOND_SOURCE = 0.6
# Share of a sentence's terms, each by its rarity, that one source has to have for it to be supported.
SUPPORTED = 0.6
# Fewer terms claim nothing.
CLAIMING_TERMS = 3
_MARKED = re.compile(r"\[\d+\]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_END = re.compile(r"[.!?][\"')\]]*\s+")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that the model wrote: the number of the source that supports it, 0 for none, and how far one does."""

    text: str
    source: int
    support: float


def cite(extracts: Sequence[Extract]) -> tuple[SourceRef, ...]:
    """Name every passage that the model is shown, with what was extracted of it and where that stands."""
    return tuple(_reference(n, extract) for n, extract in enumerate(extracts, start=1))


def quote(sources: Sequence[SourceRef]) -> str:
    """Quote the best source word for word, and another document's where it comes close; what loads is disarmed.

    What others may have written is named, and not quoted as the author's words.
    """
    best = {s.document_id: s for s in reversed(sources)}
    two = sorted(best.values(), key=lambda s: s.number)[:2]
    shown = [s for s in two if s.trust == "own" and s.score >= two[0].score - SECOND_SOURCE]
    return "\n\n".join(f"> {' '.join(defuse(s.quote).split())} [{s.number}]" for s in shown)


def abstention(found: Sequence[Found], reason: str) -> str:
    """Say that nothing is known, and what is: the titles of the nearest texts."""
    titles = list(dict.fromkeys(f.chunk.title for f in found if f.chunk.title))[:3]
    known = f" The nearest things that I have written about: {'; '.join(titles)}." if titles else ""
    return reason + known


def check(
    generated: str, sources: Sequence[SourceRef], counts: Mapping[str, int], passages: int
) -> tuple[Claim, ...]:
    """Judge each sentence of a generated text: which source supports it, or none.

    A source supports a sentence if it has most of its terms, the rare ones first, and every number in it.
    """
    evidence = [(s.number, s.quote) for s in sources]
    return tuple(_judge(said, evidence, counts, passages) for said in _sentences(generated))


class Sieve:
    """Lets of a text that comes in pieces only those sentences pass that a source supports."""

    def __init__(
        self, sources: Sequence[SourceRef], counts: Mapping[str, int], passages: int
    ) -> None:
        self._judged = sources, counts, passages
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """Take a piece; returns what may be said by now."""
        self._waiting += piece
        passed = ""
        while end := _END.search(self._waiting):
            passed += self._pass(self._waiting[: end.end()])
            self._waiting = self._waiting[end.end() :]
        return passed

    def rest(self) -> str:
        """Return what may be said of the last sentence."""
        passed, self._waiting = self._pass(self._waiting), ""
        return passed

    def _pass(self, sentence: str) -> str:
        claims = check(sentence, *self._judged)
        return sentence if claims and all(c.source for c in claims) else ""


def _sentences(text: str) -> list[str]:
    """Cut a generated text; what is too short to be a sentence belongs to none."""
    return [text[a:b] for a, b in sentence_spans(text)] or ([text.strip()] if text.strip() else [])


def _judge(
    said: str, evidence: Sequence[tuple[int, str]], counts: Mapping[str, int], passages: int
) -> Claim:
    weights = weigh(set(terms(said)), counts, passages)
    # The number of a source is no number that has to stand in it.
    numbers = set(_NUMBER.findall(_MARKED.sub("", said)))
    best, source = 0.0, 0
    for number, text in evidence:
        share = covered(weights, set(terms(text)))
        if share > best and numbers <= set(_NUMBER.findall(text)):
            best, source = share, number
    enough = len(weights) >= CLAIMING_TERMS and best >= SUPPORTED
    return Claim(said, source if enough else 0, round(best, 3))


def _reference(number: int, extract: Extract) -> SourceRef:
    chunk = extract.found.chunk
    return SourceRef(
        number=number,
        document_id=chunk.document_id,
        chunk_id=chunk.id,
        title=chunk.title,
        url=chunk.url,
        quote=extract.quote,
        score=extract.found.score,
        spans=tuple((chunk.start + a, chunk.start + b) for a, b in extract.spans),
        revision=chunk.revision,
        published_at=chunk.published_at,
        trust="shared" if extract.found.shared else "own",
    )
