"""The answer path over open doors: what was away is opened again, and an answer outlives a lost trace."""

import asyncio
import json
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import free_port
from llm_server import llm_server
from serving_world import POST, QUESTION, SOURCE_URL, UNKNOWN, ready_slot
from small_embedders import DIMENSIONS, make_embedder

from include import expanding
from include.embedding_cache import open_embedder
from include.indexing import index_mark
from include.running import running
from include.services import mongo_service
from include.vectors import open_colours, open_vectors
from include.vectors_lance import LanceVectors
from ml.answer import Ask
from ml.laps import ORDER
from ml.prompts import PROMPT_VERSION
from ml.types import Feedback
from serving.slot import Slot
from serving.traces import new_trace
from serving.twin import LocalSpeaker, NoModel, Twin, describe

OPTIONS = {"max_tokens": 6, "temperature": 2.0, "top_p": 1.0, "seed": 1, "stop": ()}


@pytest.fixture(scope="module")
def world(served):
    return served[0]


@pytest.fixture(scope="module")
def shared(world):
    """Open one twin for the tests that only read."""
    twin = Twin(world)
    yield twin
    twin.close()


@pytest.fixture
def twin(world):
    twin = Twin(world)
    yield twin
    twin.close()


@pytest.fixture(scope="module")
def speaker(served):
    return LocalSpeaker(ready_slot(*served))


def ask(twin, question=QUESTION, **options):
    return Ask(question, twin.settings.author, **options)


def collect(speaker, messages, options=OPTIONS):
    async def listen():
        return [event async for event in speaker.stream(messages, options)]

    return asyncio.run(listen())


def test_a_question_finds_its_article_and_the_authors_style(shared):
    ready = shared.prepare(ask(shared))

    assert ready.sources[0].url == SOURCE_URL
    assert "writing twin of Maren Oduya" in ready.messages[0].content
    assert "words a sentence" in ready.messages[0].content
    assert (ready.how["route"], ready.how["prompt"], ready.how["index"]) == (
        "knowledge",
        PROMPT_VERSION,
        index_mark(shared.settings),
    )


def test_every_moment_before_the_first_words_belongs_to_a_step(twin):
    started = time.monotonic()
    first, whole = twin.prepare(ask(twin)), time.monotonic() - started
    greeting = twin.prepare(ask(twin, "Hello!"))

    # The first question opens index, embedder and features: much longer than anything else.
    assert 0.9 * whole < sum(first.seconds.values()) < whole
    assert list(first.seconds) == [*ORDER[: ORDER.index("cite")], "cite"]
    assert list(greeting.seconds) == ["understand", "retrieve", "render"]


def test_other_words_come_from_the_language_model_that_is_named(world, monkeypatch):
    monkeypatch.setattr(expanding, "PATIENCE", 30.0)
    steps = Ask("", "").steps | {"expand"}
    with llm_server(lambda body: "Files that make writes") as server:
        twin = Twin(world.model_copy(update={"llm_url": server.url, "llm_model": "other"}))
        ready, usual = twin.prepare(ask(twin, steps=steps)), twin.prepare(ask(twin))
        twin.close()

    assert ready.how["variants"] == {"texts": ["Files that make writes"], "by": "other"}
    assert ready.sources[0].url == SOURCE_URL
    assert usual.how["variants"] == {"texts": [], "by": ""}
    assert len(server.asked) == 1


def test_what_the_author_never_wrote_about_is_not_guessed(shared):
    ready = shared.prepare(ask(shared, UNKNOWN))

    assert ready.abstained
    assert ready.sources == ()


def test_nobody_elses_texts_are_found(shared):
    hits = shared.retrieve(ask(shared, "Your Makefile lies", limit=50))

    assert hits
    assert {h.chunk.author for h in hits} == {"maren-oduya"}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"kind": "post"}, lambda chunk: chunk.url == POST["url"]),
        ({"kind": "article"}, lambda chunk: chunk.kind == "article"),
        (
            {"since": datetime(2024, 1, 1, tzinfo=UTC), "until": datetime(2025, 1, 1, tzinfo=UTC)},
            lambda chunk: chunk.published_at.year == 2024,
        ),
    ],
)
def test_a_search_keeps_to_its_filters(shared, filters, found):
    hits = shared.retrieve(ask(shared, limit=50, **filters))

    assert hits
    assert all(found(h.chunk) for h in hits)


def test_the_size_of_the_index_is_counted(shared, world):
    with open_vectors(world) as vectors:
        assert shared.index_size() == vectors.count() > 20


def test_a_closed_twin_opens_its_doors_again(twin):
    before = twin.prepare(ask(twin)).sources
    twin.close()
    twin.close()

    assert twin.prepare(ask(twin)).sources == before


def test_an_index_that_was_away_is_opened_again(twin, monkeypatch):
    search, broken = LanceVectors.search, []

    def fail_once_and_for_all(self, *given, **options):
        broken[:] = broken or [self]
        if self is broken[0]:
            raise ConnectionError("The index went away.")
        return search(self, *given, **options)

    monkeypatch.setattr(LanceVectors, "search", fail_once_and_for_all)

    with pytest.raises(ConnectionError, match="went away"):
        twin.prepare(ask(twin))
    assert twin.prepare(ask(twin)).sources[0].url == SOURCE_URL


def test_a_model_keeps_its_own_colour_and_embedder_while_another_goes_live(world, tmp_path):
    shutil.copytree(Path(world.vectors_url.removeprefix("lancedb://")), tmp_path / "vectors")
    alone = world.model_copy(update={"vectors_url": f"lancedb://{tmp_path}/vectors"})
    own, twin = index_mark(world), Twin(alone)
    before = twin.prepare(ask(twin), index=own)
    small = alone.model_copy(update={"embedder": str(make_embedder(tmp_path / "small", seed=1))})
    with open_colours(small) as colours:
        (old,) = colours.all()
        chunks = list(colours.store(old).chunks())
        new = replace(old, fingerprint="new", embedder=small.embedder, published="9999")
        vectors = open_embedder(small).encode([c.text for c in chunks])
        colours.store(new).upsert(chunks, vectors)
        colours.note(new)
        colours.point(new.name)

    after = twin.prepare(ask(twin), index=own)

    assert after.sources == before.sources and before.sources[0].url == SOURCE_URL
    assert twin.embedder.dimensions == DIMENSIONS != open_embedder(world).dimensions
    assert twin.index_size() == len(chunks)
    assert twin.retrieve(ask(twin)) and twin.prepare(ask(twin), index="new").chunk_ids
    eight = Twin(alone.model_copy(update={"embedder_precision": "int8"}))
    assert eight.prepare(ask(eight), index=own).chunk_ids == before.chunk_ids
    assert {name for name, _ in eight._embedders} == {world.embedder}
    assert {precision for _, precision in eight._embedders} == {"fp32"}
    eight.close()
    with pytest.raises(NoModel, match="No colour of the index with the fingerprint 000000000000"):
        twin.prepare(ask(twin), index="0" * 32)
    twin.close()


def test_a_missing_style_is_named_with_what_to_run(shared):
    with pytest.raises(NoModel, match="No style of author nobody is online.*store_features"):
        shared.prepare(Ask(QUESTION, "nobody"))


def test_an_answer_outlives_a_mongodb_that_is_away_and_the_next_trace_is_kept(
    world, tmp_path, monkeypatch
):
    monkeypatch.setattr("include.documents.CONNECT_MILLISECONDS", 300)
    alone = world.model_copy(update={"mongo_port": free_port(), "data_dir": tmp_path})
    twin, service = Twin(world), mongo_service(alone)
    twin.settings = alone.model_copy(update={"data_dir": world.data_dir})
    traces = []
    for folder in (tmp_path / "before", tmp_path / "after"):
        ready = twin.prepare(ask(twin))
        traces.append(new_trace(QUESTION, "It does not.", "m1", ready, {"generate": 0.5}))
        twin.remember(traces[-1])
        with running(service, folder):
            traces.append(new_trace(QUESTION, "It does not.", "m1", ready, {"generate": 0.5}))
            twin.remember(traces[-1])
            kept = [twin.trace(t.id) for t in traces]

    assert [t is not None for t in kept] == [False, True, False, True]
    with pytest.raises(ConnectionError, match="No MongoDB answers"):
        twin.trace(traces[-1].id)


def test_a_trace_is_kept_with_what_was_found_and_may_be_judged(shared):
    ready = shared.prepare(ask(shared))
    trace = new_trace(QUESTION, "It does not.", "m1", ready, {"generate": 0.5})
    shared.remember(trace)
    shared.judge(Feedback(trace.id, 1, "good", datetime.now(UTC)))

    kept = shared.trace(trace.id)
    assert kept.chunk_ids == ready.chunk_ids
    assert kept.seconds == {"generate": 0.5}
    assert kept.how == ready.how
    assert [s["url"] for s in kept.sources] == [s.url for s in ready.sources]
    assert (kept.question, kept.model_id, kept.abstained) == (QUESTION, "m1", False)
    assert shared.trace("0" * 32) is None


def test_an_empty_place_says_that_no_model_is_loaded(world, shared):
    empty = LocalSpeaker(Slot(world, lambda state: None))

    with pytest.raises(NoModel, match="No model is loaded yet"):
        collect(empty, shared.prepare(ask(shared)).messages)


def test_a_model_speaks_in_pieces_between_its_name_and_its_counts(speaker, shared, served):
    first, *pieces, last = collect(speaker, shared.prepare(ask(shared)).messages)

    assert first == {"model": served[1]}
    assert "".join(p["text"] for p in pieces)
    assert last["prompt_tokens"] > 100


def test_two_conversations_do_not_wait_for_each_other(speaker, shared):
    messages, order = shared.prepare(ask(shared)).messages, []

    async def listen(name):
        async for _ in speaker.stream(messages, OPTIONS | {"max_tokens": 40}):
            order.append(name)

    async def both():
        await asyncio.gather(listen("one"), listen("two"))

    asyncio.run(both())

    assert order != sorted(order)
    assert order != sorted(order, reverse=True)


def test_the_state_says_what_the_model_was_made_from(speaker, served):
    from include import registry

    version = registry.read_model(*served)
    state = json.loads(json.dumps(describe(speaker.slot)))

    assert asyncio.run(speaker.state()) == state
    assert (state["status"], state["model_id"]) == ("ready", version.id)
    assert state["dataset_id"] == version.dataset_id
    assert state["feature_service"] == version.feature_service
