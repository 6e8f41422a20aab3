"""A Markdown text falls into regions that joined are the text again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.regions import outside_code, regions

PIECES = st.sampled_from(
    [
        "```",
        "~~~",
        "````",
        "> q",
        "    c",
        "\tc",
        "- i",
        "1. n",
        "",
        "p",
        "# h",
        "<pre>",
        "</pre>",
        "\r",
        "\x0c",
        "\u2028",
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_no_byte_is_lost(lines: list[str], end: str, indented: bool):
    text = end.join(lines)

    assert "".join(r.text for r in regions(text, indented_code=indented)) == text
    assert outside_code(text, lambda prose: prose, indented_code=indented) == text


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a\n\n```\nb\n```\nc\n", ["prose", "code", "prose"]),
        ("> a\nlazy\n\nb\n", ["quote", "prose"]),
        ("> ```\n> a\n> ```\n", ["quote"]),
        ("- a\n\n      b\n\n  > c\n", ["prose", "code", "prose", "quote"]),
        ("> [!TIP]\n> mine\n", ["prose"]),
        ("a\n    not code\n", ["prose"]),
    ],
)
def test_code_and_quotations_are_told_from_prose(text: str, kinds: list[str]):
    assert [r.kind for r in regions(text)] == kinds


def test_a_post_has_code_in_fences_only():
    assert [r.kind for r in regions("a\n\n    b\n\n```\nc\n```\n", indented_code=False)] == [
        "prose",
        "code",
    ]
