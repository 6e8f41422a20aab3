"""What becomes of refused texts and features: reasons that are kept, and batches that stop."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import MOMENT, PARAGRAPH, chunk, cleaned, document

from include.quality import (
    broken_sources,
    clean_row,
    passage_rows,
    refuse_chunks,
    refuse_cleaned,
    refuse_documents,
    refuse_features,
)
from include.settings import Settings
from include.validation import ValidationFailed
from ml.style import measure
from ml.types import Rejected


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_a_refused_document_is_kept_whole_once_for_each_rule_that_it_broke(world: Settings) -> None:
    good = document()
    bad = replace(document(url="https://example.org/b/"), text="Zu kurz.", language="de")

    refused = refuse_documents(world, [good, bad])

    assert {(r.reason, r.value) for r in refused} == {
        ("characters:values-to-be-between", "8"),
        ("language:values-to-be-in-set", "de"),
    }
    assert {(r.where, r.stage, r.source, r.text, r.revision) for r in refused} == {
        (bad.url, "raw", "blog", "Zu kurz.", bad.revision)
    }


def test_a_text_from_the_future_is_refused_and_one_without_a_date_is_not(world: Settings) -> None:
    undated = document(url="https://example.org/u/", published_at=None)
    ahead = document(url="https://example.org/f/", published_at=MOMENT.replace(year=2027))

    (refused,) = refuse_documents(world, [undated, ahead])

    assert (refused.where, refused.reason) == (ahead.url, "days_ahead:values-to-be-between")
    assert float(refused.value) == 365


def test_a_secret_that_cleaning_missed_goes_no_further(world: Settings) -> None:
    original = document()
    leaky = cleaned(f"{PARAGRAPH}\nghp_{'a' * 36}\n")

    (refused,) = refuse_cleaned(
        world, [clean_row(leaky, original.text)], lambda ids: [original], among=10
    )

    assert (refused.stage, refused.reason) == ("clean", "secret:values-to-be-in-set")
    with pytest.raises(ValidationFailed, match="clean suite refused 1 of 1 rows.*Data Docs"):
        refuse_cleaned(world, [clean_row(leaky, original.text)], lambda ids: [original], among=1)
    assert refuse_cleaned(world, [], lambda ids: [], among=1) == []


def test_what_a_person_released_passes_in_just_that_revision_and_never_with_a_secret(
    world: Settings,
) -> None:
    german, original = replace(document(), language="de"), document()
    leaky = cleaned(f"{PARAGRAPH}\nghp_{'a' * 36}\n")
    released = frozenset({(german.url, german.revision)})

    assert refuse_documents(world, [german], released) == []
    assert refuse_documents(world, [replace(german, title="Anders")], released)
    assert refuse_cleaned(
        world,
        [clean_row(leaky, original.text)],
        lambda ids: [original],
        among=10,
        released=released,
    )


def test_rows_that_stop_a_batch_are_named_so_that_a_person_can_find_them(world: Settings) -> None:
    numbers = cleaned("1234567890 1234567890 a b c d e f")

    with pytest.raises(ValidationFailed) as raised:
        refuse_cleaned(
            world, [clean_row(numbers, numbers.text)], lambda ids: [document(numbers.text)], among=1
        )

    (refused,) = raised.value.rejected
    assert (refused.stage, refused.reason) == (
        "clean-stopped",
        "letter_share:values-to-be-between",
    )


def test_features_out_of_range_are_left_out_and_many_of_them_stop_the_batch(
    world: Settings,
) -> None:
    good = [measure(cleaned(url=f"https://example.org/{n}/"), MOMENT) for n in range(4)]
    bad = replace(good[0], document_id="odd", sentence_words=900.0)

    odd = replace(cleaned(url="https://example.org/odd/"), id="odd")

    (refused,) = refuse_features(world, [*good, bad], lambda ids: [odd], among=5)

    assert (refused.where, refused.revision) == (odd.url, odd.revision)
    assert (refused.stage, refused.reason) == ("feature", "sentence_words:values-to-be-between")
    assert refused.value == "900.0"
    with pytest.raises(ValidationFailed, match="1 of 2 rows: 1 × values-to-be-between on sentence"):
        refuse_features(world, [good[0], bad], lambda ids: [odd], among=2)


def test_only_sources_of_which_too_much_was_bad_are_named_with_their_counts() -> None:
    blog = [document(url=f"https://example.org/{n}/") for n in range(4)]
    posts = [replace(document(url=f"https://posts.example/{n}/"), source="posts") for n in range(2)]
    refused = [Rejected(d.url, "raw", reason) for d in posts for reason in ("a", "b")]
    refused.append(Rejected(blog[0].url, "raw", "a"))

    assert broken_sources(Settings(), [*blog, *posts], refused) == ["posts (2 of 2)"]
    assert broken_sources(Settings(error_budget=0.2), [*blog, *posts], refused) == [
        "blog (1 of 4)",
        "posts (2 of 2)",
    ]


def test_a_document_with_a_passage_that_would_be_cut_off_is_refused_whole(world: Settings) -> None:
    text = PARAGRAPH * 3
    halves = [chunk(text[:300], document=cleaned(text)), chunk(text[300:], document=cleaned(text))]
    whole = replace(halves[0], end=300)
    rest = replace(halves[1], id="rest", start=300, end=len(text))

    def offsets(said: str) -> list[tuple[int, int]]:
        return [(0, 0)] * len(said.split())

    good = passage_rows(cleaned(text), [whole, rest], offsets, 500)
    cut = passage_rows(cleaned(text), [whole, rest], offsets, 20)
    lost = passage_rows(cleaned(text), [whole], offsets, 500)
    moved = passage_rows(cleaned(text), [whole, replace(rest, start=299)], offsets, 500)

    def reasons(rows) -> set[str]:
        return {r.reason for r in refuse_chunks(world, rows, lambda ids: [document()], among=10)}

    assert reasons(good) == set()
    assert reasons(cut) == {"tokens_over:values-to-be-between"}
    assert reasons(lost) == {"lost:values-to-be-between"}
    assert reasons(moved) == {"in_place:values-to-be-in-set"}
    with pytest.raises(ValidationFailed, match="chunk suite refused 1 of 2 rows"):
        refuse_chunks(world, cut, lambda ids: [document()], among=1)
