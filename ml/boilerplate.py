"""Learn what the pages of a host repeat, and take it out of a page: it is the host's voice, not the author's.

Learning looks at a whole host at once, so the order in which its pages came does not matter. A line is
known by its words, without numbers and marks. Pages that were flattened to one line are compared by runs of
words instead. Readers' comments under an article are split off, not thrown away.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from ml.regions import Region
from ml.types import Document, digest

# A line is boilerplate where it stands on this many pages of a host, and on this share of them.
PAGES, SHARE = 4, 0.3
# Shorter lines may be the author's headings and greetings: they go only beside boilerplate.
STRONG_WORDS = 3
# A line longer than this is a page without line breaks; its boilerplate is found by runs of words.
FLAT_CHARACTERS = 600
RUN_WORDS, SHORTEST_RUN, GAP_WORDS = 6, 8, 3
# What stands around an article is at most this share of a page, at either end.
EDGE = 0.4
# Changes when learning itself does, so that what was learned otherwise is learned again.
LEARNED_AS = digest("boilerplate 1", str((PAGES, SHARE, STRONG_WORDS, FLAT_CHARACTERS, RUN_WORDS)))

_WORD = re.compile(r"[^\W\d_]+|\d+")
_CERTAIN = re.compile(
    r"#*\W*(?:discussion about this post|(?:\d+|no) (?:comments?|responses|replies|thoughts on .*)|"
    r"comments \(\d+\)|leave a (?:comment|reply)|join the (?:discussion|conversation))\W*",
    re.IGNORECASE,
)
_LIKELY = re.compile(r"#*\W*(?:comments?|responses|replies|discussion)\W*", re.IGNORECASE)
_REPLIES = re.compile(
    r"\bReply(?:Share)?\b|\bLiked by\b|Expand full\s+comment|\b(?:says|said|wrote):\s*$|\b(?:ago|AM|PM)\s*$",
    re.MULTILINE,
)
_INLINE_CERTAIN = re.compile(r"Discussion about this post")


@dataclass(frozen=True)
class Boilerplate:
    """What one host repeats: lines that go anywhere, lines that go beside those, and runs of words."""

    lines: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()

    @cached_property
    def mark(self) -> str:
        """Name what was learned: equal knowledge, equal mark."""
        return digest(
            "boilerplate", *sorted(self.lines), "", *sorted(self.beside), "", *sorted(self.runs)
        )


NOTHING = Boilerplate()


def host_of(url: str) -> str:
    """Name the host whose pages are compared."""
    return urlsplit(url).netloc


def learn_boilerplate(documents: Iterable[Document]) -> dict[str, Boilerplate]:
    """Find, for every host, what its articles repeat: newsletter boxes, footers, follow-me lines.

    Of the pages only hashes of their lines are kept, so that they may come as a stream of any length.
    """
    hosts: dict[str, _Seen] = {}
    for document in documents:
        if document.kind == "article":
            hosts.setdefault(host_of(document.url), _Seen()).add(document.text)
    return {host: seen.learned() for host, seen in hosts.items()}


def without_boilerplate(cut: Sequence[Region], known: Boilerplate, title: str) -> list[Region]:
    """Take what a host repeats out of the regions of a page; code is not looked at."""
    if known == NOTHING:
        return list(cut)
    units = [(n, line) for n, r in enumerate(cut) for line in _lines_of(r)]
    verdicts = [
        _judge(line, known, title) if cut[n].kind != "code" else "keep" for n, line in units
    ]
    kept: list[list[str]] = [[] for _ in cut]
    for (n, line), goes in zip(units, _spread(verdicts), strict=True):
        if not goes:
            kept[n].append(
                line if cut[n].kind == "code" else _without_runs(line, known.runs, title)
            )
    return [Region(r.kind, "".join(lines)) for r, lines in zip(cut, kept, strict=True)]


def split_comments(text: str) -> tuple[str, str]:
    """Split what readers wrote under an article from the article; nothing is lost but the announcing line."""
    flat = (
        _INLINE_CERTAIN.search(text)
        if len(text) > FLAT_CHARACTERS and text.count("\n") < 3
        else None
    )
    if flat:
        return text[: flat.start()], text[flat.end() :]
    at = 0
    for line in text.splitlines(keepends=True):
        rest = text[at + len(line) :]
        stripped = line.strip()
        if len(stripped) < 80 and (
            _CERTAIN.fullmatch(stripped)
            and (at > len(text) / 4)
            or (_LIKELY.fullmatch(stripped) and len(_REPLIES.findall(rest)) > 1)
        ):
            return text[:at], rest
        at += len(line)
    return text, ""


def _key(line: str) -> str:
    """Know a line by its words: case, marks and which numbers do not matter; a heading stays one."""
    plain = line if line.isascii() else unicodedata.normalize("NFKC", line)
    found = _WORD.findall(plain.casefold())
    said = " ".join("0" if w[0].isdigit() else w for w in found)
    return f"# {said}" if line.lstrip().startswith("#") else said


class _Repeats:
    """How many pages hold each key. Keys are counted by their hash, and kept once they may be boilerplate."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._kept: dict[int, str] = {}

    def add(self, keys: Iterable[str]) -> None:
        """Count the keys of one page, each once."""
        for key in set(keys):
            mark = hash(key)
            self._counts[mark] = count = self._counts.get(mark, 0) + 1
            if count == PAGES:
                self._kept[mark] = key

    def among(self, pages: int) -> set[str]:
        """Return the keys that enough of so many pages hold."""
        needed = max(PAGES, SHARE * pages)
        return {key for mark, key in self._kept.items() if self._counts[mark] >= needed and key}


class _Seen:
    """What was seen of one host's pages."""

    def __init__(self) -> None:
        self._lines, self._runs = _Repeats(), _Repeats()
        self._pages, self._flat = 0, 0

    def add(self, text: str) -> None:
        """Look at one page."""
        split = text.splitlines()
        long = [line for line in split if len(line) > FLAT_CHARACTERS]
        self._lines.add(_key(line) for line in split if line and len(line) <= FLAT_CHARACTERS)
        self._runs.add(run for line in long for run, _ in _runs(line))
        self._pages += 1
        self._flat += bool(long)

    def learned(self) -> Boilerplate:
        """Tell what the pages repeat."""
        repeated = self._lines.among(self._pages)
        strong = {k for k in repeated if not k.startswith("#") and _said(k) >= STRONG_WORDS}
        runs = frozenset(self._runs.among(self._flat))
        return Boilerplate(frozenset(strong), frozenset(repeated - strong), runs)


def _said(key: str) -> int:
    return sum(word != "0" for word in key.split())


def _lines_of(region: Region) -> list[str]:
    return [region.text] if region.kind == "code" else region.text.splitlines(keepends=True)


def _judge(line: str, known: Boilerplate, title: str) -> str:
    """Say of a line: go, keep, blank, or what its neighbours decide (`beside`; `heading`: the one below)."""
    if not line.strip():
        return "blank"
    key = _key(line)
    if key in known.lines:
        return "go"
    said = key.removeprefix("# ").strip()
    if said and f" {said} " in f" {_key(title)} ":
        return "beside"
    if key in known.beside:
        return "heading" if key.startswith("#") and said else "beside"
    # A date, a count of likes, a rule: nobody's words.
    return "beside" if _said(key) <= ("0" in key.split()) else "keep"


def _spread(verdicts: Sequence[str]) -> list[bool]:
    """Decide what goes: a line in doubt goes with the boilerplate above or below it, a heading with what it heads."""
    said = [n for n, v in enumerate(verdicts) if v != "blank"]
    above = _reached((n for n in said), verdicts)
    below = _reached((n for n in reversed(said)), verdicts)
    goes = [v == "go" for v in verdicts]
    for n in said:
        if verdicts[n] == "beside":
            goes[n] = n in above or n in below
        elif verdicts[n] == "heading":
            goes[n] = n in below
    return goes


def _reached(order: Iterator[int], verdicts: Sequence[str]) -> set[int]:
    """List the lines that boilerplate reaches, going one way, without words of the author in between."""
    reached, near = set[int](), False
    for n in order:
        near = verdicts[n] == "go" or (near and verdicts[n] != "keep")
        if near:
            reached.add(n)
    return reached


def _runs(line: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """List the runs of words of a line, each with the place of its first word and after its last."""
    found = list(
        _WORD.finditer(line.casefold() if len(line.casefold()) == len(line) else line.lower())
    )
    said = ["0" if m.group()[0].isdigit() else m.group() for m in found]
    for i in range(len(found) - RUN_WORDS + 1):
        yield " ".join(said[i : i + RUN_WORDS]), (found[i].start(), found[i + RUN_WORDS - 1].end())


def _without_runs(line: str, runs: frozenset[str], title: str) -> str:
    """Take repeated runs out of a flattened page, with what is too short between two of them to be said."""
    if not runs or len(line) <= FLAT_CHARACTERS:
        return line
    spans: list[tuple[int, int]] = []
    for run, (start, end) in _runs(line):
        if run not in runs:
            continue
        if spans and (start <= spans[-1][1] or _is_nothing(line[spans[-1][1] : start], title)):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    long = [(a, b) for a, b in spans if len(_WORD.findall(line[a:b])) >= SHORTEST_RUN]
    out, last = list[str](), 0
    for start, end in _with_islands(line, long):
        out.append(line[last:start].strip())
        last = end
    kept = "\n\n".join(part for part in [*out, line[last:].strip()] if _WORD.search(part))
    return f"{kept}\n" if last else line


def _with_islands(line: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take the rest of a page, or its beginning, where most of it is boilerplate: cards, bylines, counts of likes."""
    size = len(line)
    for n, (start, _) in enumerate(spans):
        if size - start < EDGE * size and sum(b - a for a, b in spans[n:]) > (size - start) / 2:
            spans = [*spans[:n], (start, size)]
            break
    for n in reversed(range(len(spans))):
        end = spans[n][1]
        if end < EDGE * size and sum(b - a for a, b in spans[: n + 1]) > end / 2:
            return [(0, end), *spans[n + 1 :]]
    return list(spans)


def _is_nothing(between: str, title: str) -> bool:
    found = _key(between).removeprefix("# ")
    return len(found.split()) <= GAP_WORDS or found == _key(title)
