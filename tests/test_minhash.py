"""Shingles in numpy are the word 5-grams that plain Python makes, whatever the characters; alike texts meet."""

import random
import re
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import minhash
from ml.minhash import alike, overlapping, shared, shingle

ODD = ["a", "B", "é", "İ", "don’t", "x_1", "toDo", "ABc", "🎉", "ǅ", "ß", "\x00", "—"]
texts_of_any_kind = st.lists(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(ODD), max_size=25).map(" ".join)),
    min_size=1,
    max_size=6,
)


def words(text: str) -> list[str]:
    """Find the words of a text character by character: a capital after a small letter begins one."""
    marked = "".join(
        f" {c}" if c.isupper() and not b.isupper() else c for b, c in pairwise(" " + text)
    )
    return re.findall(r"[^\W_]+", "".join(c.lower()[0] for c in marked))


def plain(text: str) -> list[tuple[str, ...]]:
    """Make word 5-grams the simple way, in order."""
    found = words(text)
    return [tuple(found[i : i + 5]) for i in range(len(found) - 4)]


def prose(seed: int, words: int) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(5000)}" for _ in range(words)]


@settings(max_examples=60, deadline=None)
@given(texts_of_any_kind)
def test_equal_shingles_are_equal_words_and_nothing_else(texts: list[str]):
    shingled = shingle(texts)

    of_words: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(texts):
        hashes = shingled.hashes[shingled.starts[i] : shingled.starts[i + 1]].tolist()
        assert len(hashes) == len(plain(text))
        assert all(of_words.setdefault(w, h) == h for w, h in zip(plain(text), hashes, strict=True))
    assert len(set(of_words.values())) == len(of_words)
    by_words = {tuple(words(t)) for t in texts}
    assert len(set(shingled.wholes.tolist())) == len(by_words)


def test_words_that_a_page_glued_together_and_emphasis_are_seen_through():
    one = shingle(["What is a course? _Why_ should you care for pipelines now"])
    other = shingle(["what is a courseWhy should you carefor pipelines now"])

    assert shared(one.row(0), other.row(0)) == 3


def test_a_text_has_the_same_hashes_in_whatever_company(monkeypatch):
    texts = [" ".join(prose(i, 80)) + (" naïve" if i % 3 else "") for i in range(40)]
    alone = [shingle([t]).hashes.tolist() for t in texts]

    monkeypatch.setattr(minhash, "BLOCK", 300)
    together = shingle(texts)

    assert [
        together.hashes[together.starts[i] : together.starts[i + 1]].tolist() for i in range(40)
    ] == alone
    picked = together.of(np.array([7, 3]))
    assert picked.hashes.tolist() == alone[7] + alone[3]


def test_what_two_rows_share_is_counted_exactly():
    one, other = prose(1, 200), prose(1, 150) + prose(2, 50)
    shingled = shingle([" ".join(one), " ".join(other)])

    common = set(plain(" ".join(one))) & set(plain(" ".join(other)))
    assert shared(shingled.row(0), shingled.row(1)) == len(common)


def test_alike_texts_meet_and_strangers_do_not():
    originals = [prose(i, 250) for i in range(200)]
    copies = [[*words[:240], *prose(900 + i, 10)] for i, words in enumerate(originals)]
    shingled = shingle([" ".join(w) for w in [*originals, *copies]])

    assert alike(shingled).tolist() == [[i, i + 200] for i in range(200)]


def test_a_text_within_a_longer_one_meets_it():
    longer = [prose(i, 900) for i in range(50)]
    part = [words[100:400] for words in longer]
    shingled = shingle([" ".join(w) for w in [*longer, *part]])

    assert overlapping(shingled).tolist() == [[i, i + 50] for i in range(50)]


def test_what_everybody_says_makes_no_pairs():
    said = prose(0, 300)
    shingled = shingle([" ".join([*said, *prose(i, 200)]) for i in range(1, 60)])

    assert overlapping(shingled).tolist() == []


def test_a_crowd_of_copies_is_compared_with_its_first_ones_only():
    shingled = shingle([" ".join([*prose(1, 400), f"end{i}"]) for i in range(500)])

    pairs = alike(shingled)

    assert {*map(tuple, pairs[pairs[:, 0] == 0].tolist())} == {(0, i) for i in range(1, 500)}
    assert len(pairs) < 500 * 499 / 2 / 5


def test_no_texts_and_texts_without_words_are_no_error():
    for texts in ([], [""], ["!?", "…"]):
        shingled = shingle(texts)
        assert len(alike(shingled)) == len(overlapping(shingled)) == 0
