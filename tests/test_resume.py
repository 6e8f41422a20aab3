"""One answer over several tries: cut at any piece and gone on with, it is what an unbroken one would have been."""

import asyncio

import pytest
from small_models import make_model
from vllm_server import vllm_running

from include.settings import Settings
from include.vllm import open_vllm
from ml.choice import COLD
from ml.generate import load_generator
from ml.llama import load_llama
from ml.types import Message
from serving import resume
from serving.resume import Gone, insist, unbroken
from serving.shelf import Busy, NoModel
from serving.slot import speak

SAID = (Message("user", "Why — naïvely — 🧵?"),)
GREEDY = {"max_tokens": 24, "temperature": 0.0, "top_p": 1.0, "seed": None}
HOT = {**GREEDY, "temperature": 1.5, "top_p": 0.95, "seed": 3}
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "maximum": 99}},
    "required": ["n"],
    "additionalProperties": False,
}


ENGINES = ["transformers", "llamacpp"]
# vLLM reads heads of 32 numbers and more.
WIDE = {"hidden_size": 128}


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """Load one model into both engines of this process."""
    folder = tmp_path_factory.mktemp("model")
    base = make_model("smollm2", folder / "base", **WIDE)
    return {
        "transformers": load_generator(str(base), None),
        "llamacpp": load_llama(base, None, folder, "f32"),
    }


@pytest.fixture(scope="module")
def real_vllm(tmp_path_factory):
    """Load the model into a real vLLM as well."""
    folder = tmp_path_factory.mktemp("vllm")
    base = make_model("smollm2", folder / "base", **WIDE)
    with vllm_running(base, folder) as url:
        world = Settings(data_dir=folder, engine="vllm", vllm_url=url, base_model=str(base))
        yield open_vllm(world, str(base), None)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(resume, "PAUSE", 0.0)


class Dying:
    """Replicas of one model, of which each of the first ones dies after some events; it keeps how each was asked."""

    def __init__(self, loaded, *lifetimes):
        self.loaded, self.lifetimes, self.asked = loaded, list(lifetimes), []

    async def begin(self, options):
        self.asked.append(dict(options))
        life = self.lifetimes.pop(0) if self.lifetimes else None
        its = {k: v for k, v in options.items() if k != "model_id"}
        for number, event in enumerate(speak(self.loaded, SAID, its)):
            if number == life:
                raise Gone("dead")
            yield event
        if life is not None:
            raise Gone("dead at its end")


async def gather(events):
    return [e async for e in events]


def answer(replicas, **options):
    """Return the text, how often the model was named, the count of tokens and why it ended."""
    events = asyncio.run(gather(unbroken(replicas.begin, options)))
    said = "".join(str(e["text"]) for e in events if "text" in e)
    (last,) = [e for e in events if "completion_tokens" in e]
    named = [e["model"] for e in events if "model" in e]
    return said, named, last["completion_tokens"], last["finish"]


class Loaded:
    """What `speak` needs of a loaded model."""

    def __init__(self, generator):
        self.engine = self.version = self
        self.generator, self.id = generator, "m1"


WAYS = pytest.mark.parametrize(
    "options",
    [GREEDY, {**GREEDY, "temperature": COLD * 0.99}, HOT, {**GREEDY, "schema": SCHEMA}],
    ids=["greedy", "cold", "drawn", "json"],
)


@pytest.mark.parametrize("engine", ENGINES)
@WAYS
def test_an_answer_that_is_cut_at_any_piece_is_what_an_unbroken_one_is(engines, engine, options):
    goes_on_at_any_piece(Loaded(engines[engine]), options)


@pytest.mark.vllm
@WAYS
def test_so_is_one_of_a_real_vllm(real_vllm, options):
    goes_on_at_any_piece(Loaded(real_vllm), options)


def goes_on_at_any_piece(loaded, options):
    whole = answer(Dying(loaded), **options)
    pieces = len(list(speak(loaded, SAID, options)))

    assert whole[1] == ["m1"]
    for cut in range(pieces + 1):
        assert answer(Dying(loaded, cut), **options) == whole, cut
    assert answer(Dying(loaded, 3, 2), **options) == whole


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_text_over_the_cut_still_stops(engines, engine):
    loaded = Loaded(engines[engine])
    whole = answer(Dying(loaded), **GREEDY)[0]
    options = {**GREEDY, "stop": [whole[5:12]]}
    stopped = answer(Dying(loaded), **options)

    assert stopped[0] == whole[: whole.index(whole[5:12])]
    for cut in range(6):
        assert answer(Dying(loaded, cut), **options) == stopped


def test_the_next_replica_reads_what_was_said_and_makes_only_the_rest(engines):
    replicas = Dying(Loaded(engines["transformers"]), 8, 6)
    answer(replicas, **GREEDY)
    first, second, third = replicas.asked

    assert "said" not in first
    assert len(second["said"]) >= 7
    assert second["said"] == third["said"]
    assert {a["model_id"] for a in (second, third)} == {"m1"}
    assert len({a["seed"] for a in replicas.asked}) == 1


def test_after_the_last_try_the_caller_is_told(engines):
    replicas = Dying(Loaded(engines["transformers"]), 3, 3, 3, 3)

    with pytest.raises(Gone):
        answer(replicas, **GREEDY)
    assert len(replicas.asked) == resume.TRIES


@pytest.mark.parametrize("refusal", [Busy("full"), NoModel("none")])
def test_what_is_no_death_is_not_tried_again(refusal):
    asked = []

    async def begin(options):
        asked.append(options)
        raise refusal
        yield {}

    with pytest.raises(type(refusal)):
        asyncio.run(gather(unbroken(begin, GREEDY)))
    assert len(asked) == 1


def test_two_halves_of_two_answers_are_never_joined():
    texts = iter((["one ", "two "], ["one ", "or another"]))

    async def begin(options):
        for number, text in enumerate(next(texts)):
            yield {"text": text, "ids": [number]}
        if not options.get("said"):
            raise Gone("dead")

    with pytest.raises(ConnectionError, match="says something else"):
        asyncio.run(gather(unbroken(begin, GREEDY)))


def test_a_question_that_changes_nothing_is_asked_again():
    answers = iter([Gone("dead"), Gone("dead"), {"model_id": "m1"}])

    async def ask():
        if isinstance(answered := next(answers), Gone):
            raise answered
        return answered

    assert asyncio.run(insist(ask)) == {"model_id": "m1"}
