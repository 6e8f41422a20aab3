"""Programs are cut where their syntax lets them be: at the start of a definition, with what belongs to it."""

import ast
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.syntax import GRAMMARS, cut_points, described_functions

PYTHON = '''import os

# About f: naïve.
@once
def f():
    """Say it."""
    try:
        first()
    except ValueError:
        second()
    return 3


class A:
    size: int

    def m(self):
        return 1

    # About n.
    def n(self):
        return 2
'''
JAVASCRIPT = """import x from "y";

// About f: naïve 🎉.
export function f(a) {
  return 2;
}

class A {
  /** About m. */
  m() {
    return 1;
  }

  n() {
    return 2;
  }
}
"""
OTHERS = {
    "a.go": ("// About F.\nfunc F() int {\n\treturn 1\n}\n", "\ntype T struct {\n\tA int\n}\n"),
    "a.rs": ("#[derive(Debug)]\nstruct A {\n    a: i32,\n}\n", "\nimpl A {\n    fn f() {}\n}\n"),
    "A.java": ("/** D */\n@X\nclass A {\n  int a;\n}\n", "\nclass B {\n  int b;\n}\n"),
    "a.c": (
        "/* About f. */\nint f(int a)\n{\n  return a;\n}\n",
        "\nint g(void)\n{\n  return 1;\n}\n",
    ),
    "a.ts": (
        "interface A {\n  a: string;\n}\n",
        "\nexport const f = (a: A) => {\n  return a;\n};\n",
    ),
    "a.tsx": ("const a = () => <b>hi</b>;\n", "\nexport function C() {\n  return <a/>;\n}\n"),
}


def pieces(text: str, name: str, most: int) -> list[str]:
    """Cut a text where it may be; `most` characters fit."""
    cuts = cut_points(text, name, lambda start, end: end - start <= most)
    return [text[a:b] for a, b in pairwise(sorted({0, *cuts, len(text)}))]


def test_python_is_cut_between_definitions_with_their_comments_and_decorators():
    found = pieces(PYTHON, "a.py", 150)

    assert [p.split()[0] for p in found] == ["import", "#", "class"]
    assert found[1].startswith("# About f: naïve.\n@once\ndef f")
    assert found[1].rstrip().endswith("return 3")


def test_what_is_too_long_is_cut_within():
    method = "    # About n.\n    def n(self):\n        return 2\n"

    assert pieces(PYTHON, "a.py", 60)[-1] == method
    assert "    return 3\n\n\n" in pieces(PYTHON, "a.py", 30)
    assert pieces(JAVASCRIPT, "a.mjs", 60)[-1] == "  n() {\n    return 2;\n  }\n}\n"


def test_javascript_is_cut_between_definitions_whatever_characters_come_before():
    found = pieces(JAVASCRIPT, "a.js", 120)

    assert [p.split()[0] for p in found] == ["import", "//", "class"]
    assert found[1].startswith("// About f: naïve 🎉.\nexport function f")


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_language_is_cut_between_its_definitions(name: str):
    first, second = OTHERS[name]

    assert [p.strip() for p in pieces(first + second, name, 60)] == [first.strip(), second.strip()]


def test_a_file_that_fits_nobody_can_read_or_of_another_language_has_no_cuts():
    assert pieces("def f(:\n  x", "a.py", 3) == ["def f(:\n  x"]
    assert pieces("x = 1\n\ny = 2\n", "a.rb", 3) == ["x = 1\n\ny = 2\n"]
    assert (
        cut_points("", "a.py", lambda *_: False) == cut_points("", "a.js", lambda *_: False) == []
    )
    assert len(pieces("x = " + "[" * 5000 + "]" * 5000, "a.py", 3)) == 1
    assert len(pieces("(" * 20_000, "a.js", 3)) == 1


code = st.lists(
    st.sampled_from(
        ["def f():", "    x = 1", "class A:", "    def m(self):", "        pass", "# é", "@d", "", "}", "{",
         "function f() {", "  return '🎉'", "fn a() {", "/* c", "*/", "\t", "\x0c", "if (a)", "\r", "'''"]
    ),
    max_size=30,
).map("\n".join)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(code, st.sampled_from(["a.py", *(f"a{ending}" for ending in GRAMMARS)]), st.integers(1, 60))
def test_any_text_is_cut_at_the_starts_of_lines_only(text: str, name: str, most: int):
    cuts = cut_points(text, name, lambda start, end: end - start <= most)

    assert cuts == sorted(set(cuts))
    assert all(0 <= c < len(text) and (c == 0 or text[c - 1] in "\n\r") for c in cuts)


@settings(max_examples=60, deadline=None)
@given(code, st.integers(1, 40))
def test_a_python_file_is_never_cut_within_a_string(text: str, most: int):
    try:
        strings = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
    except (SyntaxError, ValueError):
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines))]
    for cut in cut_points(text, "a.py", lambda start, end: end - start <= most):
        assert not any(n.lineno <= starts.index(cut) < (n.end_lineno or 0) for n in strings)


def test_a_function_is_described_by_the_comments_right_before_it_and_by_no_others() -> None:
    text = (
        "package p\n\n// Far off.\n\nfunc a() {}\n\nvar x = 1 // Of x.\nfunc b() {}\n\n"
        "// Of c, naïve,\n// in two lines.\nfunc c() {}\n"
    )

    (found,) = described_functions(text, "https://x/a.go")

    assert (found.language, found.name) == ("go", "c")
    assert text[slice(*found.comment)] == "// Of c, naïve,\n// in two lines."
    assert text[slice(*found.function)] == "func c() {}"
    for name in ("a.py", "a.c", "a.sql", "a"):
        assert list(described_functions(text, name)) == []


@given(st.text(alphabet="/*@ \n{}()fn é\ud800", max_size=60))
@settings(max_examples=40, deadline=None)
def test_whatever_a_program_holds_descriptions_are_slices_of_it(text: str) -> None:
    for found in described_functions(f"// é\n{text}\nfn f() {{}}", "a.rs"):
        assert found.comment[0] < found.comment[1] <= found.function[0] < found.function[1]
