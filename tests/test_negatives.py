"""What pairs reject: a model's answer or the author's words without voice; length tells nothing about any of it."""

from dataclasses import replace

from own_articles import STYLE, articles
from samples import examples as samples

from ml.examples import make_examples
from ml.flatten import is_as_long
from ml.negatives import balance, bias_of, cut_to, length_bias, make_preferences, prompt_name
from ml.splits import split_documents
from ml.text import words
from ml.types import Message, Preference


def many():
    """Make the samples of twenty articles."""
    documents = articles(20)
    return make_examples(documents, split_documents(documents, 0.2), STYLE, "Maren")


def test_rejected_texts_differ_and_are_as_long_as_the_chosen_ones() -> None:
    pairs = make_preferences(many())

    assert len(pairs) >= 20 and {p.how for p in pairs} == {"flattened"}
    for pair in pairs:
        assert words(pair.chosen) != words(pair.rejected) and is_as_long(pair.rejected, pair.chosen)


def test_length_tells_nothing_about_which_text_was_chosen() -> None:
    bias = length_bias(make_preferences(many()))

    assert 0.5 <= bias.accuracy <= 0.55 and abs(bias.difference) < 0.05
    assert 0.5 <= bias.threshold <= 0.6 and bias.surprise <= 1.5


def test_what_length_tells_is_measured() -> None:
    told = bias_of([("a" * 10, "b" * 5), ("a" * 8, "b" * 4)])

    assert (told.difference, told.accuracy, told.threshold) == (0.5, 1.0, 1.0)
    assert bias_of([("abc", "xyz")] * 4).accuracy == bias_of([]).accuracy == 0.5


def test_lopsided_pairs_are_dropped_until_a_coin_would_do_as_well() -> None:
    (example,) = samples(1)
    sizes = {"a": 90, "b": 91, "c": 92, "d": 99, "e": 101, "f": 109, "g": 100}
    pairs = [
        Preference(example.messages[:-1], "a" * 100, "b" * n, example.span, name, "train")
        for name, n in sizes.items()
    ]

    kept = balance(pairs)

    assert [p.how for p in kept] == ["b", "c", "d", "e", "f", "g"]
    assert length_bias(kept).accuracy < 0.6 and abs(length_bias(kept).difference) <= 0.02
    assert balance(pairs[:3]) == [pairs[2]] and balance([]) == []


def test_a_models_own_answer_is_rejected_before_a_flat_text_and_cut_to_the_same_length() -> None:
    examples = [e for e in many() if e.task == "answer"]
    own = {
        prompt_name(e.messages[:-1]): [("champion", "I would rather not say. " * 90)]
        for e in examples
    }

    pairs = make_preferences(examples, own)

    assert {p.how for p in pairs} == {"champion"} and len(pairs) >= len(examples) - 2
    assert all(is_as_long(p.rejected, p.chosen) for p in pairs)


def test_a_models_answer_ends_with_a_sentence_wherever_one_ends_near_the_authors_length() -> None:
    whole = 'He calls it "the rope, e.g. the old one." Nobody looks at it.'
    said = f"{whole}\nWe all wait for the next spring and"

    assert cut_to(said, 64, longer=False) == cut_to(said, 55, longer=True) == whole
    # The nearest end is on the other side, or more than the tolerance away.
    assert cut_to(said, 60, longer=False) == whole.removesuffix(" it.")
    assert cut_to(said, 80, longer=False) == f"{whole} We all wait for"


def test_what_models_said_is_rejected_in_whole_sentences_and_length_still_tells_nothing() -> None:
    examples = [e for e in many() if e.task == "answer"]
    talk = " ".join(f"I would rather not say {n * 'so '}much about {n} of it." for n in range(9))
    own = {prompt_name(e.messages[:-1]): [("base", f"{talk} " * 9)] for e in examples}

    pairs = make_preferences(examples, own)
    whole = [p for p in pairs if p.rejected.endswith(".")]

    assert len(pairs) >= len(examples) - 2 and len(whole) >= 0.9 * len(pairs)
    assert length_bias(pairs).accuracy <= 0.55 and abs(length_bias(pairs).difference) <= 0.02
    assert all(is_as_long(p.rejected, p.chosen) for p in pairs)
    assert all(words(p.rejected) != words(p.chosen) for p in pairs)


def test_a_model_that_says_what_the_author_says_or_next_to_nothing_is_no_use_for_a_pair() -> None:
    examples = [e for e in many() if e.task == "answer"]
    for said in (lambda e: e.messages[-1].content, lambda e: "No."):
        own = {prompt_name(e.messages[:-1]): [("base", said(e))] for e in examples}

        assert {p.how for p in make_preferences(examples, own)} <= {"flattened"}


def test_code_and_what_was_shown_without_voice_already_make_no_pairs() -> None:
    example = replace(samples(1)[0], task="code")
    voiced = replace(example, messages=(*example.messages[:-1], Message("assistant", "x " * 30)))

    assert make_preferences([example, replace(voiced, task="rewrite")]) == []
