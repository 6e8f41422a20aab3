"""The story as a whole: a second run changes nothing, a change goes all the way, a wrong address is a sentence."""

from pathlib import Path

import pytest
from own_texts import entry, own_world, take_in, write_entries

from include import indexing, ingestion, measuring
from include.features import FEATURE_SERVICE, open_features
from include.settings import Settings
from include.vectors import open_vectors
from ml.types import digest


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of three articles."""
    return own_world(settings, tmp_path, *map(entry, range(3)))


def indexed(world: Settings) -> dict[str, str]:
    """Return the passages of the index, with their addresses."""
    with open_vectors(world) as vectors:
        return {found.text: found.url for found, _ in vectors.scan()}


def test_every_verb_run_twice_changes_nothing(world: Settings) -> None:
    first = take_in(world)
    before = indexing.store_digest(world)

    again = take_in(world)

    assert first["embedded"] == first["chunks"] == again["chunks"] >= 3
    assert (again["embedded"], again["deleted"]) == (0, 0)
    assert measuring.store_features(world) == {"rows": 0, "materialized": 0}
    assert indexing.store_digest(world) == before


def test_a_changed_text_replaces_its_passages_and_a_withdrawn_one_takes_them_along(
    world: Settings,
) -> None:
    take_in(world)
    write_entries(world, entry(0), entry(1, entry(7)["text"]))

    said = take_in(world)

    texts = indexed(world)
    assert said["deleted"] >= 2 and set(texts.values()) == {entry(0)["url"], entry(1)["url"]}
    assert any(text.strip() in entry(7)["text"] for text in texts)
    assert not any(text.strip() in entry(n)["text"] for text in texts for n in (1, 2))
    ids = [digest("document", entry(n)["url"]) for n in range(3)]
    with open_features(world) as features:
        assert features.document_features(FEATURE_SERVICE, ids).keys() == set(ids[:2])


def test_an_address_of_a_store_that_is_none_is_a_sentence_that_says_what_to_set(
    world: Settings,
) -> None:
    with pytest.raises(ValueError, match="TWIN_MONGO_URL 'http://x' is no MongoDB address"):
        ingestion.store_documents(world.model_copy(update={"mongo_url": "http://x"}))
    with pytest.raises(ValueError, match="TWIN_VECTORS_URL is 'http://x'.*lancedb:///folder"):
        indexing.index_chunks(world.model_copy(update={"vectors_url": "http://x"}))
