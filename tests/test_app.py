"""The endpoint under a real Ray Serve: replicas, streaming from one to the caller, and one that dies."""

from datetime import UTC, datetime, timedelta

import openai
import pytest
from serving_world import (
    SOURCE_URL,
    ask,
    call,
    client,
    ray_processes,
    refuses_a_long_question,
    wordy_seed,
)

from include import registry
from include.documents import open_documents

pytestmark = pytest.mark.services


@pytest.fixture
def world(deployed):
    return deployed.world


@pytest.fixture
def champion(world):
    return registry.champion(world)


@pytest.fixture
def stock(deployed):
    return client(deployed.world, deployed.url)


@pytest.fixture
def http(deployed):
    with call(deployed.world, deployed.url) as http:
        yield http


def test_before_its_first_champion_the_endpoint_says_what_to_do(deployed):
    assert deployed.before.status_code == 503
    assert "There is no champion yet: train one first" in deployed.before.text


def test_no_process_of_ray_listens_beyond_this_machine(world):
    found = ray_processes(world, "")
    names = {p.name() for p in found}
    listening = {
        (p.name(), c.laddr.ip)
        for p in found
        for c in p.net_connections("tcp")
        if c.status == "LISTEN"
    }

    assert any("ServeReplica" in n for n in names) and "raylet" in names
    assert [at for at in listening if at[1] not in ("127.0.0.1", "::ffff:127.0.0.1", "::1")] == []


def test_an_answer_comes_with_its_source_and_its_model(stock, champion):
    answer = ask(stock, seed=wordy_seed(stock, 10))

    assert answer.sources[0]["url"] == SOURCE_URL
    assert answer.generated
    assert answer.model_version == champion
    assert [m.id for m in stock.models.list()][:2] == ["twin", f"twin@{champion}"]


def test_words_are_streamed_from_the_replica_to_the_caller(stock):
    options = {"stream": True, "seed": wordy_seed(stock, 60), "max_tokens": 60}
    with ask(stock, **options, stream_options={"include_usage": True}) as stream:
        *words, end, counted = stream

    assert len(words) > 20
    assert end.sources[0]["url"] == SOURCE_URL
    assert counted.usage.completion_tokens > 10


def test_the_same_seed_says_the_same(stock):
    assert ask(stock, seed=5).generated == ask(stock, seed=5).generated


def test_health_model_and_page_come_through_the_proxy(http, champion):
    state = http.get("/model").json()

    assert [http.get(path).status_code for path in ("/healthz", "/readyz", "/")] == [200] * 3
    assert (state["status"], state["model_id"], state["wish"]) == ("ready", champion, champion)
    assert state["chunks"] > 20


def test_every_replica_tells_what_it_holds(world, champion):
    with open_documents(world) as documents:
        found = documents.replicas(datetime.now(UTC) - timedelta(seconds=8))

    assert found
    assert {(r["model_id"], r["wish"], r["status"], r["error"]) for r in found} == {
        (champion, champion, "ready", "")
    }


def test_a_question_longer_than_the_model_reads_is_refused_streamed_or_not(stock):
    refuses_a_long_question(stock)


def test_strangers_and_megabytes_are_refused(stock, deployed):
    stranger = openai.OpenAI(base_url=f"{deployed.url}/v1", api_key="twin-wrong", max_retries=0)

    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with pytest.raises(openai.APIStatusError, match="Ask a shorter question"):
        ask(stock, "x" * 1_000_000)


def test_a_replica_that_dies_is_replaced_and_its_stream_goes_on_with_the_same_words(
    stock, world, champion
):
    (generator,) = ray_processes(world, "ServeReplica:twin:Generator")
    options = {"seed": wordy_seed(stock, 250), "max_tokens": 512}
    whole = ask(stock, **options)
    with ask(stock, **options, stream=True, stream_options={"include_usage": True}) as stream:
        first = [next(stream) for _ in range(5)]
        generator.kill()
        *words, end, counted = [*first, *stream]

    said = "".join(w.choices[0].delta.content or "" for w in words)
    assert said == whole.choices[0].message.content
    assert counted.usage == whole.usage
    assert {w.model for w in words} == {f"twin@{champion}"}
    assert end.model_version == champion
    assert generator not in ray_processes(world, "ServeReplica:twin:Generator")
