"""Draft samples from programs: write a function that is described, explain the code that follows.

An explanation is the author's own docstring or, in other languages than Python, the comment before a function;
what is shown is the code without it.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import accumulate

from ml.syntax import Described, described_functions
from ml.types import CleanDocument

# Words of code that are shown to be explained.
SHOWN_WORDS = 70
# What is asked, where the answer stands, and the answer.
Found = tuple[str, str, int, int, str]
LANGUAGES = {
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "go": "Go",
    "rust": "Rust",
    "java": "Java",
}
# What makes a line a comment's, and from where on a comment lists parameters.
_COMMENT_MARK = re.compile(
    r"^[^\S\n]*(?:///?!?|/\*[*!]?|\*(?!/))?[^\S\n]?|[^\S\n]*\*/\s*\Z", re.MULTILINE
)
_TAGS = re.compile(r"^[\s/*]*@\w", re.MULTILINE)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Described = ast.Module | ast.ClassDef | _Function


def from_code(document: CleanDocument) -> Iterator[Found]:
    """Yield (task, what is asked, start, end, answer) of every description in a program."""
    if not document.url.endswith(".py"):
        for found in described_functions(document.text, document.url):
            yield from _commented(document.text, found)
        return
    try:
        tree = ast.parse(document.text)
    except (SyntaxError, ValueError):  # of another Python: it describes nothing that we could name
        return
    text = _Lines(document.text)
    for node in ast.walk(tree):
        if isinstance(node, _Described) and ast.get_docstring(node):
            yield from _explanation(text, node)
            if isinstance(node, _Function):
                yield _function(text, node)


def _commented(text: str, found: Described) -> Iterator[Found]:
    """Ask what a function does, answered by the comment before it, and for the function by the comment's beginning."""
    start, end = found.comment
    if tags := _TAGS.search(text, start, end):
        end = tags.start()
    said = _clean(_COMMENT_MARK.sub("", text[start:end]))
    first, last = found.function
    line = text.rfind("\n", 0, first) + 1
    source = text[first:last]
    shown = _beginning(text[line:last] if not text[line:first].strip() else source)
    if not (said and shown):
        return
    begins = re.split(r"(?<=[.!?])\s", " ".join(said.split()), maxsplit=1)[0]
    asked = f"Write the {LANGUAGES[found.language]} function `{found.name}`: {begins}"
    yield "explain", f"Explain this code ({found.language}):\n{shown}", start, end, said
    yield "code", asked, first, last, source


class _Lines:
    """A program by its lines; `starts` are the places at which they begin."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0, *accumulate(map(len, self.lines))]

    def between(self, first: int, last: int) -> str:
        """Return lines by their numbers, both ends included."""
        return self.text[self.starts[first - 1] : self.starts[min(last, len(self.lines))]]


def _function(text: _Lines, node: _Function) -> Found:
    """Ask for a function by its name and the first line of its docstring."""
    source = text.between(node.lineno, node.end_lineno or node.lineno).rstrip("\n")
    start = text.starts[node.lineno - 1]
    said = (ast.get_docstring(node) or "").splitlines()[0]
    asked = f"Write the Python function `{node.name}`: {said}"
    return "code", asked, start, start + len(source), source


def _explanation(text: _Lines, node: _Described) -> Iterator[Found]:
    """Ask what code does, by the code that follows its docstring."""
    described = node.body[0]
    if not isinstance(described, ast.Expr) or not isinstance(described.value, ast.Constant):
        return
    said = str(described.value.value).strip()
    first, last = described.lineno, described.end_lineno or described.lineno
    start = text.text.find(said, text.starts[first - 1], text.starts[last])
    shown = _shown(text, node, first, last)
    if start < 0 or not shown:  # a docstring with escapes says what stands nowhere
        return
    # The indentation of its lines is the program's and not the author's.
    yield "explain", f"Explain this code (python):\n{shown}", start, start + len(said), _clean(said)


def _clean(said: str) -> str:
    return inspect.cleandoc(said)


def _shown(text: _Lines, node: _Described, first: int, last: int) -> str:
    """Return the code without its docstring; of what is long, the beginning, in whole lines."""
    head = "" if isinstance(node, ast.Module) else text.between(node.lineno, first - 1)
    end = len(text.lines) if isinstance(node, ast.Module) else node.end_lineno or last
    return _beginning(head + text.between(last + 1, end))


def _beginning(code: str) -> str:
    """Return the beginning of code, in whole lines."""
    kept, count = list[str](), 0
    for line in code.splitlines():
        count += len(line.split())
        if count > SHOWN_WORDS:
            break
        kept.append(line)
    return inspect.cleandoc("\n".join(kept)).strip()
