"""A candidate on trial: a share of the callers meets it, each of them it alone, and it is judged by live answers."""

import asyncio
import uuid
from contextlib import contextmanager

import pytest
from serving_world import (
    QUESTION,
    call,
    endpoint,
    publish_broken,
    publish_copy,
    ready_slot,
    settled,
)

from include.documents import open_documents
from ml.canary import CREDIT, Outcome, find_fault, meets_canary
from serving.canary import Trial
from serving.proving import DeployFailed, Unfit, watch_trial
from serving.shelf import Busy
from serving.twin import LocalSpeaker

GOOD, FAILED, EMPTY = Outcome("m", pace=0.01), Outcome("m", failed=True), Outcome("m", empty=True)


# TWIN_GATE_LATENCY_MARGIN and TWIN_GATE_GROUNDED_MARGIN, as they are by default.
MARGINS = 2.0, 0.1


def truthful(chance):
    """Draw a sound answer, supported whole or not at all, as short ones are: as wide as such figures spread."""
    return Outcome("m", pace=0.01, support=float(chance.random() < 0.6))


def test_the_same_request_meets_the_same_version_and_the_share_is_kept():
    ids = [uuid.UUID(int=n).hex for n in range(4000)]
    met = {i for i in ids if meets_canary(i, 10)}

    assert met == {i for i in ids if meets_canary(i, 10)}
    assert 0.08 < len(met) / len(ids) < 0.12
    assert met < {i for i in ids if meets_canary(i, 20)}
    assert not any(meets_canary(i, 0) for i in ids)
    assert all(meets_canary(i, 100) for i in ids)


@pytest.mark.parametrize(
    ("candidate", "champion"),
    [
        ([], []),
        ([FAILED], [GOOD] * 9),
        ([FAILED, FAILED], []),
        ([GOOD] * 20, [GOOD] * 100),
        ([EMPTY] * 10, [EMPTY] * 60),
        ([FAILED] * 3 + [GOOD] * 7, [FAILED] * 27 + [GOOD] * 63),
        ([Outcome("m", pace=0.029)] * 20, [GOOD] * 100),
        ([Outcome("m", pace=9.0)] * 4, [GOOD] * 100),
        ([Outcome("m", support=0.0)] * 4, [Outcome("m", support=1.0)] * 100),
        ([Outcome("m", support=0.55)] * 20, [Outcome("m", support=0.6)] * 100),
        # The tiny model: nothing supports the champion's words either.
        ([Outcome("m", support=0.0)] * 20, [Outcome("m", support=0.1)] * 100),
        ([GOOD] * 20, [Outcome("m", support=1.0)] * 100),
    ],
)
def test_what_may_be_chance_is_no_fault(candidate, champion):
    assert find_fault(candidate, champion, *MARGINS) == ""


@pytest.mark.parametrize(
    ("candidate", "champion", "said"),
    [
        ([FAILED] * 3, [], "3 of 3 live requests failed, and 0 of 0 of the champion's"),
        ([FAILED] * 2, [GOOD] * 18, "2 of 2 live requests failed, and 0 of 18 of the champion's"),
        ([EMPTY] * 6 + [GOOD] * 4, [GOOD] * 60, "6 of 10 live requests said nothing"),
        ([Outcome("m", pace=0.05)] * 5, [GOOD] * 20, "it takes 50.0 ms a token, the champion 10.0"),
        (
            [Outcome("m", support=0.1)] * 5,
            [Outcome("m", support=0.6)] * 45,
            "its sources support 0.10 of what it says, and 0.60 of what the champion says",
        ),
    ],
)
def test_what_is_surely_worse_is_said_in_words(candidate, champion, said):
    assert find_fault(candidate, champion, *MARGINS).startswith(said)


def test_a_good_model_is_hardly_ever_condemned_though_it_is_looked_at_after_every_answer():
    import random

    chance = random.Random(7)
    condemned = 0
    for _ in range(200):
        candidate, champion = [], []
        for _ in range(20):
            drawn = [FAILED if chance.random() < 0.05 else truthful(chance) for _ in range(10)]
            candidate.append(drawn[0])
            champion += drawn[1:]
            if find_fault(candidate, champion, *MARGINS):
                condemned += 1
                break

    assert condemned <= 10
    assert CREDIT > 10


@pytest.fixture(scope="module")
def world(served):
    return served[0]


@pytest.fixture(scope="module")
def candidate(served):
    return publish_copy(*served, "canary-candidate")


BODY = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 4, "seed": 1}


@contextmanager
def on_trial(served, answering, candidate, percent, speaker=LocalSpeaker):
    """Serve the world's model with a candidate on trial beside it; yields the trial and a client."""
    world, champion = served
    slot, trial = ready_slot(*served), Trial(world)
    slot.wish(champion, candidate)
    settled(slot)
    trial.reconfigure({"canary": candidate, "percent": percent})
    with (
        endpoint(world, speaker(slot), answering.twin, trial) as url,
        call(world, url) as http,
    ):
        yield trial, http


@pytest.fixture(scope="module")
def asked(served, answering, candidate):
    """Ask an endpoint that has a candidate on trial; yields the answers, and what was noted."""
    world, champion = served
    with on_trial(served, answering, candidate, 40) as (trial, http):
        answers = [http.post("/v1/chat/completions", json=BODY) for _ in range(12)]
        named = {**BODY, "model": f"twin@{champion}"}
        answers.append(http.post("/v1/chat/completions", json=named))
        with http.stream("POST", "/v1/chat/completions", json={**BODY, "stream": True}) as stream:
            stream.read()
        trial.reconfigure({})
        after = [http.post("/v1/chat/completions", json=BODY) for _ in range(3)]
    with open_documents(world) as documents:
        return answers, stream, after, documents.outcomes(candidate)


def test_a_request_meets_one_version_by_its_id_and_hears_which(asked, served, candidate):
    answers, stream, after, _ = asked
    for answer in answers[:-1]:
        met = candidate if meets_canary(answer.headers["X-Request-Id"], 40) else served[1]
        assert answer.json()["model_version"] == answer.headers["X-Model-Version"] == met
    assert {a.json()["model_version"] for a in answers[:-1]} == {candidate, served[1]}

    version = stream.headers["X-Model-Version"]
    assert stream.text.count(f'"model": "twin@{version}"') == stream.text.count('"model": ')
    assert {a.json()["model_version"] for a in (answers[-1], *after)} == {served[1]}


def test_what_came_of_each_is_noted_without_a_word_of_it(asked, served, candidate, world):
    answers, stream, _, outcomes = asked
    versions = [a.json()["model_version"] for a in answers[:-1]]
    versions.append(stream.headers["X-Model-Version"])

    assert sorted(o.model_id for o in outcomes) == sorted(versions)
    assert not any(o.failed for o in outcomes)
    with open_documents(world) as documents:
        documents.begin_trial(candidate)
        assert documents.outcomes(candidate) == []


def test_a_candidate_that_fails_at_its_first_word_is_answered_for_by_the_champion(
    served, answering
):
    world, champion = served
    broken = publish_broken(*served, "canary-broken")
    with on_trial(served, answering, broken, 100) as (_, http):
        whole = http.post("/v1/chat/completions", json=BODY)
        streamed = http.post("/v1/chat/completions", json={**BODY, "stream": True})
        named = http.post("/v1/chat/completions", json={**BODY, "model": f"twin@{broken}"})

    assert (whole.status_code, whole.json()["model_version"]) == (200, champion)
    assert [a.headers["X-Model-Version"] for a in (whole, streamed)] == [champion] * 2
    assert "error" not in streamed.text and broken not in streamed.text
    assert (named.status_code, named.json()["error"]["message"]) == (
        503,
        "The model failed while it spoke; ask again.",
    )
    assert named.json()["error"]["code"] == "model_failed"
    with open_documents(world) as documents:
        found = documents.outcomes(broken)
    assert [o for o in found if o.model_id == broken] == [Outcome(broken, failed=True)] * 2
    assert sum(o.model_id == champion for o in found) == 2


class Scripted(LocalSpeaker):
    """A speaker whose models say what is written down for them, in the place of their own words."""

    def __init__(self, slot, words):
        super().__init__(slot)
        self.words = words

    async def stream(self, messages, options):
        async for event in super().stream(messages, options):
            if "completion_tokens" in event:
                yield {"text": self.words[options["model_id"]]}
            if "text" not in event:
                yield event


NONSENSE = "Purple harbours negotiate seventeen umbrellas beneath the committee of velvet weather."


@pytest.mark.parametrize("truthful", [False, True])
def test_a_candidate_that_says_fluent_nonsense_fails_its_trial(
    served, answering, candidate, truthful
):
    world, champion = served
    quote = answering.http.post("/v1/chat/completions", json=BODY).json()["sources"][0]["quote"]
    words = {champion: quote, candidate: quote if truthful else NONSENSE}
    with open_documents(world) as documents:
        documents.begin_trial(candidate)
    with on_trial(served, answering, candidate, 50, lambda s: Scripted(s, words)) as (_, http):
        answers = [http.post("/v1/chat/completions", json=BODY).json() for _ in range(30)]
    with open_documents(world) as documents:
        outcomes = documents.outcomes(candidate)

    said = {a["model_version"]: a["generated"] for a in answers}
    assert NONSENSE in said[candidate] or truthful
    assert {o.support for o in outcomes if o.model_id == champion} == {1.0}
    # The pace of a busy machine is not what is asked here.
    calm = world.model_copy(update={"canary_answers": 5, "gate_latency_margin": 99.0})
    if truthful:
        assert "and no worse" in watch_trial(calm, candidate, champion)
    else:
        with pytest.raises(Unfit, match="its sources support 0.0. of what it says, and 1.00 of"):
            watch_trial(calm, candidate, champion)


async def heard(trial, events):
    return [e async for e in trial.watch("m", events, lambda said: None)]


def test_a_failure_is_noted_and_a_full_house_is_nobodys_fault(settings):
    trial = Trial(settings)
    trial.reconfigure({"canary": "m", "percent": 1})

    async def fail(error):
        yield {"model": "m"}
        raise error

    for error in (RuntimeError("broken weights"), Busy("full")):
        with pytest.raises(type(error)):
            asyncio.run(heard(trial, fail(error)))
    with open_documents(settings) as documents:
        assert documents.outcomes("m") == [Outcome("m", failed=True)]


def note(settings, *outcomes):
    from datetime import UTC, datetime

    with open_documents(settings) as documents:
        for outcome in outcomes:
            documents.put_outcome("new", outcome, datetime.now(UTC))


def test_where_nobody_asks_the_golden_questions_count_and_nobody_waits_long(settings):
    hasty = settings.model_copy(update={"canary_quiet": 0.1})

    assert "Nobody asked meanwhile" in watch_trial(hasty, "new", "old")


def test_a_trial_ends_after_so_many_answers_or_at_the_first_sure_fault(settings):
    short = settings.model_copy(update={"canary_answers": 4})
    note(settings, *[Outcome("old", pace=0.01)] * 9, *[Outcome("new", pace=0.01)] * 4)

    said = "As a canary it answered 4 requests, beside 9 of the champion, and no worse."
    assert watch_trial(short, "new", "old") == said
    note(settings, *[Outcome("new", failed=True)] * 12)
    with pytest.raises(
        DeployFailed, match="worse than the champion: 12 of 16 live requests failed"
    ):
        watch_trial(settings, "new", "old")


def test_a_trial_that_few_take_part_in_ends_with_its_time(settings):
    note(settings, Outcome("old", pace=0.01))

    short = settings.model_copy(update={"canary_seconds": 0.1})
    assert "it answered 0 requests, beside 1" in watch_trial(short, "new", "old")
