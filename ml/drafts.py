"""Draft samples from one document: what is asked, what would be retrieved, and the span that answers.

Every answer is the author's own words at a place of the text. What is asked follows from headings,
questions in the text, quotations, readers' questions, code and what stands beside it. Prompts are
rendered elsewhere (ml/examples.py).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from ml.drafts_code import from_code
from ml.flatten import flatten
from ml.grounding import count_terms, coverage, overlap, terms
from ml.types import CleanDocument, Span

# Words of an answer: shorter ones hold no voice, longer ones do not fit a small context.
SHORTEST, LONGEST = 12, 110
# Words of what is asked about: a passage, a quotation, a block of code.
SHOWN_WORDS = 70
# A summary names this share of what its section is about, and a section has this many parts at least.
COVERS, PARTS = 0.34, 3
# One paragraph in so many is to be said again: the same words in too many samples are learned by heart.
RARELY = 3
# A reader's question and the paragraph that answers it share this many telling words, and this share of his.
SHARED_TERMS, SHARED_SUBJECT = 3, 0.5
# Words of a program's names that prose shares which explains it.
CODE_TERMS = 2
# Headings, code, tables, lists and pictures.
_NO_PROSE = re.compile(r"#|```|    |\s*(?:\||[-*+]\s|\d+[.)]\s|!\[)")
_SUMS_UP = re.compile(r"summary|tl;?dr|conclusion|takeaway|in short|lessons?\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?]['\"”)]*\s+(?=\S)")
_BLOCK = re.compile(r"```.*?(?:^```|\Z)|(?:[^\n]+(?:\n(?!```)|\Z))+", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"```([\w+#.-]*)[^\n]*\n(.*?)\n?```\Z", re.DOTALL)
_QUESTION = re.compile(r"[^.!?\n]{20,240}\?")


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample before it is rendered: `evidence` is what retrieval would bring."""

    task: str
    instruction: str
    evidence: tuple[str, ...]
    span: Span
    answer: str


@dataclass(frozen=True, slots=True)
class _Block:
    """A Markdown block with its place; `heading` is the one above it."""

    start: int
    text: str
    heading: str

    @property
    def said(self) -> bool:
        """Tell whether it is a paragraph."""
        return _NO_PROSE.match(self.text) is None

    @property
    def answers(self) -> bool:
        """Tell whether it is a paragraph that could be an answer."""
        return self.said and SHORTEST <= len(self.text.split()) <= LONGEST


def draft_samples(document: CleanDocument) -> list[Draft]:
    """Draft the samples of one document, according to its kind."""
    match document.kind:
        case "article":
            return list(_from_article(document))
        case "post":
            return list(_from_post(document))
        case "code":
            return [
                Draft(task, asked, (), Span(document.id, document.revision, start, end), answer)
                for task, asked, start, end, answer in from_code(document)
                if SHORTEST <= len(answer.split()) <= LONGEST
            ]


def _from_article(document: CleanDocument) -> Iterator[Draft]:
    blocks = list(_blocks(document.text))
    yield from _summaries(document, blocks)
    asked = ""
    for block, before in zip(blocks, [None, *blocks], strict=False):
        if block.text.startswith("#"):
            asked = block.heading
        elif block.answers:
            if question := _question(document.title, asked):
                yield _draft(document, block, "answer", question, (_shorten(block.text),))
                asked = ""
            yield from _continuation(document, block)
            yield from _rewriting(document, block)
            if before is not None:
                yield from _explanation(document, before, block)
    yield from _replies(document, [b for b in blocks if b.answers])


def _from_post(document: CleanDocument) -> Iterator[Draft]:
    """Write a post from its opening, or as the reply that it is; and say some of them again."""
    text = document.text.strip()
    if not SHORTEST <= len(text.split()) <= LONGEST:
        return
    block = _Block(document.text.index(text), text, "")
    if document.quotes:
        quoted = _shorten("\n".join(document.quotes))
        yield _draft(document, block, "reply", f"Reply to this post: {quoted}")
    else:
        opening = " ".join(text.split()[:6])
        yield _draft(document, block, "post", f"Write a short post that begins with: {opening}")
    yield from _rewriting(document, block)


def _question(title: str, heading: str) -> str:
    if heading.endswith("?") or not heading:
        return heading
    return f"What do you say about {heading[:1].lower() + heading[1:]} in “{title}”?"


def _continuation(document: CleanDocument, block: _Block) -> Iterator[Draft]:
    """Go on after the first sentence; where that one asks, answer it."""
    cut = _SENTENCE_END.search(block.text)
    if cut and len(block.text[cut.end() :].split()) >= SHORTEST:
        opening, rest = block.text[: cut.end()].strip(), block.text[cut.end() :]
        after = replace(block, start=block.start + cut.end(), text=rest)
        if opening.endswith("?"):
            yield _draft(document, after, "answer", opening, (_shorten(rest),))
        else:
            yield _draft(document, after, "continue", f"Continue: {opening}")


def _rewriting(document: CleanDocument, block: _Block) -> Iterator[Draft]:
    """Say one paragraph in some, from which the voice was taken out, as the author did."""
    chosen = crc32(f"{document.id}{block.start}".encode()) % RARELY == 0
    if chosen and len(block.text.split()) <= SHOWN_WORDS and (flat := flatten(block.text)):
        yield _draft(document, block, "rewrite", f"Say this in your own words: {flat}")


def _explanation(document: CleanDocument, code: _Block, said: _Block) -> Iterator[Draft]:
    """Explain a block of code by the paragraph behind it, if that one speaks of what is in it."""
    found = _FENCE.match(code.text)
    if (
        found
        and len(found.group(2).split()) <= SHOWN_WORDS
        and _speaks_of(said.text, found.group(2))
    ):
        language = f" ({found.group(1)})" if found.group(1) else ""
        asked = f"Explain this code{language}:\n{found.group(2)}"
        yield _draft(document, said, "explain", asked)


def _speaks_of(said: str, code: str) -> bool:
    """Tell whether prose names something of a program, or shares two words with its names."""
    named = set(re.findall(r"`(\w{3,})", said)) & set(re.findall(r"\w+", code))
    parts = terms(re.sub(r"[_\d\W]+|(?<=[a-z])(?=[A-Z])", " ", code))
    return bool(named) or len(parts & terms(said)) >= CODE_TERMS


def _summaries(document: CleanDocument, blocks: Sequence[_Block]) -> Iterator[Draft]:
    """Sum up the piece, and each long section, by the paragraph at its end or beginning that covers it."""
    said = [b for b in blocks if b.said]
    yield from _summary(document, said, f"Sum up “{document.title}” in one paragraph.")
    for heading in dict.fromkeys(b.heading for b in said if b.heading):
        section = [b for b in said if b.heading == heading]
        if len(section) < len(said):
            asked = f"Sum up “{heading}” of “{document.title}”."
            yield from _summary(document, section, asked)


def _summary(document: CleanDocument, said: Sequence[_Block], asked: str) -> Iterator[Draft]:
    """Take the best of the paragraphs that may sum the others up, if it covers them."""
    declared = [b for b in said if _SUMS_UP.search(b.heading)]
    candidates = {b.start: b for b in (*declared[:1], *said[-1:], *said[:1]) if b.answers}
    seen = count_terms(b.text for b in said) if candidates and len(said) > PARTS else {}
    best, most = None, COVERS
    for block in candidates.values():
        if (covered := coverage(block.text, seen)) >= most:
            best, most = block, covered
    if best is not None:
        rest = [b.text for b in said if b.start != best.start]
        yield _draft(document, best, "summarise", asked, _gist(rest))


def _gist(parts: Sequence[str]) -> tuple[str, ...]:
    """Show the first sentences of parts of a text, as many as fit."""
    room, shown = SHOWN_WORDS, list[str]()
    for part in parts:
        cut = _SENTENCE_END.search(part)
        sentence = part[: cut.end() if cut else len(part)].split()
        if len(sentence) > room:
            break
        shown.append(" ".join(sentence))
        room -= len(sentence)
    return (" ".join(shown) or _shorten(parts[0]),)


def _replies(document: CleanDocument, answers: Sequence[_Block]) -> Iterator[Draft]:
    """Answer a question of a reader by the paragraph that is about it, if there is one."""
    if not document.comments or not answers:
        return
    for comment in document.comments:
        found = _QUESTION.search(comment)
        asked = terms(found.group()) if found else frozenset()
        if found is None or len(asked) < SHARED_TERMS:
            continue
        best = max(answers, key=lambda b: (len(asked & terms(b.text)), -b.start))
        shared = len(asked & terms(best.text))
        if shared >= SHARED_TERMS and overlap(found.group(), best.text) >= SHARED_SUBJECT:
            question = " ".join(found.group().split())
            yield _draft(document, best, "reply", f"A reader asks: {question}")


def _draft(
    document: CleanDocument,
    block: _Block,
    task: str,
    asked: str,
    evidence: tuple[str, ...] = (),
) -> Draft:
    end = block.start + len(block.text)
    span = Span(document.id, document.revision, block.start, end)
    return Draft(task, asked, evidence, span, block.text)


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the Markdown blocks with their places; a fenced code block is one block."""
    heading = ""
    for match in _BLOCK.finditer(text):
        block = match.group().rstrip("\n")
        if block.startswith("#"):
            heading = " ".join(block.lstrip("#").replace("*", "").split())
        if block:
            yield _Block(match.start(), block, heading)


def _shorten(text: str) -> str:
    return " ".join(text.split()[:SHOWN_WORDS])
