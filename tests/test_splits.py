"""Nothing of the test is learned: kin stand on one side, the newest are held out, and what leaks is dropped."""

from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from builders import MOMENT, chunk, cleaned
from own_articles import STYLE, articles, sentences

from ml.examples import make_examples
from ml.meaning import Passages
from ml.negatives import make_preferences
from ml.splits import (
    crossed,
    decontaminate,
    find_kin,
    find_leaks,
    held_out,
    leaking_passages,
    repeats,
    split_documents,
    without,
)
from ml.types import Example, Hit, Message, Preference, Span

SHARED = "one two three four five six seven eight nine ten eleven"
OTHER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"


def sample(question: str, answer: str, split: str, span: Span | None = None) -> Example:
    messages = (Message("system", "s"), Message("user", question), Message("assistant", answer))
    return Example(messages, span or Span("d", "r", 0, 1), "t", split)


def reprinted(number: int, of: int) -> object:
    """Write an article that takes two sentences over from another one."""
    text = f"{sentences(number, 2)}\n\n{sentences(of, 3)}\n\n{sentences(number + 500, 8)}"
    return cleaned(text, url=f"https://x/{number}", published_at=MOMENT + timedelta(days=number))


def test_the_newest_documents_are_held_out() -> None:
    documents = articles()

    splits = split_documents(list(reversed(documents)), 0.2)

    assert [splits[d.id] for d in documents] == ["train"] * 8 + ["test"] * 2


def test_documents_that_share_passages_stand_on_one_side_whatever_their_dates() -> None:
    documents = [*articles(9), reprinted(20, of=3)]
    kin = find_kin(documents)

    splits = split_documents(documents, 0.2)

    assert kin[documents[3].id] == kin[documents[9].id] and len(set(kin.values())) == 9
    assert [d for d in splits if splits[d] == "test"] == [documents[3].id, documents[9].id]
    examples = make_examples(documents, splits, STYLE, "Maren")
    assert crossed(documents, examples) == set()
    torn = [
        sample("q", "a", s, Span(documents[n].id, "r", 0, 1))
        for n, s in ((3, "train"), (9, "test"))
    ]
    assert crossed(documents, torn) == {documents[3].id, documents[9].id}


def test_a_family_that_would_be_nearly_all_of_the_test_is_learned() -> None:
    documents = [*articles(10), *(reprinted(20 + n, of=1) for n in range(6))]

    splits = split_documents(documents, 0.15)

    tested = [d.url for d in documents if splits[d.id] == "test"]
    assert tested == ["https://x/8", "https://x/9"]


def test_what_was_held_out_stays_so_and_what_was_learned_is_not_tested_later() -> None:
    documents = articles()
    first = split_documents(documents[:8], 0.25)
    tested = {i for i, split in first.items() if split == "test"}
    trained = first.keys() - tested

    grown = split_documents(documents, 0.25, tested, trained)
    more = split_documents(documents, 0.4, tested, trained)

    assert {i for i, split in grown.items() if split == "test"} == tested
    assert {i for i, s in more.items() if s == "test"} == tested | {d.id for d in documents[8:]}


def test_what_joins_a_learned_text_to_a_tested_one_makes_the_whole_family_learned() -> None:
    documents = articles(9)
    bridge = cleaned(
        f"{sentences(2, 3)}\n\n{sentences(8, 3)}\n\n{sentences(700, 3)}",
        url="https://x/bridge",
        published_at=MOMENT + timedelta(days=50),
    )
    tested, trained = [documents[8].id], [d.id for d in documents[:8]]

    splits = split_documents([*documents, bridge], 0.1, tested, trained)

    assert {splits[i] for i in (documents[2].id, documents[8].id, bridge.id)} == {"train"}
    assert list(splits.values()).count("test") == 1


def test_where_everything_was_learned_the_newest_is_tested_all_the_same() -> None:
    documents = articles()

    splits = split_documents(documents, 0.2, (), [d.id for d in documents])

    assert [splits[d.id] for d in documents] == ["train"] * 9 + ["test"]


def test_a_training_sample_that_repeats_a_test_answer_in_answer_or_question_is_dropped() -> None:
    test, repeated = sample("a", SHARED, "test"), sample("b", f"so {SHARED}", "train")
    asks, differs = sample(f"Continue: {SHARED}!", OTHER, "train"), sample("c", OTHER, "train")

    assert decontaminate([test, repeated, asks, differs], 8) == [test, differs]
    assert repeats([f"x {SHARED}", SHARED[:40]], [SHARED], 10) == [True, False]


def test_a_training_sample_that_asks_what_a_test_sample_asks_is_dropped() -> None:
    # As newsletters do, whose every issue has the same headings.
    test, same = sample("What is new this week?", SHARED, "test"), sample("?", OTHER, "train")
    asks_it_too = sample("What is new this week?", OTHER, "train")

    assert decontaminate([test, asks_it_too, same], 8) == [test, same]


def test_a_pair_leaks_by_what_it_rejects_too() -> None:
    test = sample("a", SHARED, "test")
    asked, span = (Message("user", "b"),), Span("d", "r", 0, 1)
    pairs = [
        Preference(asked, OTHER, said, span, "base", "train") for said in (SHARED, "something else")
    ]

    assert find_leaks([test], pairs, 8) == {pairs[0].id}


def test_no_run_of_words_is_shared_by_the_test_and_anything_that_is_learned_or_retrieved() -> None:
    documents = [*articles(12), reprinted(20, of=3)]
    splits = split_documents(documents, 0.2)
    examples = decontaminate(make_examples(documents, splits, STYLE, "Maren"), 10)
    learned = [e.messages[-1].content for e in examples if e.split == "train"]
    learned += [
        t for p in make_preferences(examples) if p.split == "train" for t in (p.chosen, p.rejected)
    ]
    tested = [e.messages[-1].content for e in examples if e.split == "test"]
    retrieved = [d.text for d in documents if d.id not in held_out(examples)]

    def grams(texts: list[str]) -> set[tuple[str, ...]]:
        return {
            tuple(t.lower().split()[i : i + 10]) for t in texts for i in range(len(t.split()) - 9)
        }

    assert tested and learned and retrieved
    for one, other in combinations(map(grams, (tested, learned)), 2):
        assert not one & other
    assert not grams(tested) & grams(retrieved)


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_what_an_answer_is_judged_on_is_not_retrieved_for_it(wanted: int) -> None:
    found = [chunk(sentences(n, 1), document=cleaned(url=f"https://x/{n}")) for n in range(6)]
    calls: list[int] = []

    def search(text: str, *, limit: int, author: str) -> list[Hit]:
        calls.append(limit)
        return [Hit(c, 1.0 / (n + 1)) for n, c in enumerate(found)][:limit]

    hidden = {c.id for c in found[:3]}
    hits = without(search, hidden)("text", limit=wanted, author="a")

    assert [h.chunk for h in hits] == found[3 : 3 + wanted]
    assert len(calls) == 2
    assert without(search, {c.id for c in found})("text", limit=wanted, author="a") == []


def test_passages_leak_that_are_of_the_test_or_repeat_it_by_words_or_by_meaning() -> None:
    documents = [cleaned(sentences(n, 3), url=f"https://x/{n}") for n in range(3)]
    tested, near, far = (chunk(d.text, document=d) for d in documents)
    quoting = cleaned(f"Somebody else said: {tested.text[:160]} and no more.", url="https://x/9")
    repeated = chunk(quoting.text, document=quoting)
    vectors = np.array([[1, 0], [0.95, 0.3122], [0, 1], [0, 1]], dtype=np.float32)
    passages = Passages([tested, near, far, repeated], vectors)
    held = {documents[0].id: documents[0].text}

    assert leaking_passages(passages, held, 10, 0.9) == {tested.id, near.id, repeated.id}
    assert leaking_passages(passages, held, 10, 0.0) == {tested.id, repeated.id}
    assert leaking_passages(passages, {}, 10, 0.9) == set()
