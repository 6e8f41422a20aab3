"""The HTTP API but for its chat: who is let in, and what an answer can be asked about afterwards."""

import re
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from serving_world import POST, QUESTION, SOURCE_URL, UNKNOWN, ask, client, endpoint

from ml.answer import DEFAULT_STEPS, STEPS
from serving.api import build_api
from serving.keys import SCOPES, Key, allow_key
from serving.twin import LocalSpeaker


@pytest.fixture
def world(answering):
    return answering.world


def error_of(answer):
    return answer.json()["error"]["message"]


def test_the_twin_is_listed_under_its_name_and_its_version(stock, served):
    names = [m.id for m in stock.models.list()]

    assert names[:2] == ["twin", f"twin@{served[1]}"]
    assert Path(served[0].base_model).name in names
    assert [stock.models.retrieve(name).id for name in names] == names


def test_every_route_but_health_and_page_asks_for_a_key(world, slot, twin, url):
    routes = {
        (method, route.path)
        for route in build_api(twin, LocalSpeaker(slot), world).routes
        for method in route.methods
    }
    paths = {r: re.sub(r"\{[^}]*\}", "chat.js", r[1]) for r in routes}
    answers = {r: httpx.request(r[0], url + path, json={}) for r, path in paths.items()}
    wrong = {"Authorization": "Bearer twin-wrong"}
    mistaken = {r: httpx.request(r[0], url + p, json={}, headers=wrong) for r, p in paths.items()}

    closed = {r for r in routes if answers[r].status_code == 401}
    assert {path for _, path in routes - closed} == {
        *("/", "/healthz", "/readyz", "/page/{name}", "/docs", "/openapi.json"),
        *("/traces", "/traces/{trace_id}"),
    }
    assert len(closed) >= 9
    assert all(mistaken[r].status_code == 401 for r in closed)


def test_a_key_reaches_the_routes_of_its_scopes_and_no_other(world, slot, twin, url):
    routes = [
        (method, re.sub(r"\{[^}]*\}", "none", route.path), route.dependencies)
        for route in build_api(twin, LocalSpeaker(slot), world).routes
        for method in route.methods - {"HEAD"}
    ]
    for scope in SCOPES:
        allow_key(world, f"only-{scope}", Key(f"only-{scope}", (scope,), 500.0, 500.0))

    def refused(scope):
        key = {"Authorization": f"Bearer only-{scope}"}
        answers = {
            path: httpx.request(m, url + path, json={}, headers=key) for m, path, _ in routes
        }
        return {path for path, answer in answers.items() if answer.status_code == 403}

    closed = {scope: refused(scope) for scope in SCOPES}
    everything = set().union(*closed.values())

    assert {"/v1/chat/completions", "/v1/retrieve", "/metrics", "/v1/feedback"} <= everything
    # Each of them is open to one scope, and closed to all others.
    for path in everything:
        assert sum(path not in closed[scope] for scope in SCOPES) == 1, path
    assert "/v1/models" not in everything


def test_a_key_that_has_spent_its_day_is_told_so_before_a_word_is_streamed(world, url):
    allow_key(world, "frugal", Key("frugal", tokens=30))
    frugal = openai.OpenAI(base_url=f"{url}/v1", api_key="frugal", max_retries=0)

    ask(frugal, max_tokens=4)
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError, match="of its 30 tokens of today") as raised:
            ask(frugal, max_tokens=4, stream=stream)

    assert raised.value.code == "insufficient_quota"
    assert 0 < int(raised.value.response.headers["retry-after"]) <= 86_400
    # What is not spoken by the model costs nothing.
    assert ask(frugal, UNKNOWN, max_tokens=4).abstained


def test_the_stock_client_raises_on_a_wrong_key(url):
    stranger = openai.OpenAI(base_url=f"{url}/v1", api_key="twin-wrong", max_retries=0)

    with pytest.raises(openai.AuthenticationError, match="An API key is needed"):
        stranger.models.list()


def test_who_asks_too_much_is_told_when_to_come_back(world, slot, twin):
    slow = world.model_copy(update={"requests_per_second": 0.2, "requests_burst": 2})
    with endpoint(slow, LocalSpeaker(slot), twin) as url:
        stock = client(slow, url)
        assert all(stock.models.list().data for _ in range(2))
        with pytest.raises(openai.RateLimitError, match="Too many requests") as raised:
            stock.models.list()

    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 6


def test_a_search_returns_passages_and_keeps_to_its_filters(http):
    def search(**fields):
        return http.post("/v1/retrieve", json={"query": QUESTION, **fields}).json()["data"]

    late = {"since": "2024-01-01T00:00:00Z", "until": "2025-01-01T00:00:00Z"}

    assert search(limit=1)[0]["url"] == SOURCE_URL
    assert [hit["url"] for hit in search(kind="post")] == [POST["url"]]
    assert search(kind="code") == []
    assert {hit["published_at"][:4] for hit in search(limit=50, **late)} == {"2024"}


def test_embeddings_are_the_same_in_numbers_and_in_base64(stock, world):
    texts = [QUESTION, "A rope."]
    packed = stock.embeddings.create(model="twin", input=texts)
    numbers = stock.embeddings.create(model="twin", input=texts, encoding_format="float")

    assert [np.float32(d.embedding).tolist() for d in packed.data] == [
        d.embedding for d in numbers.data
    ]
    assert np.linalg.norm(packed.data[0].embedding) == pytest.approx(1.0, abs=1e-5)
    assert (packed.model, [d.index for d in packed.data]) == (world.embedder, [0, 1])
    assert packed.usage.total_tokens > 5


def test_embeddings_have_the_size_and_the_name_of_the_one_embedder(stock, world):
    whole = stock.embeddings.create(model=world.embedder, input="A rope.", user="u")
    size = len(whole.data[0].embedding)
    same = stock.embeddings.create(model="twin", input="A rope.", dimensions=size)

    assert same.data[0].embedding == whole.data[0].embedding
    with pytest.raises(openai.BadRequestError, match=f"a vector has {size}") as shorter:
        stock.embeddings.create(model="twin", input="A rope.", dimensions=size - 1)
    with pytest.raises(openai.NotFoundError, match=f"there is: twin, {world.embedder}") as other:
        stock.embeddings.create(model="text-embedding-3-small", input="A rope.")
    with pytest.raises(openai.BadRequestError) as unknown:
        stock.embeddings.create(model="twin", input="A rope.", extra_body={"truncate": True})
    assert [e.value.param for e in (shorter, other, unknown)] == ["dimensions", "model", "truncate"]
    assert other.value.code == "model_not_found"


def test_a_search_for_what_it_does_not_know_is_refused_by_name(http):
    answer = http.post("/v1/retrieve", json={"query": QUESTION, "limt": 1})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "limt"
    assert error_of(answer).endswith("Did you mean 'limit'?")


def test_an_answer_can_be_traced_and_judged(stock, http, served):
    answer = ask(stock)
    judged = http.post("/v1/feedback", json={"trace_id": answer.trace_id, "score": 1})
    trace = http.get(f"/v1/traces/{answer.trace_id}").json()

    assert judged.json() == {"status": "kept"}
    assert (trace["question"], trace["model_id"]) == (QUESTION, served[1])
    assert trace["answer"] == answer.choices[0].message.content
    assert {s["chunk_id"] for s in answer.sources} <= set(trace["chunk_ids"])
    assert trace["seconds"]["generate"] > 0


def test_what_was_never_said_can_be_neither_traced_nor_judged(http):
    unknown = http.post("/v1/feedback", json={"trace_id": "ab12", "score": 1})
    odd = http.post("/v1/feedback", json={"trace_id": "../etc", "score": 5})

    assert (unknown.status_code, error_of(unknown)) == (404, "No answer has the trace 'ab12'.")
    assert odd.status_code == 400
    assert http.get("/v1/traces/ab12").status_code == 404


def test_the_steps_of_an_answer_are_listed_as_they_are_usually_switched(http, world):
    steps = http.get("/model").json()["steps"]

    assert list(steps) == list(STEPS)
    assert {s for s, on in steps.items() if on} == set(DEFAULT_STEPS.split(","))


def test_a_key_can_ask_what_it_may_do(world, url):
    allow_key(world, "curious", Key("curious", ("chat",)))
    its = httpx.get(f"{url}/v1/key", headers={"Authorization": "Bearer curious"}).json()

    assert its == {"name": "curious", "scopes": ["chat"]}


def test_the_model_page_says_what_answers_and_how_large_the_index_is(http, served, twin):
    state = http.get("/model").json()

    assert (state["status"], state["model_id"]) == ("ready", served[1])
    assert state["chunks"] == twin.index_size() > 20
    assert state["base_model"] == served[0].base_model
