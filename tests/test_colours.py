"""The colours of an index, one contract on two stores: colours_weaviate and colours_lance."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_texts import entry, index_all, own_world
from test_vectors import AXES, E, fill, found, passage, ready_weaviate, world  # noqa: F401

from include.colours import (
    Colour,
    Colours,
    colour_of,
    from_text,
    live_colour,
    settings_of,
    to_text,
    wanted_colour,
)
from include.indexing import index_chunks
from include.reconciling import reconcile_stores
from include.settings import Settings
from include.vectors import collection_name, open_colours, open_vectors
from ml.types import digest

KINDS = [(s, q) for s in ("hnsw", "flat") for q in ("none", "pq", "bq", "sq", "rq")]
REFUSED = {
    "weaviate": {("flat", "pq"), ("flat", "sq")},
    "lancedb": {("hnsw", "bq"), ("hnsw", "rq"), ("flat", "bq")},
}


@pytest.fixture
def colours(world: Settings) -> Iterator[Colours]:  # noqa: F811
    with open_colours(world) as opened:
        yield opened


def colour(world: Settings, fingerprint: str = "f1", **changes: object) -> Colour:  # noqa: F811
    return Colour(collection_name(world.mongo_database), fingerprint, "tiny", **changes)


def store_name(world: Settings) -> str:  # noqa: F811
    return "lancedb" if world.vectors_url else "weaviate"


def test_nothing_is_there_before_the_first_write(colours, world):  # noqa: F811
    assert (colours.all(), colours.live_name(), live_colour(colours)) == ([], "", None)
    assert colours.store().count() == colours.store(colour(world)).count() == 0
    colours.drop("Chunks_unknown")
    assert colours.all() == []


def test_the_alias_moves_every_reader_at_once_and_neither_colour_changes(colours, world):  # noqa: F811
    blue, green = colour(world, "f1"), colour(world, "f2")
    with open_vectors(world) as reader:
        fill(colours.store(blue), passage("one"))
        assert reader.count() == 0
        colours.point(blue.name)
        assert found(reader.dense(E[0], limit=5)) == ["one"]
        colours.store(green).upsert([passage("two")], np.ones((1, 3), dtype=np.float32))
        assert (found(reader.dense(E[0], limit=5)), colours.live_name()) == (["one"], blue.name)
        colours.point(green.name)
        assert found(reader.dense(np.ones(3, dtype=np.float32), limit=5)) == ["two"]
        colours.point(blue.name)
        assert found(reader.search("one", E[0], limit=5)) == ["one"]
    assert {c.name for c in colours.all()} == {blue.name, green.name}


def test_what_is_noted_of_a_colour_comes_back_the_newest_publication_first(colours, world):  # noqa: F811
    old, new = colour(world, "f1"), colour(world, "f2", distance="dot")
    for made in (old, new):
        fill(colours.store(made), passage("one"))
    told = replace(old, published="2026-01-01", probe_share=0.5, probes=(("title", "c1", 3),))
    colours.note(told)
    colours.note(replace(new, published="2026-01-02", withdrawn=True))

    with open_colours(world) as again:
        assert again.all() == [replace(new, published="2026-01-02", withdrawn=True), told]
    assert from_text(to_text(told)) == told
    assert from_text("") is from_text("Chunks") is from_text("[1]") is from_text(None) is None


def test_erasing_and_counting_reach_every_colour(colours, world):  # noqa: F811
    both = passage("one", document_id="d1"), passage("two")
    for made in (colour(world, "f1"), colour(world, "f2")):
        fill(colours.store(made), *both)
    colours.point(colour(world, "f1").name)

    with open_vectors(world) as vectors:
        assert vectors.holds("d1") == 2
        assert vectors.purge(["d1"]) == 2 and vectors.holds("d1") == 0
    assert [colours.store(c).count() for c in colours.all()] == [1, 1]


@pytest.mark.parametrize("killed", ["note", "point", "drop"])
def test_an_erasure_in_weaviate_that_was_killed_is_finished_by_the_next_one(
    ready_weaviate: tuple[int, int],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed: str,
) -> None:
    http, grpc = ready_weaviate
    ports = {"weaviate_port": http, "weaviate_grpc_port": grpc}
    own = Settings(data_dir=tmp_path, mongo_database=f"k{uuid.uuid4().hex[:8]}", **ports)
    blue = colour(own)
    with open_colours(own) as colours:
        fill(colours.store(blue), passage("one", document_id="d1"), passage("two"))
        colours.note(replace(blue, published="2026-01-01"))
        colours.point(blue.name)
        with monkeypatch.context() as broken, open_vectors(own) as vectors:
            broken.setattr(
                type(colours), killed, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
            )
            with pytest.raises(KeyboardInterrupt):
                vectors.purge(["d1"])
            assert vectors.holds("d1") == 1 and vectors.count() >= 1

        with open_vectors(own) as vectors:
            assert vectors.purge(["d1"]) == 1 and vectors.holds("d1") == 0
            assert found(vectors.dense(E[1], limit=5)) == ["two"]
        (left,) = colours.all()
        assert (left.build, left.copy, left.published) == (blue.name, 1, "2026-01-01")
        assert colours.live_name() == left.name == f"{blue.name}_1"


def test_a_copy_of_a_colour_is_the_same_build_and_goes_on_where_it_was(
    settings: Settings,
    ready_weaviate: tuple[int, int],  # noqa: F811
    tmp_path: Path,
) -> None:
    http, grpc = ready_weaviate
    ports = {"vectors_url": "", "weaviate_port": http, "weaviate_grpc_port": grpc}
    own = own_world(settings.model_copy(update=ports), tmp_path, *map(entry, range(3)))
    index_all(own)
    document = digest("document", str(entry(0)["url"]))
    with open_vectors(own) as vectors:
        assert vectors.purge([document]) >= 1
        before = vectors.count()

    said = index_chunks(own)

    assert (said["embedded"], said["reused"], said["published"]) == (0, 0, False)
    assert str(said["colour"]).endswith("_1") and said["chunks"] == before
    repaired = reconcile_stores(own)
    assert repaired["missing"] >= 1 and reconcile_stores(own)["missing"] == 0


def test_a_dropped_colour_is_gone_and_the_others_stay(colours, world):  # noqa: F811
    kept, dropped = colour(world, "f1"), colour(world, "f2")
    for made in (kept, dropped):
        fill(colours.store(made), passage("one"))
    colours.drop(dropped.name)

    assert [c.name for c in colours.all()] == [kept.name]
    assert (colours.store(dropped).count(), colours.store(kept).count()) == (0, 1)


def test_after_the_live_colour_was_dropped_the_next_write_begins_anew(colours, world):  # noqa: F811
    with open_vectors(world) as vectors:
        fill(vectors, passage("one"))
        colours.drop(colours.live_name())
        assert (colours.live_name(), vectors.count()) == ("", 0)
        fill(vectors, passage("two"))
        assert found(vectors.dense(E[0], limit=5)) == ["two"]


def test_worlds_do_not_see_each_others_colours(colours, world):  # noqa: F811
    fill(colours.store(colour(world)), passage("one"))
    other = world.model_copy(update={"mongo_database": f"{world.mongo_database}_x"})
    with open_colours(other) as theirs:
        assert theirs.all() == []


@pytest.mark.parametrize("distance", ["cosine", "dot", "l2", "manhattan"])
def test_every_distance_ranks_and_scores_as_it_says(world, distance):  # noqa: F811
    asked = world.model_copy(update={"vectors_distance": distance})
    if store_name(world) == "lancedb" and distance == "manhattan":
        with pytest.raises(ValueError, match="LanceDB has no hnsw.*TWIN_VECTORS_DISTANCE"):
            open_vectors(asked)
        return
    vectors = AXES[:3] * np.array([[1.0], [2.0], [0.5]], dtype=np.float32)
    question = np.array([1, 0.9, 0.8, 0, 0, 0, 0, 0], dtype=np.float32)
    exact = {
        "cosine": vectors @ question / np.linalg.norm(question) / np.linalg.norm(vectors, axis=1),
        "dot": vectors @ question,
        "l2": -((vectors - question) ** 2).sum(axis=1),
        "manhattan": -np.abs(vectors - question).sum(axis=1),
    }[distance]
    with open_vectors(asked) as store:
        store.upsert([passage(w) for w in ("one", "two", "three")], vectors)
        hits = store.dense(question, limit=3)
    assert [h.score for h in hits] == pytest.approx(sorted(exact, reverse=True), abs=1e-4)


@pytest.mark.parametrize(("structure", "quantizer"), KINDS)
def test_every_kind_of_index_finds_its_own_vectors_or_is_refused(
    world,  # noqa: F811
    monkeypatch,
    structure,
    quantizer,
):
    monkeypatch.setattr("include.vectors_lance.INDEXED_FROM", 256)
    asked = world.model_copy(update={"vectors_index": structure, "vectors_quantizer": quantizer})
    if (structure, quantizer) in REFUSED[store_name(world)]:
        with pytest.raises(
            ValueError, match=f"no {structure} index with the quantiser {quantizer}"
        ):
            open_vectors(asked)
        return
    vectors = np.random.default_rng(5).standard_normal((300, 16)).astype(np.float32)
    with open_vectors(asked) as store:
        store.upsert([passage(f"p{i}") for i in range(300)], vectors)
        own = [store.dense(vectors[i], limit=1)[0] for i in range(0, 300, 60)]
    assert found(own) == [f"p{i}" for i in range(0, 300, 60)]
    assert [h.score for h in own] == pytest.approx([1.0] * 5, abs=1e-4)


@pytest.mark.parametrize("quantizer", ["sq", "rq"])
def test_what_a_server_would_refuse_only_when_asked_is_refused_at_once(world, quantizer):  # noqa: F811
    asked = {"vectors_distance": "manhattan", "vectors_quantizer": quantizer}
    with pytest.raises(ValueError, match=f"the quantiser {quantizer} and the distance manhattan"):
        open_vectors(world.model_copy(update=asked))


def test_the_live_colour_is_chosen_where_it_fits_else_the_newest_that_does(world):  # noqa: F811
    first, second = (
        colour(world, "f1", published="1"),
        colour(world, "f1", distance="dot", published="2"),
    )
    other, unpublished = colour(world, "f2", published="3"), colour(world, "f3")
    known = [other, second, first, unpublished]

    assert colour_of(known, first.name, "f1") == first
    assert colour_of(known, other.name, "f1") == second
    assert colour_of(known, first.name, "f3") is colour_of([], "", "f1") is None


def test_a_colour_knows_the_settings_that_it_was_made_with():
    made_with = Settings(embedder="some/model", embedder_precision="int8", chunk_tokens=60)
    made = wanted_colour(made_with, "Chunks_twin", "f1")

    assert settings_of(made, Settings()) == made_with
    assert settings_of(from_text(to_text(made)), Settings()) == made_with
