"""Measures tell voices apart, do not grow with the length of a text, and hash sorts into buckets one can see."""

from datetime import timedelta

import pytest
from builders import MOMENT, PARAGRAPH, cleaned
from own_texts import prose

from ml.style import BUCKETS, bucket, collisions, former_times, measure
from ml.text import prose_of

# What is stored says these numbers: they never change.
KIND_BUCKETS = [0, 2, 10]


def test_measured_style_tells_a_careful_writer_from_a_loud_one():
    careful = measure(cleaned(PARAGRAPH * 4), MOMENT)
    loud = measure(cleaned("Stop! Read this. Really? Yes! Do it now! No meetings. " * 8), MOMENT)

    assert careful.semicolon_rate > loud.semicolon_rate == 0
    assert loud.exclamation_rate > careful.exclamation_rate == 0
    assert careful.sentence_words > 2 * loud.sentence_words
    assert careful.readability < loud.readability


def test_code_blocks_do_not_count_as_the_authors_sentences():
    with_code = cleaned(f"{PARAGRAPH}\n\n```\na;b;c;d;e;f;g\n```\n")

    assert "a;b" not in prose_of(with_code)
    assert measure(with_code, MOMENT).words == measure(cleaned(PARAGRAPH), MOMENT).words


def test_every_group_of_measures_sees_what_it_is_about():
    said = "I don't know: perhaps we can't (not really) help you… It's “fine” – isn't it?"
    told = "The pump stopped. Water rose over the deck. Nobody spoke."
    first, second = (measure(cleaned(f"{t} " * 10), MOMENT) for t in (said, told))
    seen = "contraction hedge first_person first_person_plural second_person colon dash "
    seen += "parenthesis quotation ellipsis"
    for name in seen.split():
        assert getattr(first, f"{name}_rate") > getattr(second, f"{name}_rate") == 0, name
    assert second.determiner_rate > 0 and second.preposition_rate > 0 and second.negation_rate > 0
    assert (second.question_share, second.exclamation_share) == (0, 0)
    assert first.question_share > 0.3
    assert first.negation_rate == pytest.approx(1000 / 14)


def test_curved_and_straight_apostrophes_are_the_same_voice():
    straight, curved = (
        measure(cleaned(f"I{a}m sure it{a}s fine, isn{a}t it? " * 9), MOMENT) for a in "'’"
    )
    assert (straight.contraction_rate, straight.first_person_rate) == (
        curved.contraction_rate,
        curved.first_person_rate,
    )
    assert straight.contraction_rate == pytest.approx(1000 * 3 / 6)


def test_even_sentences_have_no_spread_and_uneven_ones_do():
    even = measure(cleaned("One two three four. Five six seven eight. " * 6), MOMENT)
    uneven = measure(cleaned("One. Two three four five six seven eight. " * 6), MOMENT)
    assert (even.sentence_words, even.sentence_words_spread) == (4, 0)
    assert (uneven.sentence_words, uneven.sentence_words_spread) == (4, 3)


@pytest.mark.parametrize("name", ["vocabulary_richness", "mtld", "yules_k"])
def test_richness_does_not_grow_with_the_length_of_a_text(name):
    whole = [prose(seed, 12) for seed in range(12)]
    short, long = (getattr(measure(cleaned(" ".join(whole[:n])), MOMENT), name) for n in (3, 12))
    assert long == pytest.approx(short, rel=0.35)


def test_poor_and_rich_words_are_told_apart_by_every_measure_of_richness():
    poor = measure(cleaned("the cat saw the dog and the dog saw the cat. " * 20), MOMENT)
    rich = measure(cleaned(" ".join(dict.fromkeys(prose(5, 30).split())) + "."), MOMENT)
    assert poor.vocabulary_richness < rich.vocabulary_richness
    assert poor.mtld < rich.mtld
    assert poor.yules_k > rich.yules_k


def test_lists_headings_and_paragraphs_are_shares_of_the_page():
    row = measure(cleaned("## Tea\n\n- one cup\n- two cups\n1. three\n\nIt gets cold.\n"), MOMENT)
    assert (row.list_share, row.heading_share) == (3 / 5, 1 / 5)
    assert row.paragraph_words == pytest.approx((1 + 5 + 3) / 3)


def test_the_topic_is_the_word_of_the_title_and_the_text():
    row = measure(
        cleaned("# Pools\n\nA pool of connections waits. Pools cost.\n", title="Sizing pools"),
        MOMENT,
    )
    assert row.topic == "pools"
    assert row.topic_bucket == bucket("topic", "pools")
    assert bucket("heading", "sizing") in row.heading_buckets
    assert measure(cleaned("", title=""), MOMENT).topic == ""


def test_age_and_the_pause_before_are_days_and_unknown_where_no_time_is_known():
    texts = [
        cleaned(url=f"https://example.org/{d}/", published_at=MOMENT + timedelta(days=d))
        for d in (9, 2, 5)
    ]
    other = cleaned(
        url="https://example.org/other/", author="ines", published_at=MOMENT + timedelta(days=4)
    )
    undated = cleaned(url="https://example.org/undated/", published_at=None)
    former = former_times([*texts, other, undated])
    at = MOMENT + timedelta(days=10)
    rows = [measure(t, at, former.get(t.id)) for t in [*texts, other, undated]]
    assert [r.age_days for r in rows] == [1, 8, 5, 6, None]
    assert [r.days_since_former for r in rows] == [4, None, 3, None, None]


def test_buckets_are_the_same_for_ever_and_collisions_are_shown():
    assert [bucket("kind", k) for k in ("article", "post", "code")] == KIND_BUCKETS
    pages = [cleaned(url=f"https://host{n}.example/") for n in range(200)]
    found = collisions(pages)
    assert {name: shown["buckets"] for name, shown in found.items()} == dict(BUCKETS)
    hosts = found["host"]
    assert hosts["values"] == 200 and hosts["used"] <= 64
    assert sum(map(len, hosts["shared"].values())) >= 200 - 64
    assert all(bucket("host", h) == int(b) for b, names in hosts["shared"].items() for h in names)
    assert found["kind"]["shared"] == {}
