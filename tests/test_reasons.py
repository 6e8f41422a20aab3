"""Whatever is turned away has a reason out of one list, and whatever is in the list is used."""

import ast

import pytest

from include.reasons import REASONS, explain
from include.settings import ROOT


def given_reasons() -> set[str]:
    """Collect the codes that the crawl gives: of `Refused`, of `Rejected` at the crawl, of a page's rejection."""
    found = set()
    for path in (ROOT / "include").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found |= _codes(ast.unparse(node.func), [_text(a) for a in node.args])
    return found


def _codes(called: str, texts: list[str]) -> set[str]:
    if called == "Refused" and texts[0]:
        return {texts[0]}
    if called == "Rejected" and texts[1:2] == ["crawl"] and texts[2]:
        return {texts[2]}
    return {texts[1]} if called == "self._reject" and texts[1] else set()


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_the_list_of_reasons_is_the_reasons_that_are_given():
    assert given_reasons() == set(REASONS)


def test_every_reason_is_a_sentence():
    assert all(said[0].isupper() and said.endswith(".") for said in REASONS.values())
    assert explain("robots") == REASONS["robots"]
    assert explain("http-404") == "The server answered 404 (Not Found)."
    assert explain("http-799").startswith("The server answered 799")


def test_a_code_that_nobody_wrote_down_is_an_error():
    with pytest.raises(LookupError, match=r"include/reasons\.py"):
        explain("because")
