"""Questions from the structure of held-out texts, those that nobody answers, and what retrieval is worth on them."""

from dataclasses import replace

import pytest
from builders import chunk, cleaned

from ml.questions import (
    Question,
    abstention_rates,
    held_out_questions,
    is_told,
    measure_retrieval,
    unanswerable_questions,
)
from ml.types import Hit


def passage(number: int, heading: str = "", text: str = ""):
    document = cleaned(url=f"https://example.org/{number}/", title=f"Title {number}")
    made = chunk(text or f"A passage about the matter number {number}.", document=document)
    return replace(made, heading=heading, id=f"c{number}-{heading}")


def test_a_heading_asks_for_the_passages_under_it():
    under = [
        replace(passage(1, "Title 1 > Sizing the pool"), id="c1"),
        replace(passage(1, "Title 1 > Sizing the pool"), id="c2"),
    ]

    (question,) = held_out_questions([*under, passage(1, "Title 1")])

    assert question.text == "What do you say about sizing the pool?"
    assert question.relevant == ("c1", "c2")


def test_a_heading_that_is_a_question_is_asked_as_it_is():
    (question,) = held_out_questions([passage(1, "Title 1 > Why does it lie?")])

    assert question.text == "Why does it lie?"


def test_a_question_that_a_text_asks_itself_is_answered_by_its_passage():
    text = "We lost two records. Why did the log forget them? Nobody had flushed the folder."

    (question,) = held_out_questions([passage(1, text=text)])

    assert question.text == "Why did the log forget them?"
    assert question.reference == text


def test_a_heading_of_several_documents_asks_for_nothing():
    assert held_out_questions([passage(n, f"Title {n} > Conclusion") for n in (1, 2)]) == []


def test_the_same_questions_are_chosen_each_time():
    passages = [passage(n, f"Title {n} > Part number {n}") for n in range(40)]

    chosen = held_out_questions(passages, many=5)

    assert len(chosen) == 5 and chosen == held_out_questions(passages[::-1], many=5)


def test_what_the_author_does_write_about_is_not_unanswerable():
    asked = unanswerable_questions(3)[0].text
    jam = Hit(passage(1, text="My recipe for strawberry jam is the best that I know."), 1.0)

    assert is_told(asked, [jam]) and not is_told(asked, [Hit(passage(2), 1.0)])
    assert not any(q.relevant for q in unanswerable_questions())


def test_retrieval_is_measured_by_rank_and_a_miss_counts():
    asked = [Question(f"q{n}", (f"c{n}-",)) for n in (1, 2)]
    found = {
        "q1": [Hit(passage(3), 0.9), Hit(passage(1), 0.2)],
        "q2": [Hit(passage(3), 0.9)],
    }

    measured = measure_retrieval(asked, found)

    assert measured["hit_at_1"] == 0.0 and measured["hit_at_5"] == 0.5
    assert measured["mrr"] == pytest.approx(0.25)
    assert measured["ndcg_at_5"] == pytest.approx(0.6309 / 2, abs=1e-3)
    assert measure_retrieval(unanswerable_questions(), {}) == {}


def test_declining_is_right_for_one_sort_and_wrong_for_the_other():
    asked = [Question("q1", ("c",)), Question("q2", ("c",)), Question("q3")]

    rates = abstention_rates(asked, {"q1": True, "q2": False, "q3": True})

    assert rates == {"declined_answerable": 0.5, "declined_unanswerable": 1.0}
    assert abstention_rates([], {}) == {}
