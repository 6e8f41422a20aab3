"""Of a passage, the sentences that matter are kept, word for word and inside the budget."""

import numpy as np
import pytest
from builders import chunk, cleaned

from ml.compress import compress, whole
from ml.rerank import Found, Ranker, Ranking
from ml.sentences import sentence_spans

TEXT = (
    "The harbour was cold that year. We checked the rope that looks sound. Nobody else had done so. "
    "Then it was time for soup. The soup was good and hot. We ate it all up."
)
RANKER = Ranker(Ranking())


def found(text=TEXT, url="https://example.org/a/"):
    return Found(chunk(text, document=cleaned(text, url=url)), 0.5)


def words(text):
    return len(text.split())


def test_the_sentence_that_was_asked_for_and_its_neighbours_are_kept_in_reading_order():
    (extract,) = compress("Which rope?", [found()], RANKER, words, 19)

    assert extract.quote == (
        "The harbour was cold that year. We checked the rope that looks sound. Nobody else had done so."
    )
    assert [TEXT[a:b] for a, b in extract.spans] == [extract.quote]


def test_an_ellipsis_stands_where_something_was_left_out():
    (extract,) = compress("A rope that looks sound, and hot soup?", [found()], RANKER, words, 13)

    assert " … " in extract.quote
    assert extract.quote.split(" … ") == [TEXT[a:b] for a, b in extract.spans]


def test_the_budget_is_kept_but_the_first_sentence_always_stays():
    both = [found(), found(TEXT.replace("rope", "ropes"), "https://example.org/b/")]

    (small,) = compress("Which rope?", both, RANKER, words, 12)
    (smallest,) = compress("Which rope?", both, RANKER, words, 1)

    assert words(small.quote.replace(" … ", " ")) <= 12
    assert smallest.quote == "We checked the rope that looks sound."


def test_sentences_may_be_weighed_by_their_meaning():
    def embed(texts):
        return np.array([[1.0, 0.0] if "hot" in t else [0.2, 1.0] for t in texts], np.float32)

    (extract,) = compress("Something hot?", [found()], RANKER, words, 6, embed)

    assert extract.quote == "The soup was good and hot."


def test_a_program_has_no_sentences_and_is_taken_as_it_is():
    (extract,) = compress("rope", [found("```\nrope()\n```")], RANKER, words, 400)

    assert extract.quote == "```\nrope()\n```"


def test_nothing_found_is_nothing_kept():
    assert compress("rope", [], RANKER, words, 400) == [] == whole([], words, 400)


def test_whole_passages_stop_at_the_budget_and_the_first_one_always_stays():
    passages = [found(url=f"https://example.org/{n}/") for n in range(3)]

    assert len(whole(passages, words, 2 * words(TEXT))) == 2
    assert [e.quote for e in whole(passages, words, 1)] == [TEXT]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One thing is certain here. Another is not so certain.", 2),
        ("# A heading that is long\n\nThe only sentence is here.", 1),
        ("Before the code comes this.\n\n```python\nx = 1  # A comment. And More.\n```\n", 1),
        ("Version 1.2 is out, e.g. for us.", 1),
        ("- The first of two things\n- The second of two things", 2),
        ("", 0),
    ],
)
def test_sentences_are_slices_of_prose(text, sentences):
    found = sentence_spans(text)

    assert len(found) == sentences
    assert all(text[a:b] == text[a:b].strip() and len(text[a:b].split()) >= 4 for a, b in found)
