"""Text that every Python installation brings: the language reference, docstrings, comments, licences.

It is what the tiny base model learns English from, so that nothing has to be downloaded. Reads
files of the installation only; the same installation gives the same passages in the same order.
"""

import ast
import html
import inspect
import os
import re
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ml.types import digest

# Folders of the standard library that hold data, tests or other people's packages.
_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3", "encodings"}
_PROSE = ("LICENSE.txt", "idlelib/README.txt", "idlelib/extend.txt", "idlelib/help.html")
# A passage with fewer words is a label, no prose; a longer one would drown the others.
FEWEST_WORDS, MOST_CHARACTERS = 12, 6_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and the question that it answers."""

    question: str
    text: str


def read_corpus(most_characters: int) -> list[Passage]:
    """Collect distinct passages up to a number of characters: reference first, then licences, then code."""
    library = Path(sysconfig.get_path("stdlib"))
    passages: list[Passage] = []
    seen: set[str] = set()
    size = 0
    for passage in _passages(library):
        if passage.text in seen or len(passage.text.split()) < FEWEST_WORDS:
            continue
        if size + len(passage.text) > most_characters:
            break
        seen.add(passage.text)
        passages.append(passage)
        size += len(passage.text)
    return passages


@cache
def corpus_mark() -> str:
    """Name the texts of this installation by its version and its files' names and sizes; reads none of them."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [*_modules(library), *(library / name for name in _PROSE)]
    sizes = [f"{f.relative_to(library)} {f.stat().st_size}" for f in files if f.exists()]
    return digest("corpus", sys.version, *sizes)


def _passages(library: Path) -> Iterator[Passage]:
    yield from _topics()
    yield from _files(library)
    for file in _modules(library):
        yield from _module(file, ".".join(file.relative_to(library).with_suffix("").parts))


def _modules(library: Path) -> list[Path]:
    """List the library's modules, by path; what is skipped is not even walked through."""
    found = []
    for folder, inner, names in os.walk(library):
        inner[:] = [name for name in inner if name not in _SKIPPED]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


def _topics() -> Iterator[Passage]:
    """Yield the sections of the language reference that `help()` shows."""
    from pydoc_data.topics import topics

    for name, text in sorted(topics.items()):
        for part in _split(_plain(text)):
            yield Passage(f"Explain {name.replace('-', ' ')}.", part)


def _files(library: Path) -> Iterator[Passage]:
    for name in _PROSE:
        file = library / name
        if file.exists():
            text = file.read_text(encoding="utf-8", errors="ignore")
            for part in _split(_from_html(text) if file.suffix == ".html" else text):
                yield Passage(f"Quote {file.stem.lower()}.", part)


def _module(file: Path, name: str) -> Iterator[Passage]:
    """Yield the docstrings and the longer comments of one module."""
    source = file.read_text(encoding="utf-8", errors="ignore")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # some files are meant to be broken
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            said = ast.get_docstring(node)
            asked = "What does {} do?".format(getattr(node, "name", name))
            yield from (Passage(asked, part) for part in _split(said or ""))
    for block in re.findall(r"(?:^[ \t]*#[^\n]*\n){2,}", source, re.M):
        lines = textwrap.dedent(block).splitlines()
        comment = "\n".join(line.lstrip().lstrip("#").removeprefix(" ") for line in lines)
        yield Passage(f"What is a note in {name}?", comment.strip())


def _split(text: str) -> Iterator[str]:
    """Cut a long text between paragraphs."""
    part = ""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if part and len(part) + len(paragraph) > MOST_CHARACTERS:
            yield part.strip()
            part = ""
        part += paragraph + "\n\n"
    yield part.strip()[:MOST_CHARACTERS]


def _plain(text: str) -> str:
    """Take the underlines of headings and the emphasis marks off."""
    text = re.sub(r"^[*=\-~^]{4,}\n", "", text, flags=re.M)
    return re.sub(r"\*{1,2}(\w[^*\n]*)\*{1,2}", r"\1", text)


def _from_html(page: str) -> str:
    body = re.sub(r"(?s)<(head|style|script)\b.*?</\1>|<[^>]+>", "", page)
    return re.sub(r"\n{3,}", "\n\n", html.unescape(body)).strip()
