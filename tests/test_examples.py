"""Samples are the author's own words, split by time, without leaks; rejected texts teach voice, not length."""

import random
from datetime import timedelta

from builders import MOMENT, cleaned

from ml.examples import (
    LENGTH_BAND,
    draft_samples,
    drop_leaks,
    flatten,
    is_grounded,
    make_examples,
    make_preferences,
    split_documents,
)
from ml.types import Example, Message, Span

STYLE = {"sentence_words": 22.0, "semicolon_rate": 6.0, "exclamation_rate": 0.0}


def sentences(seed: int, count: int) -> str:
    """Write sentences that share no run of words with those of another seed."""
    rng = random.Random(seed)
    stems = ["rope", "tide", "lock", "page", "queue", "lease", "index", "shard", "cache", "clock"]
    return " ".join(
        "The " + " ".join(f"{rng.choice(stems)}{rng.randrange(90)}" for _ in range(9)) + "; we saw."
        for _ in range(count)
    )


def articles(count: int = 10):
    return [
        cleaned(
            f"{sentences(i, 3)}\n\n## Why does number {i} matter?\n\n{sentences(i + 100, 5)}\n\n"
            f"```sql\nSELECT {i};\n```\n",
            url=f"https://x/{i}",
            title=f"Piece {i}",
            published_at=MOMENT + timedelta(days=i),
        )
        for i in range(count)
    ]


def test_every_answer_is_word_for_word_its_span_of_the_source():
    documents = articles()
    texts = {d.id: d for d in documents}

    examples = make_examples(documents, split_documents(documents, 0.2), STYLE, "Maren", 10)

    assert len(examples) >= 10
    assert all(is_grounded(e.span, e.messages[-1].content, texts) for e in examples)


def test_a_changed_source_grounds_nothing_any_more():
    (document,) = articles(1)
    draft = draft_samples(document)[0]
    changed = cleaned(document.text + "!", url=document.url)

    assert not is_grounded(draft.span, draft.answer, {changed.id: changed})


def test_a_heading_that_asks_is_the_instruction_of_its_section():
    asked = {d.instruction for d in draft_samples(articles(1)[0])}

    assert "Why does number 0 matter?" in asked


def test_code_blocks_of_an_article_are_never_answers():
    assert not any("SELECT" in d.answer for d in draft_samples(articles(1)[0]))


def test_the_newest_documents_are_held_out():
    documents = articles()

    splits = split_documents(list(reversed(documents)), 0.2)

    assert [splits[d.id] for d in documents] == ["train"] * 8 + ["test"] * 2


def test_what_was_held_out_stays_so_and_what_was_learned_is_not_tested_later():
    documents = articles()
    first = split_documents(documents[:8], 0.25)
    tested = {i for i, split in first.items() if split == "test"}
    trained = first.keys() - tested

    grown = split_documents(documents, 0.25, tested, trained)

    assert {i for i, split in grown.items() if split == "test"} == tested
    more = split_documents(documents, 0.4, tested, trained)
    assert {i for i, s in more.items() if s == "test"} == tested | {d.id for d in documents[8:]}


def test_where_everything_was_learned_the_newest_are_tested_all_the_same():
    documents = articles()

    splits = split_documents(documents, 0.2, (), [d.id for d in documents])

    assert [splits[d.id] for d in documents] == ["train"] * 8 + ["test"] * 2


SHARED = "one two three four five six seven eight nine ten eleven"
OTHER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"


def sample(question: str, answer: str, split: str) -> Example:
    messages = (Message("user", question), Message("assistant", answer))
    return Example(messages, Span("d", "r", 0, 1), "t", split)


def test_a_training_sample_that_repeats_a_test_answer_is_dropped():
    test, repeats = sample("a", SHARED, "test"), sample("b", f"so {SHARED}", "train")
    differs = sample("c", OTHER, "train")

    assert drop_leaks([test, repeats, differs], 8) == [test, differs]


def test_a_training_sample_that_asks_what_a_test_sample_asks_is_dropped():
    # As newsletters do, whose every issue has the same headings.
    test, same = sample("What is new this week?", SHARED, "test"), sample("?", OTHER, "train")
    asks_it_too = sample("What is new this week?", OTHER, "train")

    assert drop_leaks([test, asks_it_too, same], 8) == [test, same]


def test_functions_become_samples_by_their_name_and_docstring():
    code = cleaned(
        'import os\n\n\ndef rotate(path):\n    """Close a segment and open the next."""\n'
        "    size = os.stat(path).st_size\n    if size < 10:\n        return path\n    return path + '.1'\n",
        kind="code",
        url="https://x/blob/log.py",
    )

    (draft,) = draft_samples(code)

    assert (
        draft.instruction
        == "Write the Python function `rotate`: Close a segment and open the next."
    )
    assert draft.answer == code.text[draft.span.start : draft.span.end]
    assert draft.answer.startswith("def rotate")


def test_rejected_texts_differ_and_are_as_long_as_the_chosen_ones():
    documents = articles()
    splits = split_documents(documents, 0.2)
    examples = make_examples(documents, splits, STYLE, "Maren", 10)

    pairs = make_preferences(documents, splits, STYLE, "Maren", examples)

    assert pairs
    for pair in pairs:
        assert pair.chosen.strip() != pair.rejected.strip()
        assert abs(len(pair.rejected) / len(pair.chosen) - 1) <= LENGTH_BAND


def test_flattening_takes_the_semicolons_and_asides_out():
    flat = flatten(
        "The rope (it was old) looked sound; nobody had used it for a year, and it was rotten at the core."
    )

    assert ";" not in flat
    assert "(" not in flat


def test_the_same_documents_in_another_order_make_the_same_samples():
    documents = articles()
    splits = split_documents(documents, 0.2)

    one = make_examples(documents, splits, STYLE, "Maren", 10)
    other = make_examples(list(reversed(documents)), splits, STYLE, "Maren", 10)

    assert [e.id for e in one] == [e.id for e in other]
