"""Several models behind one endpoint: asked for by name, within a budget, never mixed within one answer."""

import asyncio
from dataclasses import replace
from pathlib import Path

import openai
import pytest
from builders import model_version
from serving_world import HOT, ask, call, client, endpoint, publish_copy, ready_slot, settled

from include import registry
from include.evaluation import hear_person
from include.settings import Settings
from ml.models import catalogue_names
from ml.types import Message
from serving.shelf import NoModel, Shelf, memory, offered
from serving.slot import load_model
from serving.twin import LocalSpeaker

SAID = (Message("user", "Which rope?"),)
OPTIONS = {"max_tokens": 4, "temperature": 2.0, "top_p": 1.0, "seed": 1}


@pytest.fixture(scope="module")
def world(served):
    """Let llama.cpp speak, which shares a base model's weights among its adapters."""
    return served[0].model_copy(update={"engine": "auto"})


@pytest.fixture(scope="module")
def passed(served):
    """Publish two models that passed their gate, and one that did not."""
    for name, promote in (("shelf-a", True), ("shelf-b", True), ("shelf-worse", False)):
        publish_copy(*served, name)
        registry.write_verdict(served[0], name, {"promote": promote, "reasons": ["a test"]})
    return "shelf-a", "shelf-b"


@pytest.fixture
def shelf(world, passed):
    return Shelf(world, load_model)


def limited(world, megabytes):
    return Shelf(world.model_copy(update={"shelf_megabytes": megabytes}), load_model)


async def heard(speaker, **options):
    return [e async for e in speaker.stream(SAID, {**OPTIONS, **options})]


def test_what_passed_its_gate_and_base_models_here_are_offered(world, passed):
    names = offered(world)

    assert {names[f"twin@{m}"] for m in passed} == set(passed)
    assert "twin@shelf-worse" not in names
    assert names[Path(world.base_model).name] == Path(world.base_model).name
    assert set(names) - {n for n in names if "@" in n} <= {
        Path(world.base_model).name,
        *catalogue_names(),
    }


def test_of_those_that_do_not_serve_only_those_are_offered_about_whom_nobody_has_doubts(tmp_path):
    world = Settings(data_dir=tmp_path)
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "adapter_model.safetensors").write_bytes(b"weights")
    for name in ("elder", "first", "second", "asked"):
        registry.publish_model(world, weights, model_version(name, "f1"))
    registry.write_verdict(world, "elder", {"promote": True, "reasons": ["better"], "ask": False})
    question = {"promote": True, "reasons": ["better"], "ask": True}
    registry.write_verdict(world, "asked", question)
    for name in ("first", "second"):
        registry.move_champion(world, name)

    def names():
        return {n.removeprefix("twin@") for n in offered(world) if n.startswith("twin@")}

    assert names() == {"elder", "first", "second"}
    for name in ("elder", "first", "second"):
        registry.amend_verdict(world, name, False, "It was rolled back.")
    assert names() == {"second"}
    answer = {"chosen_options": ["Promote"], "responded_by_user": {"name": "Ada"}}
    assert hear_person(world, "asked", None) == question and names() == {"second"}
    hear_person(world, "asked", answer)
    assert names() == {"asked", "second"}


def test_a_model_is_loaded_once_and_only_if_it_is_offered(shelf, passed):
    first = shelf.take(passed[0])

    assert shelf.take(passed[0]) is first
    assert first.version.id == passed[0]
    for name in ("shelf-worse", "nobody", "../../etc"):
        with pytest.raises(NoModel, match="is not offered any more"):
            shelf.take(name)


def test_the_longest_unasked_is_put_away_first(world, shelf, passed):
    base = Path(world.base_model).name
    kept = [shelf.take(name) for name in passed]
    both = memory(kept)
    # Adapters share their base model, so two take less than twice one.
    assert both < 2 * memory(kept[:1])

    small = limited(world, both // 1_000_000 + 1)
    for name in (*passed, passed[0], base):
        small.take(name)
    assert base in small.names()
    assert passed[1] not in small.names()
    with pytest.raises(NoModel, match="TWIN_SHELF_MEGABYTES=0 allows"):
        limited(world, 0).take(base)


def test_a_damaged_model_leaves_the_shelf_as_it_was(world, served, shelf, passed):
    name = publish_copy(*served, "shelf-truncated", truncate=True)
    registry.write_verdict(world, name, {"promote": True, "reasons": ["a test"]})
    shelf.take(passed[0])

    with pytest.raises(Exception, match="(?i)header|safetensors|incomplete"):
        shelf.take(name)
    assert shelf.names() == [passed[0]]


def test_who_names_a_model_is_answered_by_it_and_the_endpoint_stays_with_its_own(
    world, slot, twin, served, passed
):
    base = Path(world.base_model).name
    with endpoint(world, LocalSpeaker(slot), twin) as url:
        stock = client(world, url)
        spoke = [
            ask(stock, model=m).model_version for m in ("twin", f"twin@{passed[0]}", base, "twin")
        ]
        with pytest.raises(openai.NotFoundError, match="There is no model 'twin@shelf-worse'"):
            ask(stock, model="twin@shelf-worse")
        with call(world, url) as http:
            state = http.get("/model").json()

    assert spoke == [served[1], passed[0], base, served[1]]
    assert state["model_id"] == served[1]
    assert {passed[0], base} <= set(state["shelf"])


def test_what_was_prepared_for_a_model_is_said_by_it_though_another_took_the_place(served, passed):
    slot = ready_slot(*served)
    speaker = LocalSpeaker(slot)
    slot.wish(passed[0])
    settled(slot)

    events = asyncio.run(heard(speaker, model_id=served[1]))
    now = asyncio.run(heard(speaker))

    assert events[0] == {"model": served[1]}
    assert now[0] == {"model": passed[0]}
    assert slot.shelf.names() == [served[1]]


@pytest.fixture
def kept_bytes(shelf, passed):
    """Count what one of the models takes, and two."""
    kept = [shelf.take(name) for name in passed]
    return memory(kept[:1]), memory(kept)


def slot_with(world, model_id, budget):
    """Load a model into a slot whose shelf has room for so many bytes."""
    return ready_slot(world.model_copy(update={"shelf_megabytes": -(-budget // 10**6)}), model_id)


def test_what_is_kept_gives_way_to_a_candidate_before_it_is_loaded(
    world, served, passed, kept_bytes, monkeypatch
):
    slot, seen = slot_with(world, served[1], kept_bytes[1]), []
    candidate = publish_copy(*served, "shelf-candidate")
    for name in passed:
        slot.shelf.take(name)

    def load(settings, model_id):
        seen.append(slot.shelf.names())
        return load_model(settings, model_id)

    monkeypatch.setattr("serving.slot.load_model", load)
    slot.wish(served[1], candidate)

    assert settled(slot).state().status == "ready"
    assert seen == [slot.shelf.names()] == [[passed[1]]]
    # Whoever is asked for meanwhile takes the place of another, not of the candidate.
    slot.shelf.take(passed[0])
    assert (slot.shelf.names(), slot.find(candidate)) == ([passed[0]], slot.canary)

    slot.wish(candidate)
    assert settled(slot).shelf.names() == [passed[0], served[1]]


def test_beside_a_candidate_that_needs_it_all_no_other_model_is_kept_until_it_is_gone(
    world, served, passed, kept_bytes
):
    broken = publish_copy(*served, "shelf-candidate-truncated", truncate=True)
    slot = slot_with(world, served[1], kept_bytes[0])
    slot.wish(served[1], passed[0])
    settled(slot)

    with pytest.raises(NoModel, match="allows beside the candidate on trial"):
        slot.shelf.take(passed[1])
    assert slot.find(passed[0]) is slot.canary
    slot.wish(served[1], broken)
    assert settled(slot).state().status == "failed"
    slot.wish(served[1])
    settled(slot).shelf.take(passed[1])
    assert slot.shelf.names() == [passed[1]]


def test_a_candidate_is_tried_though_nothing_may_be_kept(world, served, passed):
    slot = slot_with(world, served[1], 0)
    slot.wish(served[1], passed[0])

    assert settled(slot).find(passed[0]) is slot.canary
    slot.wish("")
    slot.wish(served[1])
    with pytest.raises(NoModel, match="TWIN_SHELF_MEGABYTES=0 allows[.]"):
        settled(slot).shelf.take(passed[1])


def test_a_model_that_was_taken_back_is_nowhere(served, passed):
    slot = ready_slot(*served)
    slot.shelf.put(replace(slot.loaded))
    slot.wish("")

    assert slot.shelf.names() == []
    with pytest.raises(NoModel, match="No model is loaded yet"):
        asyncio.run(heard(LocalSpeaker(slot), **HOT))
