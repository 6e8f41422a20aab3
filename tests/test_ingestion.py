"""Taking in: bad sources and bad texts are sentences, and never stop the good ones."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import free_port
from own_texts import entry, own_source, own_world, with_sources, write_entries

from include import ingestion
from include.documents import open_documents
from include.settings import Settings
from include.validation import ValidationFailed

GERMAN = {"language": "de"}


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of three articles."""
    return own_world(settings, tmp_path, *map(entry, range(3)))


def rejected(world: Settings, stage: str) -> list:
    with open_documents(world) as documents:
        return documents.rejected(stage)


def said_by(world: Settings, source: str) -> str:
    """Crawl a source; returns what was wrong with it."""
    try:
        ingestion.crawl_source(world, source)
    except (ValueError, ConnectionError) as error:
        return str(error)
    return ""


def test_a_bad_source_is_a_sentence_and_never_stops_the_others(
    settings: Settings, tmp_path: Path
) -> None:
    away = f"127.0.0.1:{free_port()}"
    (tmp_path / "spoilt.jsonl").write_text('{"url": "https://own.example/", "title": 7}')
    sources = (
        own_source("phone", kind="gopher"),
        own_source("away", kind="feed", where=f"http://{away}/feed.xml"),
        own_source("spoilt"),
        own_source("own"),
    )
    world = with_sources(settings, tmp_path, *sources, entries=(entry(1),))
    world = world.model_copy(update={"crawl_allow_hosts": away})

    said = {source: said_by(world, source) for source in ingestion.list_sources(world)}

    assert "unknown kind 'gopher'; use one of: feed, sitemap" in said["phone"]
    assert f"http://{away}/feed.xml" in said["away"]
    assert "spoilt.jsonl" in said["spoilt"] and "malformed at line 1" in said["spoilt"]
    assert said["own"] == "" and ingestion.store_documents(world)["new"] == 1


def test_half_a_character_in_an_export_stops_nothing(settings: Settings, tmp_path: Path) -> None:
    world = own_world(settings, tmp_path, entry(1, "An emoji was cut here: \ud83d"))

    assert ingestion.crawl_source(world, "own")["fetched"] == 1


def test_two_bad_texts_of_fifty_are_quarantined_and_the_others_go_on(
    settings: Settings, tmp_path: Path
) -> None:
    bad = [entry(n, **GERMAN) for n in (48, 49)]
    world = own_world(settings, tmp_path, *map(entry, range(48)), *bad)
    ingestion.crawl_source(world, "own")

    stored = ingestion.store_documents(world)

    assert stored == {"new": 48, "changed": 0, "unchanged": 0, "quarantined": 2, "broken": []}
    assert ingestion.check_ingestion(world) == {"broken": 0}
    assert {(r.where, r.reason, r.value) for r in rejected(world, "raw")} == {
        (e["url"], "language:values-to-be-in-set", "de") for e in bad
    }
    assert ingestion.crawl_source(world, "own")["fetched"] == 0


def test_a_source_of_which_nothing_is_good_turns_the_run_red(
    settings: Settings, tmp_path: Path
) -> None:
    world = own_world(settings, tmp_path, *(entry(n, **GERMAN) for n in range(50)))
    ingestion.crawl_source(world, "own")

    stored = ingestion.store_documents(world)

    assert (stored["new"], stored["quarantined"]) == (0, 50)
    with pytest.raises(ValidationFailed, match=r"own \(50 of 50\); 30% are allowed"):
        ingestion.check_ingestion(world)


def test_a_crawl_of_which_most_is_refused_fails_but_keeps_what_was_good(
    settings: Settings, tmp_path: Path
) -> None:
    strangers = [entry(n, author="Somebody Else") for n in (1, 2)]
    world = own_world(settings, tmp_path, entry(0), *strangers)

    with pytest.raises(ValidationFailed, match="1 of 3 texts could be read from own.*other-author"):
        ingestion.crawl_source(world, "own")

    assert ingestion.store_documents(world)["new"] == 1


def test_a_source_with_a_schedule_is_due_when_its_time_came_round(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "rare.jsonl").write_text(json.dumps(entry(2)))
    sources = own_source("own"), own_source("rare", schedule="0 0 1 1 *")
    world = with_sources(settings, tmp_path, *sources, entries=(entry(1),))
    assert ingestion.list_sources(world) == ["own", "rare"]

    ingestion.crawl_source(world, "rare")
    assert ingestion.list_sources(world) == ["own", "rare"], "what waits to be judged is due"
    ingestion.store_documents(world)
    assert ingestion.list_sources(world) == ["own"]
    assert ingestion.crawl_source(world, "rare")["unchanged"] == 1

    with open_documents(world) as documents:
        documents.put_run(
            "crawl_source", "rare", {"source": "rare"}, datetime(2020, 1, 1, tzinfo=UTC)
        )
    assert ingestion.list_sources(world) == ["own", "rare"]


def test_the_clock_finds_sources_without_a_schedule_due_when_a_moment_of_its_own_came(
    world: Settings,
) -> None:
    ingestion.crawl_source(world, "own")
    ingestion.store_documents(world)

    assert ingestion.list_sources(world) == ["own"]
    assert ingestion.list_sources(world, "0 0 1 1 *") == []
    crawled_at(world, datetime(2020, 1, 1, tzinfo=UTC))
    assert ingestion.list_sources(world, "0 0 1 1 *") == ["own"]


def crawled_at(world: Settings, at: datetime) -> None:
    """Date the last crawl, and the last try, of the source."""
    with open_documents(world) as documents:
        for verb in ("crawl_source", "crawl_attempt"):
            documents.put_run(verb, "own", {"source": "own"}, at)


def test_a_crawl_that_failed_is_due_again_for_whoever_asks_and_for_the_clock_on_another_day(
    settings: Settings, tmp_path: Path
) -> None:
    world = with_sources(settings, tmp_path, own_source("own", schedule="0 0 1 1 *"))

    assert "0 of 0 texts could be read" in said_by(world, "own")
    assert ingestion.list_sources(world) == ["own"]
    with open_documents(world) as documents:
        now, then = datetime.now(UTC), datetime(2020, 1, 1, tzinfo=UTC)
        documents.put_run("crawl_attempt", "own", {"source": "own"}, now + timedelta(days=1))
        assert ingestion.list_sources(world, "daily") == []
        documents.put_run("crawl_attempt", "own", {"source": "own"}, then)
    assert ingestion.list_sources(world, "daily") == ["own"]


def test_a_source_that_suddenly_has_little_takes_nothing_away_until_it_stays_so(
    settings: Settings, tmp_path: Path
) -> None:
    world = own_world(settings, tmp_path, *map(entry, range(5)))
    for _ in range(3):
        ingestion.crawl_source(world, "own")
        ingestion.store_documents(world)
    write_entries(world, entry(0), entry(1))

    for _ in range(3):
        with pytest.raises(ValidationFailed, match="has 2 texts, 5 are usual: nothing is taken"):
            ingestion.crawl_source(world, "own")
    with open_documents(world) as documents:
        assert len(documents.active()) == 5

    assert ingestion.crawl_source(world, "own")["gone"] == 3
