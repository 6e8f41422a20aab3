"""Cleaning: noise is quarantined, and a world full of it stops before anything is touched."""

from pathlib import Path

import pytest
from own_texts import clean_all, entry, own_world, prose, write_entries

from include import cleaning
from include.documents import open_documents
from include.settings import Settings
from include.validation import ValidationFailed

NUMBERS = " ".join(f"row {n} {n * 7919:012d} {n * 104729:012d}" for n in range(60))


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of three articles."""
    return own_world(settings, tmp_path, *map(entry, range(3)))


def rejected(world: Settings, stage: str) -> list:
    with open_documents(world) as documents:
        return documents.rejected(stage)


def test_a_single_text_that_is_noise_is_quarantined_and_holds_nobody_up(world: Settings) -> None:
    clean_all(world)
    write_entries(world, *map(entry, range(3)), entry(3, NUMBERS))

    assert clean_all(world) == {"cleaned": 0, "rejected": 1, "duplicates": 0, "removed": 0}

    (noise,) = rejected(world, "clean")
    assert (noise.where, noise.reason) == (entry(3)["url"], "letter_share:values-to-be-between")
    write_entries(world, *map(entry, range(5)))
    assert clean_all(world)["cleaned"] == 2 and rejected(world, "clean") == []


def test_a_world_full_of_noise_stops_before_anything_is_touched(
    settings: Settings, tmp_path: Path
) -> None:
    world = own_world(settings, tmp_path, entry(0), *(entry(n, NUMBERS) for n in (1, 2)))

    with pytest.raises(ValidationFailed, match="clean suite refused 2 of 3 rows.*letter_share"):
        clean_all(world)

    assert cleaning.clean_originals(world) == []


BOX = "Subscribe to my small newsletter, one message a month!"


def boxed(number: int, text: str = "") -> dict[str, object]:
    return entry(number, f"{text or prose(number)}\n\n{BOX}")


def texts(world: Settings) -> dict[str, str]:
    return {d.url: d.text for d in cleaning.clean_originals(world)}


def test_pages_that_came_before_their_boilerplate_was_known_are_cleaned_again(
    settings: Settings, tmp_path: Path
) -> None:
    world = own_world(settings, tmp_path, *map(boxed, range(3)))
    assert clean_all(world)["cleaned"] == 3
    assert all(BOX in text for text in texts(world).values())

    write_entries(world, *map(boxed, range(5)))

    assert clean_all(world)["cleaned"] == 5
    assert not any(BOX in text for text in texts(world).values())
    assert clean_all(world) == {"cleaned": 0, "rejected": 0, "duplicates": 0, "removed": 0}


def test_any_order_of_arrival_ends_in_the_same_texts(settings: Settings, tmp_path: Path) -> None:
    world = own_world(settings, tmp_path, *map(boxed, range(5)))
    clean_all(world)
    at_once = cleaning.clean_originals(world)
    write_entries(world, entry(9))
    clean_all(world)

    for count in (3, 5):
        write_entries(world, *map(boxed, reversed(range(5 - count, 5))))
        clean_all(world)

    assert cleaning.clean_originals(world) == at_once


def test_a_refused_document_is_judged_again_when_its_boilerplate_is_known(
    settings: Settings, tmp_path: Path
) -> None:
    short = " ".join(prose(0).split()[:46])
    world = own_world(settings, tmp_path, boxed(0, short), *map(boxed, range(1, 3)))
    assert clean_all(world)["rejected"] == 0  # with the box it is long enough

    write_entries(world, boxed(0, short), *map(boxed, range(1, 6)))
    clean_all(world)
    assert [r.where for r in rejected(world, "clean")] == [entry(0)["url"]]
    assert clean_all(world)["rejected"] == 0  # nothing changed: not judged again, still refused

    write_entries(world, boxed(0, short), entry(1), entry(2), entry(3))
    clean_all(world)

    assert rejected(world, "clean") == [] and len(texts(world)) == 4


def test_a_rule_that_changed_judges_everything_again(world: Settings, monkeypatch) -> None:
    clean_all(world)
    monkeypatch.setattr(cleaning, "MINIMUM_WORDS", {"article": 51, "post": 5, "code": 5})

    assert clean_all(world)["cleaned"] == 3
