"""Blue and green: what goes live, what is refused, what is kept, and the way back."""

from pathlib import Path

import numpy as np
import pytest
from builders import model_version
from own_texts import know

from include import indexing, registry
from include.publishing import list_indexes, rollback_index
from include.reconciling import reconcile_stores
from include.settings import Settings
from include.vectors import open_colours
from ml.fingerprint import model_fingerprint


@pytest.fixture
def world(settings: Settings) -> Settings:
    """Make a world of five clean articles, of which nothing is in the index."""
    know(settings, *range(5))
    return settings


def colour(world: Settings, **changes: object) -> dict:
    """Build the index with other settings; returns what indexing said."""
    return indexing.index_chunks(world.model_copy(update=changes))


def live(world: Settings) -> str:
    with open_colours(world) as colours:
        return colours.live_name()


def test_a_published_colour_keeps_what_it_was_made_of_and_how_its_probes_fared(
    world: Settings,
) -> None:
    said = colour(world)

    (told,) = list_indexes(world)
    with open_colours(world) as colours:
        (known,) = colours.all()
    assert told["live"] and told["colour"] == said["colour"] == known.name
    assert (told["embedder"], told["chunks"]) == (world.embedder, said["chunks"])
    assert known.fingerprint == indexing.index_mark(world)
    assert told["probe_share"] >= 0.8 and len(known.probes) == 5
    assert {kind for kind, _, _ in known.probes} == {"title", "sentence"}
    assert all(0 < rank <= 10 for _, _, rank in known.probes)


def test_a_colour_whose_probes_fail_never_goes_live_and_the_old_one_stays(
    settings: Settings,
) -> None:
    know(settings, *range(30))
    before = colour(settings)["colour"]
    with pytest.raises(ValueError, match=f"24 probes .* 101%.*{before} stays live"):
        colour(settings, vectors_distance="dot", probe_share=1.01)
    with open_colours(settings) as colours:
        (new,) = [c for c in colours.all() if not c.published]
        chunks, embeddings = zip(*colours.store(new).scan(), strict=True)
        colours.store(new).upsert(chunks, np.roll(np.stack(embeddings), 1, axis=0))

    with pytest.raises(ValueError, match=r"asks for 80%\); .* stays live. Look at the embedder"):
        colour(settings, vectors_distance="dot")

    assert [(c["colour"], c["live"]) for c in list_indexes(settings)] == [
        (before, True),
        (new.name, False),
    ]


def test_a_rollback_holds_until_something_new_is_published(world: Settings) -> None:
    first = colour(world)["colour"]
    second = colour(world, vectors_distance="dot")["colour"]
    assert rollback_index(world)["colour"] == first == live(world)

    again = colour(world, vectors_distance="dot")
    assert (again["published"], again["embedded"], again["colour"]) == (False, 0, first)
    with pytest.raises(LookupError, match="no colour before"):
        rollback_index(world)
    third = colour(world, vectors_distance="l2")
    assert third["published"] and live(world) == third["colour"] not in (first, second)
    assert not any(c["withdrawn"] for c in list_indexes(world))
    assert colour(world, vectors_distance="dot")["colour"] == second == live(world)


def test_a_person_brings_any_kept_colour_back_by_its_name(world: Settings) -> None:
    first = colour(world)["colour"]
    second = colour(world, vectors_distance="dot")["colour"]
    rollback_index(world)

    assert rollback_index(world, second[-8:]) | {"chunks": 0} == {
        "colour": second,
        "before": first,
        "chunks": 0,
    }
    assert [(c["live"], c["withdrawn"]) for c in list_indexes(world)] == [
        (True, False),
        (False, False),
    ]
    with pytest.raises(LookupError, match=f"'nobody'; there are: {second}, {first}"):
        rollback_index(world, "nobody")


def test_without_an_index_there_is_nothing_to_go_back_to(world: Settings) -> None:
    assert list_indexes(world) == []
    with pytest.raises(LookupError, match="run the DAG build_features first"):
        rollback_index(world)


def test_the_last_three_colours_are_kept_and_older_ones_dropped(world: Settings) -> None:
    names = [colour(world)["colour"]]
    for changes in (
        {"vectors_distance": "dot"},
        {"vectors_distance": "l2"},
        {"vectors_index": "flat"},
    ):
        names.append(colour(world, **changes)["colour"])

    kept = [c["colour"] for c in list_indexes(world)]

    assert kept == names[:0:-1]
    assert reconcile_stores(world)["orphans"] == 0


def test_the_colour_that_the_champion_was_made_for_is_never_dropped(
    world: Settings, tmp_path: Path
) -> None:
    needed = colour(world)["colour"]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "adapter_model.safetensors").write_bytes(b"weights")
    mark = model_fingerprint(indexing.index_mark(world), "tiny")
    registry.publish_model(world, tmp_path / "model", model_version("m1", mark))
    registry.move_champion(world, "m1")
    smaller = world.model_copy(update={"chunk_tokens": 60})
    know(smaller, 0)
    for distance in ("cosine", "dot", "l2"):
        colour(smaller, vectors_distance=distance)

    kept = [c["colour"] for c in list_indexes(smaller)]

    assert len(kept) == 4 and kept[-1] == needed
