"""What was found is ordered by words and meaning together, with weights that the corpus itself teaches."""

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import chunk, cleaned

from ml.ranker import FEWEST_PAIRS, fit_logistic, fit_ranking, mine_pairs
from ml.rerank import WEIGHTS, Found, Ranker, Ranking, best_first, from_values, join, to_values
from ml.types import Hit

COUNTS = {"rope": 5, "ledger": 1, "harbour": 5}
RANKING = Ranking("f1", passages=10, counts=COUNTS)


def found(text, cosine, name=""):
    return Found(
        chunk(text, document=cleaned(text, url=f"https://example.org/{name or text}/")), cosine
    )


def texts(ranked):
    return [f.chunk.text for f in ranked]


def test_of_two_passages_that_mean_the_same_the_one_with_the_rare_word_comes_first():
    ranked = Ranker(RANKING).rank("Which ledger?", [found("A rope.", 0.5), found("A ledger.", 0.5)])

    assert texts(ranked) == ["A ledger.", "A rope."]
    assert ranked[0].score > ranked[1].score and ranked[0].chance > ranked[1].chance


def test_of_two_passages_with_the_same_words_the_one_that_means_it_comes_first():
    ranked = Ranker(RANKING).rank("rope", [found("A rope.", 0.1, "a"), found("A rope.", 0.6, "b")])

    assert [f.cosine for f in ranked] == [0.6, 0.1]


def test_a_passage_that_only_words_found_is_less_like_the_question_than_all_others():
    features = Ranker(RANKING).features("rope", [found("A rope.", 0.4), found("Rope.", None)])

    assert features[1, 0] < features[0, 0]


def test_the_chance_of_an_answer_means_the_same_whatever_was_learned():
    passage = [found("A rope.", 0.5)]
    learned = Ranker(replace(RANKING, weights=(1.0, 1.0, 1.0, 1.0))).rank("rope", passage)

    assert learned[0].chance == Ranker(RANKING).rank("rope", passage)[0].chance
    assert learned[0].score != Ranker(RANKING).rank("rope", passage)[0].score


def test_nothing_found_is_nothing_ranked_and_a_corpus_is_not_needed():
    assert Ranker(RANKING).rank("rope", []) == []
    assert Ranker(Ranking()).rank("rope", [found("A rope.", 0.5)])[0].score > 0


def test_equal_passages_are_ordered_by_id():
    pair = [found("x", 0.1, "a"), found("x", 0.1, "b")]

    assert best_first(pair, [1.0, 1.0]) == best_first(pair[::-1], [1.0, 1.0])


def test_both_searches_are_joined_and_what_both_found_comes_first():
    a, b, c = (found(t, None).chunk for t in "abc")
    joined = join([[Hit(a, 0.9), Hit(b, 0.8)]], [[Hit(b, 7.0), Hit(c, 3.0)]])

    assert max(joined, key=lambda f: f.fused).chunk == b
    assert {f.chunk.text: f.cosine for f in joined} == {"a": 0.9, "b": 0.8, "c": None}


def test_a_ranking_comes_back_from_json_as_it_was():
    assert from_values(json.loads(json.dumps(to_values(RANKING)))) == RANKING


def test_a_ranking_for_other_features_is_refused():
    values = to_values(RANKING) | {"weights": {"magic": 1.0}}

    with pytest.raises(ValueError, match="weights for magic, but cosine, words.*fit_ranking"):
        from_values(values)


def sections(count):
    """Make articles whose heading stands in one passage, and what it is about in the next."""
    made = []
    for n in range(count):
        document = cleaned(f"text {n}", url=f"https://example.org/{n}/")
        heading = f"Title > Subject{n} of matter{n}"
        for position, text in enumerate(
            (f"## Subject{n} of matter{n}\n\nAn opening.", f"All about subject{n}, at length.")
        ):
            one = chunk(text, position=position, document=document)
            made.append(replace(one, heading=heading))
    return made


def test_a_heading_asks_for_the_other_passages_of_its_section():
    (asked,) = mine_pairs(sections(1))

    assert (asked.question, asked.answers) == ("Subject0 of matter0", frozenset({1}))


def test_the_questions_are_the_same_every_time_and_not_too_many():
    chunks = sections(12)

    assert mine_pairs(chunks, 5) == mine_pairs(chunks, 5)
    assert len(mine_pairs(chunks, 5)) == 5


def test_a_corpus_with_few_headings_keeps_the_weights_of_another():
    vectors = np.eye(4, 8, dtype=np.float32)

    assert fit_ranking(RANKING, sections(2), vectors, lambda t: vectors[: len(t)]) == RANKING


def directions(seed, count):
    """Make vectors that mean nothing."""
    made = np.random.default_rng(seed).normal(size=(count, 64)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_a_corpus_in_which_words_decide_teaches_that_words_decide():
    chunks = sections(FEWEST_PAIRS + 5)
    base, vectors = replace(RANKING, passages=len(chunks)), directions(1, len(chunks))

    learned = fit_ranking(base, chunks, vectors, lambda t: directions(2, len(t)))

    assert learned.pairs >= FEWEST_PAIRS
    assert learned.weights[1] / learned.weights[0] > WEIGHTS[1] / WEIGHTS[0]


def test_documents_that_are_held_out_answer_and_do_not_ask():
    chunks = sections(FEWEST_PAIRS + 5)
    base, vectors = replace(RANKING, passages=len(chunks)), directions(1, len(chunks))
    held, heard = {c.document_id for c in chunks[:6]}, []

    def encode(questions):
        heard.extend(questions)
        return directions(2, len(questions))

    learned = fit_ranking(base, chunks, vectors, encode, held)

    assert learned.pairs >= FEWEST_PAIRS and len(heard) == FEWEST_PAIRS + 2
    assert not {f"Subject{n} of matter{n}" for n in range(3)} & set(heard)


def test_the_fit_finds_which_measurement_tells_right_from_wrong():
    random = np.random.default_rng(3)
    rows = random.normal(size=(4_000, 4))
    right = rows[:, 2] + 0.1 * random.normal(size=4_000) > 0

    weights = fit_logistic(rows, right)

    assert weights[2] > max(WEIGHTS[2], 1.0)
    assert weights[0] < WEIGHTS[0]
