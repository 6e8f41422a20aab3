"""Build instruct and preference samples whose answers are the author's own words, and prove it.

Every answer is a span of a clean document; the instruction is derived from headings, titles and
openings. A rejected text is the same words with the voice ironed out, as long as the chosen one, so
that a model learns voice and not length. Documents are split by time, and a training sample that
shares a run of words with the test split is dropped.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ml.prompts import twin_messages
from ml.text import words
from ml.types import CleanDocument, Example, Message, Preference, Span

Split = Literal["train", "test"]
# Words of an answer: shorter ones hold no voice, longer ones do not fit a small context.
SHORTEST, LONGEST = 12, 110
EVIDENCE_WORDS = 70
# A rejected text may be this much shorter or longer than the chosen one.
LENGTH_BAND = 0.15


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample before it is rendered: `evidence` is what retrieval would bring."""

    task: str
    instruction: str
    evidence: tuple[str, ...]
    span: Span
    answer: str


def split_documents(
    documents: Sequence[CleanDocument],
    test_share: float,
    tested: Collection[str] = (),
    trained: Collection[str] = (),
) -> dict[str, Split]:
    """Put the newest documents of each kind into the test split; at least one of a kind that has four.

    What an earlier version `tested` stays held out, and what it `trained` on is not tested while there
    is anything else: an older model is never asked what it learned by heart.
    """
    splits: dict[str, Split] = {d.id: "train" for d in documents}
    for kind in sorted({d.kind for d in documents}):
        newest_first = sorted(
            (d for d in documents if d.kind == kind),
            key=lambda d: (d.published_at is not None, d.published_at, d.id),
            reverse=True,
        )
        wanted = max(round(test_share * len(newest_first)), 1) if len(newest_first) >= 4 else 0
        ids = [d.id for d in newest_first]
        stay = [i for i in ids if i in tested]
        unseen = [i for i in ids if i not in tested and i not in trained]
        held_out = (stay + unseen)[:wanted] or ids[:wanted]
        splits |= dict.fromkeys(held_out, "test")
    return splits


def make_examples(
    documents: Sequence[CleanDocument],
    splits: Mapping[str, Split],
    style: Mapping[str, float],
    author_name: str,
    leak_words: int,
) -> list[Example]:
    """Derive the instruct samples of one author, without those that leak the test split into training."""
    made = [
        Example(
            (*_render(draft, style, author_name), Message("assistant", draft.answer)),
            draft.span,
            draft.task,
            splits[document.id],
        )
        for document in sorted(documents, key=lambda d: d.id)
        for draft in draft_samples(document)
    ]
    distinct = {e.id: e for e in made}
    return drop_leaks(list(distinct.values()), leak_words)


def make_preferences(
    documents: Sequence[CleanDocument],
    splits: Mapping[str, Split],
    style: Mapping[str, float],
    author_name: str,
    allowed: Iterable[Example],
) -> list[Preference]:
    """Pair the author's words with the same words ironed flat, for spans that `allowed` samples use."""
    spans = {e.span for e in allowed}
    made = [
        Preference(
            _render(draft, style, author_name),
            draft.answer,
            flat,
            draft.span,
            "flattened",
            splits[document.id],
        )
        for document in sorted(documents, key=lambda d: d.id)
        for draft in draft_samples(document)
        if document.kind != "code" and draft.span in spans and (flat := flatten(draft.answer))
    ]
    return list({p.id: p for p in made}.values())


def drop_leaks(examples: Sequence[Example], leak_words: int) -> list[Example]:
    """Drop training samples that ask what a test sample asks, or share `leak_words` words in a row with its answer."""
    tests = [e for e in examples if e.split == "test"]
    asked = {e.messages[-2].content for e in tests}
    said = {gram for e in tests for gram in _grams(e, leak_words)}
    return [
        e
        for e in examples
        if e.split == "test"
        or (e.messages[-2].content not in asked and not said & _grams(e, leak_words))
    ]


def is_grounded(span: Span, answer: str, texts: Mapping[str, CleanDocument]) -> bool:
    """Tell whether an answer is, word for word, what its span of the source says."""
    source = texts.get(span.document_id)
    found = source is not None and source.revision == span.revision
    return found and source is not None and source.text[span.start : span.end] == answer


def count(examples: Sequence[Example], preferences: Sequence[Preference]) -> dict[str, int]:
    """Count samples by split and task."""
    counted = Counter(f"{e.split}/{e.task}" for e in examples)
    counted.update(f"{p.split}/preference" for p in preferences)
    return dict(sorted(counted.items()))


def draft_samples(document: CleanDocument) -> list[Draft]:
    """Draft the samples of one document, according to its kind."""
    match document.kind:
        case "article":
            return list(_from_article(document))
        case "post":
            return list(_from_post(document))
        case "code":
            return list(_from_code(document))


def flatten(text: str) -> str:
    """Iron the voice out of a text: bland words, no asides, no semicolons. Empty when too little changes."""
    flat = re.sub(r"\s*\([^()]*\)", "", text)
    flat = re.sub(r"\s*[;—–]\s*", ". ", flat).replace("!", ".")
    flat = re.sub(r"\. ([a-z])", lambda m: ". " + m.group(1).upper(), flat)
    for plain, bland in _BLAND:
        flat = re.sub(rf"\b{plain}\b", bland, flat, flags=re.IGNORECASE)
    ratio = len(flat) / max(len(text), 1)
    return flat if flat != text and abs(ratio - 1) <= LENGTH_BAND else ""


_BLAND = (
    ("use", "utilize"), ("used", "utilized"), ("help", "facilitate"), ("show", "demonstrate"),
    ("about", "regarding"), ("because", "due to the fact that"), ("start", "commence"),
    ("end", "conclude"), ("many", "numerous"), ("but", "however"), ("so", "therefore"),
    ("get", "obtain"), ("need", "require"), ("wrong", "suboptimal"), ("fix", "remediate"),
    ("think", "believe"), ("big", "significant"), ("small", "minimal"), ("good", "excellent"),
    ("bad", "challenging"), ("boring", "straightforward"), ("was", "has been"),
)  # fmt: skip


def _render(draft: Draft, style: Mapping[str, float], author_name: str) -> tuple[Message, ...]:
    return twin_messages(draft.instruction, draft.evidence, style, author_name)


def _grams(example: Example, n: int) -> set[str]:
    found = [w.lower() for w in words(example.messages[-1].content)]
    return {" ".join(found[i : i + n]) for i in range(len(found) - n + 1)}


def _from_article(document: CleanDocument) -> Iterator[Draft]:
    """Ask each section's heading, ask how the piece opens, and continue paragraphs from their first sentence."""
    heading = ""
    for start, end, block in _blocks(document.text):
        if block.startswith("#"):
            heading = block.lstrip("#").strip()
            continue
        if not SHORTEST <= len(block.split()) <= LONGEST or block.startswith(
            ("```", "|", "-", "*")
        ):
            continue
        span = Span(document.id, document.revision, start, end)
        if question := _question(document.title, heading):
            yield Draft("answer", question, (_shorten(block),), span, block)
            heading = ""
        yield from _continuation(document, start, block)


def _question(title: str, heading: str) -> str:
    if heading.endswith("?"):
        return heading
    if heading:
        return f"What do you say about {heading[:1].lower() + heading[1:]} in “{title}”?"
    return ""


def _continuation(document: CleanDocument, start: int, block: str) -> Iterator[Draft]:
    cut = re.search(r"[.!?]['\"”)]*\s+(?=\S)", block)
    if cut and len(block[cut.end() :].split()) >= SHORTEST:
        span = Span(document.id, document.revision, start + cut.end(), start + len(block))
        opening = block[: cut.end()].strip()
        yield Draft("continue", f"Continue: {opening}", (), span, block[cut.end() :])


def _from_post(document: CleanDocument) -> Iterator[Draft]:
    text = document.text.strip()
    if SHORTEST <= len(text.split()) <= LONGEST:
        start = document.text.index(text)
        span = Span(document.id, document.revision, start, start + len(text))
        opening = " ".join(text.split()[:6])
        yield Draft("post", f"Write a short post that begins with: {opening}", (), span, text)


def _from_code(document: CleanDocument) -> Iterator[Draft]:
    """Ask for each short Python function by its name and the first line of its docstring."""
    if not document.url.endswith(".py"):
        return
    try:
        tree = ast.parse(document.text)
    except SyntaxError:  # a file for another Python has no functions that we could name
        return
    lines = document.text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (said := ast.get_docstring(node)):
            start = sum(map(len, lines[: node.lineno - 1]))
            end = sum(map(len, lines[: node.end_lineno])) if node.end_lineno else start
            source = document.text[start:end].rstrip("\n")
            if SHORTEST <= len(source.split()) <= LONGEST:
                span = Span(document.id, document.revision, start, start + len(source))
                asked = f"Write the Python function `{node.name}`: {said.splitlines()[0]}"
                yield Draft("code", asked, (), span, source)


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the Markdown blocks with their places; a fenced code block is one block."""
    for match in re.finditer(r"```.*?(?:^```|\Z)|(?:[^\n]+(?:\n(?!```)|\Z))+", text, re.S | re.M):
        block = match.group().rstrip("\n")
        if block:
            yield match.start(), match.start() + len(block), block


def _shorten(text: str) -> str:
    return " ".join(text.split()[:EVIDENCE_WORDS])
