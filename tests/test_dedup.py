"""Copies are found whatever their order, and only copies."""

import random
from datetime import timedelta
from itertools import pairwise, permutations

import hypothesis
import numpy as np
from builders import MOMENT, cleaned
from hypothesis import given
from hypothesis import strategies as st

from ml.dedup import Limits, find_pairs, mark_duplicates
from ml.types import CleanDocument

NEAR = Limits(0.8)
WORDS = [
    f"{a}{b}" for a in ("ta", "ro", "mi", "ke", "su", "lo") for b in ("n", "r", "st", "ld", "p")
]


def story(seed: int, words: int = 300) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) + str(rng.randrange(50)) for _ in range(words))


def altered(text: str, changes: int) -> str:
    found = text.split()
    for i in random.Random(1).sample(range(len(found)), changes):
        found[i] = "changed"
    return " ".join(found)


def test_an_exact_copy_under_another_title_and_url_is_found():
    a, b = cleaned(story(1), url="https://x/a"), cleaned(story(1), url="https://x/b", title="Other")

    assert [p.how for p in find_pairs([a, b], NEAR)] == ["exact"]


def test_a_near_copy_is_found_with_its_exact_similarity():
    a, b = cleaned(story(1), url="https://x/a"), cleaned(altered(story(1), 5), url="https://x/b")

    (pair,) = find_pairs([a, b], NEAR)

    assert pair.how == "near"
    assert 0.8 <= pair.similarity < 1.0


def test_different_texts_are_no_copies():
    documents = [cleaned(story(i), url=f"https://x/{i}") for i in range(60)]

    assert find_pairs(documents, NEAR) == []


def test_planted_near_copies_are_found_with_recall_and_precision():
    originals = [cleaned(story(i), url=f"https://x/{i}") for i in range(150)]
    copies = [cleaned(altered(d.text, 4), url=d.url + "/copy") for d in originals]

    found = {frozenset((p.left, p.right)) for p in find_pairs([*originals, *copies], NEAR)}
    planted = {frozenset((o.id, c.id)) for o, c in zip(originals, copies, strict=True)}

    assert len(found & planted) / len(planted) >= 0.98
    assert len(found & planted) / len(found) >= 0.99


def test_the_earliest_copy_is_canonical_in_every_order_of_input():
    later = MOMENT + timedelta(days=9)
    documents = [
        cleaned(story(1), url="https://x/a", published_at=later),
        cleaned(story(1), url="https://x/b"),
        cleaned(altered(story(1), 4), url="https://x/c", published_at=None),
    ]

    for order in permutations(documents):
        marked = {d.url: d.duplicate_of for d in mark_duplicates(order, NEAR)}

        first = documents[1].id
        assert marked == {"https://x/a": first, "https://x/b": "", "https://x/c": first}


def test_a_copy_becomes_canonical_when_its_original_is_gone():
    original, copy = cleaned(story(1), url="https://x/a"), cleaned(story(1), url="https://x/b")
    marked = mark_duplicates([original, copy], NEAR)
    left = [d for d in marked if d.duplicate_of]

    assert [d.duplicate_of for d in mark_duplicates(left, NEAR)] == [""]


def test_short_posts_that_share_a_phrase_are_no_copies():
    a = cleaned("measure it, then argue, as I always say", url="https://x/a", kind="post")
    b = cleaned("measure it, then argue, as I always say.", url="https://x/b", kind="post")
    c = cleaned("measure it, then argue, as I never say", url="https://x/c", kind="post")

    assert [p.how for p in find_pairs([a, b, c], NEAR)] == ["exact"]


def test_texts_without_a_word_are_copies_only_if_they_are_the_same():
    texts = ["🎉🎉", "🚀", "🎉🎉 ", "???"]
    documents = [cleaned(t, url=f"https://x/{i}", kind="post") for i, t in enumerate(texts)]

    (pair,) = find_pairs(documents, NEAR)

    assert {pair.left, pair.right} == {documents[0].id, documents[2].id}


def test_an_edited_page_under_a_second_address_of_it_is_found():
    a = cleaned(story(1), url="https://www.x.org/a/?utm_source=y")
    b = cleaned(altered(story(1), 15), url="http://x.org/a/index.html")
    other = cleaned(story(2), url="http://x.org/a?page=2")

    (pair,) = find_pairs([a, b, other], NEAR)

    assert pair.how == "url" and 0.5 <= pair.similarity < 0.8


def test_a_shortened_cross_post_is_folded_into_the_full_article_even_if_it_came_first():
    later = MOMENT + timedelta(days=9)
    full = cleaned(story(1, 1000), url="https://x/full", published_at=later)
    short = cleaned(
        " ".join([*story(1, 1000).split()[100:500], story(2, 150)]), url="https://y/short"
    )

    marked = {d.url: d for d in mark_duplicates([short, full], Limits(0.8, 0.55))}

    assert marked["https://x/full"].duplicate_of == ""
    copy = marked["https://y/short"]
    assert (copy.duplicate_of, copy.duplicate_how) == (full.id, "excerpt")
    assert 0.7 <= copy.duplicate_similarity <= 0.75


def test_a_quotation_and_anothers_words_are_no_excerpt():
    full = cleaned(story(1, 1000), url="https://x/full")
    quoting = cleaned(" ".join([*story(1, 1000).split()[:200], story(2, 400)]), url="https://y/b")
    other = cleaned(
        " ".join(story(1, 1000).split()[:400]), url="https://y/c", author="somebody-else"
    )
    post = cleaned(" ".join(story(1, 1000).split()[:400]), url="https://y/d", kind="post")

    assert find_pairs([full, quoting, other], Limits(0.8, 0.55)) == []
    assert find_pairs([full, post], Limits(0.8, 0.55)) == []


def test_a_chain_of_small_changes_does_not_join_texts_that_differ():
    steps = [story(1)]
    for i in range(12):
        words = steps[-1].split()
        words[i * 24 : i * 24 + 24] = story(100 + i, 24).split()
        steps.append(" ".join(words))
    chain = [
        cleaned(t, url=f"https://x/{i:02d}", published_at=MOMENT + timedelta(days=i))
        for i, t in enumerate(steps)
    ]
    found = {frozenset((p.left, p.right)) for p in find_pairs(chain, NEAR)}

    marked = mark_duplicates(chain, NEAR)

    assert all(frozenset((a.id, b.id)) in found for a, b in pairwise(chain))
    originals = [d for d in marked if not d.duplicate_of]
    assert 4 <= len(originals) < len(chain)
    assert all(frozenset((d.id, d.duplicate_of)) in found for d in marked if d.duplicate_of)


def test_the_same_meaning_in_other_words_is_found_only_within_a_kind_and_only_with_vectors():
    a, b = cleaned(story(1), url="https://x/a"), cleaned(story(2), url="https://x/b")
    post = cleaned(story(3), url="https://x/c", kind="post")
    far = cleaned(story(4), url="https://x/d")
    near = np.array([1.0, 0.1], np.float32) / np.float32(np.hypot(1, 0.1))
    vectors = {a.id: np.array([1, 0], np.float32), b.id: near, post.id: near}
    vectors[far.id] = np.array([0, 1], np.float32)
    limits = Limits(0.8, 0.55, 0.95)

    (pair,) = find_pairs([a, b, post, far], limits, vectors)

    assert (pair.how, {pair.left, pair.right}) == ("semantic", {a.id, b.id})
    assert find_pairs([a, b, post, far], limits) == []


@st.composite
def corpora(draw: st.DrawFn) -> list[CleanDocument]:
    """Draw texts cut from a few stories, with edits: copies, excerpts, chains and strangers."""
    documents = []
    for number in range(draw(st.integers(1, 9))):
        words = story(draw(st.integers(0, 1)), 420).split()
        start, end = draw(st.sampled_from([(0, 420), (0, 400), (20, 420), (0, 260), (60, 360)]))
        text = altered(" ".join(words[start:end]), draw(st.sampled_from([0, 0, 3, 9, 30])))
        published = draw(st.sampled_from([None, MOMENT, MOMENT + timedelta(days=1)]))
        documents.append(cleaned(text, url=f"https://x/{number}", published_at=published))
    return documents


@hypothesis.settings(max_examples=60, deadline=None)
@given(corpora(), st.randoms(use_true_random=False))
def test_any_order_of_input_gives_the_same_copies_each_compared_with_its_canonical(
    documents, chance
):
    limits = Limits(0.8, 0.55)
    shuffled = documents.copy()
    chance.shuffle(shuffled)

    marked = {d.id: d for d in mark_duplicates(documents, limits)}
    again = {d.id: d for d in mark_duplicates(shuffled, limits)}

    assert marked == again
    compared = {frozenset((p.left, p.right)) for p in find_pairs(documents, limits)}
    exact = {p.right: p.left for p in find_pairs(documents, limits) if p.how == "exact"}
    for copy in (d for d in marked.values() if d.duplicate_of):
        assert marked[copy.duplicate_of].duplicate_of == ""
        first = exact.get(copy.id, copy.id)
        assert first == copy.duplicate_of or frozenset((first, copy.duplicate_of)) in compared


@hypothesis.settings(max_examples=40, deadline=None)
@given(corpora())
def test_what_was_folded_is_no_longer_there_when_the_originals_are_looked_at_again(documents):
    limits = Limits(0.8, 0.55)
    originals = [d for d in mark_duplicates(documents, limits) if not d.duplicate_of]

    assert not [d for d in mark_duplicates(originals, limits) if d.duplicate_of]
