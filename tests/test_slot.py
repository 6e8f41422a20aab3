"""The place of one model: what is wished is loaded aside, and what is broken never takes the place."""

import json

import pytest
from serving_world import publish_copy, ready_slot, settled

from include import registry
from include.indexing import index_mark
from ml.types import Message
from serving.slot import Slot, SlotState, load_model, speak

SAID = (Message("system", "Be brief."), Message("user", "Which rope?"))
# Hot, because the smallest of models would rather say nothing.
OPTIONS = {"max_tokens": 4, "temperature": 2.0, "top_p": 1.0, "seed": 1, "stop": ()}


@pytest.fixture(scope="module")
def world(served):
    return served[0]


@pytest.fixture(scope="module")
def model_id(served):
    return served[1]


@pytest.fixture(scope="module")
def other(served):
    return publish_copy(*served, "slot-other")


@pytest.fixture
def slot(served):
    return ready_slot(*served)


def spoil_weights(world, model_id):
    weights = registry.model_folder(world, model_id) / "adapter_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)


def spoil_manifest(world, model_id):
    (registry.model_folder(world, model_id) / "manifest.json").write_text("{")


def test_before_the_first_wish_there_is_no_model(world):
    assert Slot(world, lambda state: None).state() == SlotState("waiting", "", "", "")


def test_every_step_is_told(world, model_id):
    told = []
    slot = Slot(world, told.append)
    slot.wish(model_id)
    settled(slot)

    assert told[0] == SlotState("loading", "", model_id, "")
    assert slot.state() == SlotState("ready", model_id, model_id, "")


def test_a_loaded_model_speaks_and_counts(slot, model_id):
    first, *pieces, last = speak(slot.loaded, SAID, OPTIONS)

    assert first == {"model": model_id}
    assert "".join(p["text"] for p in pieces)
    assert last["prompt_tokens"] > 5
    assert 0 < last["completion_tokens"] < 8
    assert last["seconds"] > 0


def test_a_conversation_longer_than_the_model_reads_is_refused_in_words(slot):
    said = (Message("user", "rope " * 3_000),)

    (event,) = speak(slot.loaded, said, OPTIONS)

    assert "Ask something shorter" in event["refused"]


@pytest.mark.parametrize("spoil", [spoil_weights, spoil_manifest])
def test_a_damaged_model_never_takes_the_place(slot, served, spoil):
    world, model_id = served
    damaged = publish_copy(world, model_id, f"slot-{spoil.__name__.replace('_', '-')}")
    spoil(world, damaged)

    slot.wish(damaged)

    assert settled(slot).state().status == "failed"
    assert slot.state().model_id == model_id
    assert damaged in slot.state().error
    assert list(speak(slot.loaded, SAID, OPTIONS))


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("slot-truncated", {"truncate": True}, "Error"),
        ("slot-foreign", {"fingerprint": "0" * 32}, "was made with fingerprint 000000000000"),
        ("slot-other-base", {"base_model": "tiny"}, "was made with fingerprint"),
    ],
)
def test_a_model_that_does_not_fit_never_takes_the_place(slot, served, name, options, reason):
    publish_copy(*served, name, **options)

    slot.wish(name)

    assert settled(slot).state().status == "failed"
    assert (slot.state().model_id, slot.state().wish) == (served[1], name)
    assert reason in slot.state().error and slot.state().unfit
    assert list(speak(slot.loaded, SAID, OPTIONS))


@pytest.mark.parametrize(
    ("error", "unfit"),
    [
        (ValueError("the weights are cut off"), True),
        (ConnectionError("the hub does not answer"), False),
        (OSError("no space left on device"), False),
        (MemoryError("nothing left"), False),
    ],
)
def test_what_the_machine_lacks_is_not_the_models_fault(slot, other, monkeypatch, error, unfit):
    def fail(*_):
        raise error

    monkeypatch.setattr("serving.slot.load_model", fail)
    slot.wish(other)

    assert (settled(slot).state().status, slot.state().unfit) == ("failed", unfit)
    slot.wish("")
    assert slot.state().unfit is False


def test_a_model_that_does_not_exist_is_named(slot):
    slot.wish("nobody")

    assert "There is no finished model 'nobody'" in settled(slot).state().error


def test_the_next_good_wish_forgets_the_failure(slot, other):
    slot.wish("nobody")
    settled(slot).wish(other)

    assert settled(slot).state() == SlotState("ready", other, other, "")


def test_a_canary_is_loaded_beside_the_champion_and_takes_its_place_without_a_second_load(
    slot, other, model_id
):
    slot.wish(model_id, other)
    state, candidate = settled(slot).state(), slot.find(other)

    assert state == SlotState("ready", model_id, model_id, "", other)
    assert slot.find().version.id == model_id
    assert next(speak(candidate, SAID, OPTIONS)) == {"model": other}

    slot.wish(other)
    assert settled(slot).loaded is candidate
    assert slot.state() == SlotState("ready", other, other, "")
    assert slot.shelf.names() == [model_id]


def test_a_canary_that_cannot_be_loaded_leaves_the_champion_where_it_is(slot, served, model_id):
    broken = publish_copy(*served, "slot-canary-truncated", truncate=True)
    champion = slot.loaded

    slot.wish(model_id, broken)

    assert settled(slot).state().status == "failed"
    assert (slot.loaded, slot.canary) == (champion, None)
    slot.wish(model_id)
    assert settled(slot).state() == SlotState("ready", model_id, model_id, "")


def test_a_canary_that_is_taken_back_still_answers_those_that_it_promised_to(slot, other, model_id):
    slot.wish(model_id, other)
    settled(slot).wish(model_id)

    assert settled(slot).canary is None
    assert slot.find(other).version.id == other


def test_of_two_wishes_at_once_the_last_one_counts(slot, other, model_id):
    for wish in (other, "nobody", model_id, other):
        slot.wish(wish)

    assert settled(slot).state() == SlotState("ready", other, other, "")


def test_the_same_wish_again_keeps_the_loaded_model(slot, model_id):
    before = slot.loaded
    slot.wish(model_id)

    assert settled(slot).loaded is before


def test_a_request_stays_with_the_model_that_it_began_with(slot, other, model_id):
    events = speak(slot.loaded, SAID, OPTIONS)
    first = next(events)
    slot.wish(other)
    rest = list(settled(slot) and events)

    assert first == {"model": model_id}
    assert rest[-1]["completion_tokens"] > 0
    assert next(speak(slot.loaded, SAID, OPTIONS)) == {"model": other}


def test_an_empty_wish_takes_the_model_back(slot):
    slot.wish("")

    assert slot.loaded is None
    assert slot.state() == SlotState("waiting", "", "", "")


def test_after_a_change_of_settings_a_model_loads_with_the_kept_colour_of_its_index(served):
    world, model_id = served

    loaded = load_model(world.model_copy(update={"chunk_tokens": 60}), model_id)

    assert loaded.index == index_mark(world)


def test_what_is_told_can_be_sent(slot):
    from serving.twin import describe

    described = json.loads(json.dumps(describe(slot)))

    assert described["status"] == "ready"
    assert described["feature_service"] == slot.loaded.version.feature_service
    assert described["fingerprint"] == slot.loaded.version.fingerprint
    assert described["index"] == slot.loaded.index == index_mark(slot.settings)
