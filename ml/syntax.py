"""Where a program may be cut, always at the start of a line, and which functions of it a comment describes.

It is cut between definitions, then between their parts.
Python is read by its own parser, other languages by tree-sitter's grammars; comments, decorators and attributes
stay with what they are about. A language without a grammar here, or Python that does not parse, has no cuts.
"""

import ast
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

# The grammar's package and its function, by the ending of a file's name.
GRAMMARS = {
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx"), ("javascript", "language")),
    **dict.fromkeys((".ts", ".mts"), ("typescript", "language_typescript")),
    ".tsx": ("typescript", "language_tsx"),
    ".go": ("go", "language"),
    ".rs": ("rust", "language"),
    ".java": ("java", "language"),
    **dict.fromkeys((".c", ".h"), ("c", "language")),
}
# What a function is called in a grammar, where comments that describe one are looked for.
FUNCTIONS = {
    "javascript": ("function_declaration", "generator_function_declaration", "method_definition"),
    "typescript": ("function_declaration", "generator_function_declaration", "method_definition"),
    "go": ("function_declaration", "method_declaration"),
    "rust": ("function_item",),
    "java": ("method_declaration",),
}
# Nodes that belong to the one after them.
_ATTACHED = {"comment", "line_comment", "block_comment", "attribute_item", "decorator"}
# Deeper than this nobody reads on, and Python's own stack ends somewhere.
_DEEPEST = 40

Fits = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """A definition or statement; `inner` makes its own parts when they are asked for."""

    start: int
    inner: Callable[[], Sequence["_Part"]]


def cut_points(text: str, name: str, fits: Fits) -> list[int]:
    """Return where to cut the text of a file so that the pieces fit, as far as its syntax goes.

    `fits(start, end)` says whether a piece is small enough; what is, is not cut further.
    """
    parts = _python_parts(text) if name.endswith((".py", ".pyi")) else _grammar_parts(text, name)
    return sorted(set(_cuts(parts, 0, len(text), fits, 0)))


@dataclass(frozen=True, slots=True)
class Described:
    """A function of a program, and the comment right before it: where both begin and end."""

    language: str
    name: str
    comment: tuple[int, int]
    function: tuple[int, int]


def described_functions(text: str, name: str) -> Iterator[Described]:
    """Find the functions that a comment stands right before, in languages that `FUNCTIONS` knows."""
    package, function = GRAMMARS.get(PurePosixPath(name).suffix.lower(), ("", ""))
    if package not in FUNCTIONS:
        return
    content = text.encode("utf-8", "surrogatepass")
    place = _character_places(text, content)
    tree = _parser(package, function).parse(content)
    for node in _functions(package, function, tree.root_node):
        named = node.child_by_field_name("name")
        start, end = place(node.start_byte), place(node.end_byte)
        comment = _comment_before(text, node, place)
        if named and comment:
            title = text[place(named.start_byte) : place(named.end_byte)]
            yield Described(package, title, comment, (start, end))


def _functions(package: str, function: str, root: "Node") -> list["Node"]:
    from tree_sitter import Query, QueryCursor

    language = _language(package, function)
    asked = Query(language, "\n".join(f"({kind}) @function" for kind in FUNCTIONS[package]))
    found = QueryCursor(asked).captures(root).get("function", [])
    return sorted(found, key=lambda node: node.start_byte)


def _comment_before(text: str, node: "Node", place: Callable[[int], int]) -> tuple[int, int] | None:
    """Find the comment that ends on the line before a function, or before what is attached to it."""
    exported = node.parent is not None and node.parent.type == "export_statement"
    following = node.parent if exported and node.parent else node
    found: tuple[int, int] | None = None
    while (before := following.prev_sibling) is not None and before.type in _ATTACHED:
        start = place(before.start_byte)
        end = start + len(text[start : place(before.end_byte)].rstrip())
        line = text.rfind("\n", 0, start) + 1
        if text[end : place(following.start_byte)].count("\n") > 1 or text[line:start].strip():
            break
        if before.type.endswith("comment"):
            found = (start, found[1] if found else end)
        following = before
    return found


def _cuts(parts: Sequence[_Part], start: int, end: int, fits: Fits, depth: int) -> Iterator[int]:
    # What stands before the first part, such as the line that opens a class, stays with it.
    inside = [p for p in parts if start <= p.start < end]
    if not inside:
        return
    bounds = [start, *(p.start for p in inside[1:]), end]
    for part, (first, last) in zip(inside, pairwise(bounds), strict=True):
        yield first
        if not fits(first, last) and depth < _DEEPEST:
            yield from _cuts(part.inner(), first, last, fits, depth + 1)


def _python_parts(text: str) -> Sequence[_Part]:
    """Return the top-level statements of a Python file; none if it does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    # Python ends a line at a form feed's side too, but its parser counts by newlines, as this does.
    lines = [0, *(m.end() for m in re.finditer(r"\r\n|\r|\n", text))]

    def start(node: ast.stmt) -> int:
        decorators = getattr(node, "decorator_list", [])
        number = min([node.lineno, *(d.lineno for d in decorators)]) - 1
        while number > 0 and text.startswith("#", _first(text, lines[number - 1])):
            number -= 1
        return lines[number]

    def parts(nodes: Sequence[ast.stmt]) -> list[_Part]:
        return [_Part(start(n), partial(inner, n)) for n in nodes if n.lineno <= len(lines)]

    def inner(node: ast.stmt) -> list[_Part]:
        return parts(_body(node))

    return parts(tree.body)


def _body(node: ast.AST) -> list[ast.stmt]:
    """Return the statements within a statement, those of all its branches, in their order."""
    found = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
    inner = (
        h for h in ast.iter_child_nodes(node) if isinstance(h, ast.excepthandler | ast.match_case)
    )
    return sorted([*found, *(s for h in inner for s in _body(h))], key=lambda n: n.lineno)


def _first(text: str, place: int) -> int:
    """Return the first place from here on, on this line, that is not blank."""
    while place < len(text) and text[place] in " \t":
        place += 1
    return place


def _grammar_parts(text: str, name: str) -> Sequence[_Part]:
    """Return the top-level nodes that tree-sitter finds; none without a grammar for the file's ending."""
    grammar = GRAMMARS.get(PurePosixPath(name).suffix.lower())
    if not grammar:
        return []
    content = text.encode("utf-8", "surrogatepass")
    place = _character_places(text, content)
    lines = [0, *(m.end() for m in re.finditer(r"\n", text))]

    def parts(node: "Node") -> list[_Part]:
        found: list[_Part] = []
        attached: int | None = None
        for child in _inside(node):
            at = place(child.start_byte)
            line = lines[bisect_right(lines, at) - 1]
            if _first(text, line) != at:
                continue  # shares its line with what is before it: no place to cut
            start = line if attached is None else attached
            attached = start if child.type in _ATTACHED else None
            if attached is None:
                found.append(_Part(start, partial(parts, child)))
        return found

    tree = _parser(*grammar).parse(content)
    # The tree must outlive its nodes.
    return parts(tree.root_node)


def _inside(node: "Node") -> Iterator["Node"]:
    """List what a node holds that begins on a line after it, brackets and blocks in between left out."""
    waiting = list(reversed(node.children))
    while waiting:
        child = waiting.pop()
        later = node.parent is None or child.start_point.row > node.start_point.row
        if later and child.is_named:
            yield child
        elif child.end_point.row > child.start_point.row:
            waiting += reversed(child.children)


def _character_places(text: str, content: bytes) -> Callable[[int], int]:
    """Make the function from a place among the bytes to one among the characters."""
    if text.isascii():
        return lambda place: place
    first_bytes = (np.frombuffer(content, np.uint8) & 0xC0) != 0x80
    counted = np.concatenate([[0], np.cumsum(first_bytes)])
    return lambda place: int(counted[place])


@cache
def _parser(package: str, function: str) -> "Parser":
    from tree_sitter import Parser

    return Parser(_language(package, function))


@cache
def _language(package: str, function: str) -> "Language":
    from tree_sitter import Language

    return Language(getattr(import_module(f"tree_sitter_{package}"), function)())
