"""Copies side by side, for a person to judge: one HTML page that needs no network and runs no script.

Each copy stands beside its canonical document with the words marked in which they differ; long stretches that are
the same are folded into a count. Pure: texts in, page out.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from html import escape

from ml.dedup import why_canonical
from ml.types import CleanDocument

# Pairs on one page, the least alike first: those are the ones to look at.
MOST_PAIRS = 200
# Characters of one text that are compared: the rest of a book says no more.
MOST_CHARACTERS = 60_000
# Words that are the same before and after a difference, for orientation.
AROUND = 12
SENTENCE = re.compile(r".+?(?:[.!?:;]+[\s\"')\]]+|\n+|$)", re.S)
LEVELS = {
    "exact": "the same words",
    "url": "one page under two addresses",
    "near": "shared word 5-grams (Jaccard)",
    "excerpt": "share of the copy that the other holds",
    "semantic": "cosine of the embeddings",
}
PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Copies</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1a202c}}
details{{border:1px solid #e2e8f0;border-radius:.4rem;margin:.6rem 0;background:#fff}}
summary{{cursor:pointer;padding:.6rem .9rem}}summary:hover{{background:#f7fafc}}
b.level{{display:inline-block;min-width:4.6rem;text-align:center;border-radius:.3rem;padding:0 .4rem;
 background:#2a6f97;color:#fff;font-weight:600;font-size:.85em}}
b.exact{{background:#276749}}b.url{{background:#588157}}b.excerpt{{background:#b7791f}}b.semantic{{background:#7b2d8b}}
table{{border-collapse:collapse;width:100%;table-layout:fixed}}
th,td{{width:50%;text-align:left;vertical-align:top;padding:.5rem .9rem;border-top:1px solid #e2e8f0;
 overflow-wrap:anywhere}}td{{white-space:pre-wrap}}th{{font-weight:400}}th strong{{display:block}}
p.why,small{{color:#4a5568;margin:.1rem .9rem .5rem}}small{{margin:0}}i{{color:#718096}}
del{{background:#fed7d7;text-decoration:none}}ins{{background:#c6f6d5;text-decoration:none}}
a{{color:#2a6f97}}</style></head><body><h1>Copies</h1>{summary}{pairs}</body></html>
"""


def draw_copies(
    documents: Sequence[CleanDocument],
    title: str,
    whole: Callable[[CleanDocument], CleanDocument] = lambda document: document,
) -> str:
    """Draw every copy beside its canonical document, the least alike first.

    `whole` brings the text of a document; only those that are drawn are asked for.
    """
    by_id = {d.id: d for d in documents}
    copies = [d for d in documents if d.duplicate_of in by_id]
    copies.sort(key=lambda d: (d.duplicate_similarity, d.url))
    pairs = [_pair(whole(d), whole(by_id[d.duplicate_of])) for d in copies[:MOST_PAIRS]]
    return PAGE.format(summary=_summary(documents, copies, title), pairs="\n".join(pairs))


def _summary(
    documents: Sequence[CleanDocument], copies: Sequence[CleanDocument], title: str
) -> str:
    counts = Counter(d.duplicate_how for d in copies)
    levels = "".join(
        f'<p><b class="level {how}">{how}</b> {counts[how]} · {measures}</p>'
        for how, measures in LEVELS.items()
        if counts[how]
    )
    shown = f" The {MOST_PAIRS} least alike are shown." if len(copies) > MOST_PAIRS else ""
    said = "Copies are neither indexed nor learned from; what stands for them is." if copies else ""
    return (
        f"<p>{escape(title)}: {len(documents)} documents, of which {len(copies)} are copies. {said} "
        f"On the left <del>what only the copy says</del>, on the right <ins>what only the canonical "
        f"document says</ins>.{shown}</p>{levels}"
    )


def _pair(copy: CleanDocument, canonical: CleanDocument) -> str:
    left, right = _marked(copy.text[:MOST_CHARACTERS], canonical.text[:MOST_CHARACTERS])
    how = escape(copy.duplicate_how)
    return (
        f'<details><summary><b class="level {how}">{how}</b> {copy.duplicate_similarity:.3f} · '
        f"{escape(copy.title)} → {escape(canonical.title)}</summary>"
        f'<p class="why">Canonical is the right one: {escape(why_canonical(copy, canonical))}.</p>'
        f"<table><tr><th>{_head(copy)}</th><th>{_head(canonical)}</th></tr>"
        f"<tr><td>{left}</td><td>{right}</td></tr></table></details>"
    )


def _head(document: CleanDocument) -> str:
    day = f"{document.published_at:%Y-%m-%d}" if document.published_at else "no date"
    address = escape(document.url)
    # Only web addresses are linked: a crawled document chose its own.
    if re.match(r"https?:", document.url):
        address = f'<a href="{address}" rel="noopener noreferrer">{address}</a>'
    words = f"{len(document.text.split()):,} words"
    about = f"{escape(document.author)}, {document.kind}, {day}, {words}"
    return f"<strong>{escape(document.title)}</strong>{address}<br><small>{about}</small>"


def _marked(left: str, right: str) -> tuple[str, str]:
    """Mark in both texts what the other does not say: by sentence first, then by word where sentences differ."""
    ours, theirs = SENTENCE.findall(left), SENTENCE.findall(right)
    sides: tuple[list[str], list[str]] = ([], [])
    for same, a, b in _steps(ours, theirs):
        one, other = "".join(ours[a]), "".join(theirs[b])
        parts = (_folded(one), _folded(other)) if same else _by_word(one, other)
        for side, part in zip(sides, parts, strict=True):
            side.append(part)
    return "".join(sides[0]), "".join(sides[1])


def _by_word(left: str, right: str) -> tuple[str, str]:
    ours, theirs = re.findall(r"\s*\S+\s*?", left), re.findall(r"\s*\S+\s*?", right)
    marks: tuple[list[str], list[str]] = ([], [])
    for same, a, b in _steps(ours, theirs):
        for side, words, tag in ((marks[0], ours[a], "del"), (marks[1], theirs[b], "ins")):
            said = escape("".join(words))
            side.append(said if same or not words else f"<{tag}>{said}</{tag}>")
    return "".join(marks[0]), "".join(marks[1])


def _steps(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[bool, slice, slice]]:
    """Align two sequences: which slices are the same, and which stand against each other."""
    matcher = SequenceMatcher(
        None, [o.strip() for o in ours], [t.strip() for t in theirs], autojunk=False
    )
    for step, a, b, c, d in matcher.get_opcodes():
        yield step == "equal", slice(a, b), slice(c, d)


def _folded(text: str) -> str:
    """Leave out the middle of a long stretch that is the same on both sides."""
    words = re.findall(r"\s*\S+", text)
    if len(words) <= 3 * AROUND:
        return escape(text)
    left_out = f" <i>… {len(words) - 2 * AROUND:,} words, the same on both sides …</i>"
    tail = re.search(r"\s*$", text)
    end = escape("".join(words[-AROUND:])) + (tail.group() if tail else "")
    return escape("".join(words[:AROUND])) + left_out + end
