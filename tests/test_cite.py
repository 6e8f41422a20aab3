"""Sources are named to the character, and what the model says is held against them."""

import pytest
from builders import chunk, cleaned

from ml.cite import SECOND_SOURCE, Sieve, abstention, check, cite, quote
from ml.compress import Extract
from ml.rerank import Found
from ml.types import SourceRef

COUNTS = {"rope": 5, "harbour": 9, "tuesday": 2}
EVIDENCE = "In the harbour 14 ropes were renewed on a Tuesday, because the old rope had failed."


def source(number=1, text=EVIDENCE, score=4.0, document="d1"):
    return SourceRef(number, document, "c1", "A rope", "https://example.org/", text, score)


def extract(text, spans, url="https://example.org/a/", score=4.0, start=0):
    from dataclasses import replace

    passage = replace(chunk(text, document=cleaned(text, url=url)), start=start)
    return Extract(Found(passage, 0.5, 0.0, score), spans)


def test_a_source_is_named_with_the_place_of_every_piece_in_the_document():
    text = "One is here. Two is not. Three is here."
    (named,) = cite([extract(text, ((0, 12), (25, 39)), start=100)])

    assert named.quote == "One is here. … Three is here."
    assert named.spans == ((100, 112), (125, 139))
    assert (named.revision, named.published_at) == (cleaned(text).revision, None) or named.revision


def test_every_passage_that_the_model_is_shown_is_named():
    named = cite(
        [extract("a", ((0, 1),)), extract("b", ((0, 1),)), extract("c", ((0, 1),), "https://x/")]
    )

    assert [(s.number, s.quote) for s in named] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_second_source_is_quoted_only_when_it_comes_close():
    near, far = (
        source(3, "Near.", 4.0 - SECOND_SOURCE / 2, "d2"),
        source(3, "Far.", 4.0 - 2 * SECOND_SOURCE, "d2"),
    )
    same = source(2, "The same document.")

    assert quote([source(), same, near]).split("\n\n") == [f"> {EVIDENCE} [1]", "> Near. [3]"]
    assert quote([source(), same, far]) == f"> {EVIDENCE} [1]"


def test_an_abstention_says_what_is_known():
    said = abstention([extract("x", ()).found], "I have not written about that.")

    assert (
        said
        == "I have not written about that. The nearest things that I have written about: A rope."
    )
    assert abstention([], "No.") == "No."


@pytest.mark.parametrize(
    ("said", "supported"),
    [
        ("The old rope in the harbour had failed.", 1),
        ("They renewed 14 ropes in the harbour.", 1),
        ("They renewed 14 ropes in the harbour [2].", 1),
        ("They renewed 15 ropes in the harbour.", 0),
        ("The moon is made of green cheese entirely.", 0),
        ("Well, so be it then.", 0),
    ],
)
def test_a_claim_is_supported_by_a_source_with_its_words_and_its_numbers(said, supported):
    (claim,) = check(said, [source()], COUNTS, 20)

    assert claim.source == supported
    assert claim.text == said


def test_the_source_that_supports_best_is_named():
    claims = check(
        "The old rope in the harbour had failed. The cheese was green, as everybody knew.",
        [source(1, "Cheese can be green, as everybody knew."), source(2)],
        COUNTS,
        20,
    )

    assert [c.source for c in claims] == [2, 1]


def test_nothing_said_claims_nothing():
    assert check("  ", [source()], COUNTS, 20) == ()


def test_a_sieve_lets_only_supported_sentences_pass_however_they_are_cut():
    good, bad = "The old rope in the harbour had failed. ", "The moon is made of green cheese. "
    text = bad + good + bad + "In the harbour 14 ropes were renewed"
    whole, pieces = Sieve([source()], COUNTS, 20), Sieve([source()], COUNTS, 20)

    at_once = whole.feed(text) + whole.rest()
    letters = "".join(pieces.feed(c) for c in text) + pieces.rest()

    assert at_once == letters == good + "In the harbour 14 ropes were renewed"
