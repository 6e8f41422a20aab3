"""What says in other words what the test says is found: in documents by their passages, elsewhere by its own text."""

from dataclasses import replace

import numpy as np
import pytest
from builders import chunk, cleaned
from own_articles import sentences

from ml import meaning
from ml.meaning import Meaning, Passages, reaching
from ml.splits import decontaminate, find_leaks
from ml.types import Example, Message, Preference, Span

# The test's direction, one near it, one far off, and one between them.
TESTED, NEAR, FAR, BETWEEN = (1.0, 0.0), (0.95, 0.3122), (0.0, 1.0), (0.8, 0.6)
DOCUMENTS = [cleaned(sentences(n, 4), url=f"https://x/{n}") for n in range(3)]
# What is said where no document stands, and where it points.
SAID = {"again": NEAR, "else": FAR, "between": BETWEEN, "nearer": (0.97, 0.2431)}
SAID |= {d.text: vector for d, vector in zip(DOCUMENTS, (TESTED, NEAR, FAR), strict=True)}


def embed(texts):
    return [np.array([SAID[t]] if t else [], np.float32).reshape(-1, 2) for _, t in texts]


def at(limit):
    """Make what knows the passages of the three documents: tested, near it, far off."""
    chunks = [chunk(d.text, document=d) for d in DOCUMENTS]
    return Meaning(Passages(chunks, np.array([TESTED, NEAR, FAR], np.float32)), embed, limit)


def span(number):
    return Span(DOCUMENTS[number].id, DOCUMENTS[number].revision, 0, 50)


def sample(number):
    said = (Message("user", f"q{number}"), Message("assistant", DOCUMENTS[number].text))
    return Example(said, span(number), "t", "test" if number == 0 else "train")


EXAMPLES = [sample(n) for n in range(3)]


def pair(chosen, rejected, how, number=2, split="train"):
    return Preference((Message("user", chosen),), chosen, rejected, span(number), how, split)


def test_a_training_sample_that_says_a_test_answer_in_other_words_is_dropped() -> None:
    assert decontaminate(EXAMPLES, 10, at(0.9)) == [EXAMPLES[0], EXAMPLES[2]]
    assert decontaminate(EXAMPLES, 10, at(0.96)) == decontaminate(EXAMPLES, 10) == EXAMPLES
    assert decontaminate(EXAMPLES[1:], 10, at(0.9)) == EXAMPLES[1:]


@pytest.mark.parametrize("how", ["base", "edited", "thumbs"])
def test_a_pair_leaks_by_meaning_in_what_it_chooses_and_in_what_it_rejects(how: str) -> None:
    pairs = [
        pair("again", "else", how),
        pair("else", "again", how),
        pair("else", "between", how),
        pair("between", "", how),
        pair("again", "again", how, split="test"),
    ]

    leaks = find_leaks(EXAMPLES, pairs, 10, at(0.9)) - {EXAMPLES[1].id}

    assert leaks == {p.id for p in pairs[:2]}
    assert find_leaks(EXAMPLES[1:], pairs, 10, at(0.9)) == set()


def test_an_answer_counts_where_the_passage_around_it_says_something_else_too() -> None:
    # The passages point elsewhere, and only the test's answer alone says what the pair says.
    blurred = replace(
        at(0.9), passages=Passages(at(0.9).passages.chunks, np.eye(3, 2, -1, np.float32))
    )
    again = pair("again", "else", "edited")

    assert find_leaks([EXAMPLES[0]], [again], 10, blurred) == {again.id}


def test_a_flat_text_leaks_with_its_source_and_by_itself_where_that_is_close() -> None:
    near, far = (pair("else", "again", "flattened", n) for n in (1, 2))
    asked = list[str]()

    def noting(texts):
        asked.extend(t for _, t in texts)
        return embed(texts)

    for limit, leaks in ((0.9, {near.id}), (0.94, {near.id}), (0.96, set())):
        assert find_leaks([EXAMPLES[0]], [near, far], 10, at(limit)) == leaks
    # The source has .95, the flat text .97.
    nearer = pair("else", "nearer", "flattened", 1)
    assert find_leaks([EXAMPLES[0]], [nearer], 10, at(0.96)) == {nearer.id}
    assert (
        find_leaks([EXAMPLES[0]], [far], 10, replace(at(0.9), embed=noting)) == set() == set(asked)
    )


def test_an_answer_leaks_by_itself_where_its_passage_is_only_close() -> None:
    said = replace(EXAMPLES[1], messages=(Message("user", "q"), Message("assistant", "nearer")))

    assert find_leaks([EXAMPLES[0], said, EXAMPLES[2]], [], 10, at(0.96)) == {said.id}
    assert find_leaks([EXAMPLES[0], said, EXAMPLES[2]], [], 10, at(0.98)) == set()


def test_rows_are_found_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([TESTED, FAR, NEAR, BETWEEN, TESTED], np.float32)
    monkeypatch.setattr(meaning, "ROWS", 2)

    assert reaching(rows, rows[:1], 0.9).tolist() == [0, 2, 4]
    assert reaching(rows, rows[:0], 0.9).size == reaching(rows[:0], rows, 0.9).size == 0
