"""Draft samples from Python programs: write a function that is described, explain the code that follows.

An explanation is the author's own docstring; what is shown is the code without it.
"""

import ast
import inspect
from collections.abc import Iterator
from itertools import accumulate

from ml.types import CleanDocument

# Words of code that are shown to be explained.
SHOWN_WORDS = 70
# What is asked, where the answer stands, and the answer.
Found = tuple[str, str, int, int, str]
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Described = ast.Module | ast.ClassDef | _Function


def from_code(document: CleanDocument) -> Iterator[Found]:
    """Yield (task, what is asked, start, end, answer) of every description in a Python file."""
    if not document.url.endswith(".py"):
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
    kept, count = list[str](), 0
    for line in (head + text.between(last + 1, end)).splitlines():
        count += len(line.split())
        if count > SHOWN_WORDS:
            break
        kept.append(line)
    return inspect.cleandoc("\n".join(kept)).strip()
