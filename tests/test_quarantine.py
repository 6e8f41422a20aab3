"""The quarantine: a person sees what was refused, lets it pass with a reason, and it goes all the way."""

from pathlib import Path

import pytest
from own_texts import clean_all, entry, own_world, write_entries

from include import cleaning, ingestion
from include.documents import open_documents
from include.quarantine import list_quarantine, release_quarantined, replay_quarantined
from include.settings import Settings
from include.validation import ValidationFailed

GERMAN = entry(7, language="de")
NUMBERS = " ".join(f"row {n} {n * 7919:012d} {n * 104729:012d}" for n in range(60))
NOISE = entry(8, NUMBERS)


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of three articles, one in another language and one that is noise, taken in."""
    world = own_world(settings, tmp_path, *map(entry, range(3)), GERMAN, NOISE)
    clean_all(world)
    return world


def urls(world: Settings) -> set[str]:
    return {d.url for d in cleaning.clean_originals(world)}


def test_a_person_sees_what_was_refused_at_which_stage_and_why(world: Settings) -> None:
    found = list_quarantine(world)

    assert found["texts"] == 2
    assert found["reasons"] == {
        "raw: language:values-to-be-in-set": 1,
        "clean: letter_share:values-to-be-between": 1,
    }
    raw = {"url": GERMAN["url"], "stage": "raw", "reasons": "language:values-to-be-in-set"}
    assert {**raw, "value": "de"} in found["first"]
    assert list_quarantine(world, "clean", "*/9/")["texts"] == 0


def test_a_released_text_goes_all_the_way_and_who_let_it_pass_is_kept(world: Settings) -> None:
    said = release_quarantined(world, "raw", str(GERMAN["url"]), "maren", "a poem of mine")
    again = replay_quarantined(world, "raw", "*")
    cleaning.clean_documents(world)

    assert (said, again["stored"]) == ({"released": 1, "kept": {}}, 1)
    assert GERMAN["url"] in urls(world) and list_quarantine(world, "raw")["texts"] == 0
    assert release_quarantined(world, "raw", "*", "maren", "again")["released"] == 0
    with open_documents(world) as documents:
        (kept,) = documents.releases()
    assert (kept.url, kept.who, kept.why) == (GERMAN["url"], "maren", "a poem of mine")
    write_entries(world, *map(entry, range(3)), GERMAN | {"text": str(entry(9)["text"])}, NOISE)
    ingestion.crawl_source(world, "own")
    assert ingestion.store_documents(world)["quarantined"] == 1


def test_what_is_replayed_without_a_release_is_judged_as_before(world: Settings) -> None:
    assert replay_quarantined(world) == {
        "raw": 1,
        "clean": 1,
        "chunk": 0,
        "feature": 0,
        "stored": 0,
    }
    cleaning.clean_documents(world)

    assert list_quarantine(world)["texts"] == 2 and NOISE["url"] not in urls(world)


def test_noise_that_somebody_wants_is_cleaned_again_and_kept(world: Settings) -> None:
    release_quarantined(world, "clean", "https://own.example/*", "maren", "a table of readings")
    replay_quarantined(world, "clean")

    assert cleaning.clean_documents(world)["cleaned"] == 1
    assert NOISE["url"] in urls(world)


def test_a_batch_that_was_stopped_goes_on_once_a_person_has_let_enough_of_it_pass(
    settings: Settings, tmp_path: Path
) -> None:
    noise = [entry(n, f"{NUMBERS} {n}") for n in (1, 2)]
    world = own_world(settings, tmp_path, entry(0), *noise)
    for _ in range(2):
        with pytest.raises(ValidationFailed, match="clean suite refused 2 of 3"):
            clean_all(world)
    assert list_quarantine(world, "clean")["texts"] == 2

    release_quarantined(world, "clean", "*", "maren", "both are tables that I want")
    replay_quarantined(world, "clean")

    assert cleaning.clean_documents(world)["cleaned"] == 3


def test_a_secret_is_never_let_pass_nor_shown(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"ghp_{'a' * 36}"
    monkeypatch.setattr("ml.text.redact_parts", lambda texts, *_: (list(texts), {}))
    write_entries(world, *map(entry, range(6)), entry(9, f"{entry(9)['text']} {secret}"))
    clean_all(world)
    found = list_quarantine(world, "clean", "*/9/")

    said = release_quarantined(world, "clean", "*/9/", "maren", "please")

    assert said["released"] == 0 and "holds a secret" in said["kept"][entry(9)["url"]]
    assert found["first"][0]["value"] == "(not shown)" and secret not in str(found)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("raw", "*", "maren", " "), ValueError, "names who gives it and why"),
        (("raw", "*/nowhere/", "maren", "so"), LookupError, "Nothing like '\\*/nowhere/'"),
        (("row", "*", "maren", "so"), ValueError, "no stage 'row'; use one of raw, clean"),
    ],
)
def test_a_release_that_makes_no_sense_is_a_sentence(settings, arguments, error, said) -> None:
    with pytest.raises(error, match=said):
        release_quarantined(settings, *arguments)


def test_what_has_no_text_to_let_through_says_so(settings: Settings, tmp_path: Path) -> None:
    strangers = entry(5, author="Somebody Else")
    world = own_world(settings, tmp_path, *map(entry, range(5)), strangers)
    ingestion.crawl_source(world, "own")

    said = release_quarantined(world, "crawl", "*", "maren", "I know them")

    assert said["released"] == 0 and "mend it at its source" in said["kept"][strangers["url"]]
