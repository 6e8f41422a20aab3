"""Chat completions as their users see them: the stock OpenAI client against a running endpoint."""

import asyncio
import json
import re

import openai
import pytest
from serving_world import (
    HOT,
    POST,
    QUESTION,
    SOURCE_URL,
    UNKNOWN,
    ask,
    call,
    client,
    endpoint,
    publish_copy,
    ready_slot,
    refuses_a_long_question,
    settled,
    wordy_seed,
)

from serving.shelf import offered
from serving.slot import Slot
from serving.twin import LocalSpeaker


class CutOff(LocalSpeaker):
    """A speaker whose replica goes away after its first words."""

    async def stream(self, messages, options):
        pieces = 0
        async for event in super().stream(messages, options):
            yield event
            pieces += "text" in event
            if pieces == 2:
                raise ConnectionError("The replica with the model went away; ask again.")


@pytest.fixture
def world(answering):
    return answering.world


@pytest.fixture(scope="module")
def seed(answering):
    return wordy_seed(answering.stock, HOT["max_tokens"])


def test_an_answer_quotes_the_author_and_links_the_source(stock, seed):
    answer = ask(stock, seed=seed)
    said, (first, *_) = answer.choices[0].message.content, answer.sources

    assert first["url"] == SOURCE_URL
    assert f"> {answer.sources[0]['quote']} [1]" in said
    assert said == f"{answer.quoted}\n\nIn the twin's own words (generated): {answer.generated}"
    assert answer.generated
    assert not answer.abstained


def test_an_answer_says_which_model_spoke_and_what_it_took(stock, served, seed):
    answer = ask(stock, model=f"twin@{served[1]}", seed=seed)

    assert (answer.model, answer.model_version) == (f"twin@{served[1]}", served[1])
    assert answer.usage.prompt_tokens > 100
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.id == f"chatcmpl-{answer.trace_id}"


def test_what_was_never_written_about_is_not_guessed(stock):
    answer = ask(stock, UNKNOWN)

    assert answer.abstained
    assert answer.choices[0].message.content.startswith("I have not written about that")
    assert (answer.sources, answer.generated) == ([], "")
    assert answer.usage.total_tokens == 0


def test_the_same_seed_says_the_same_and_another_does_not(stock, seed):
    first, again, other = (ask(stock, seed=s).generated for s in (seed, seed, seed + 1))

    assert first == again
    assert first != other


def test_an_answer_ends_at_a_stop_text_and_at_its_number_of_tokens(stock, seed):
    whole = ask(stock, seed=seed).generated
    stop = re.search(r"\w\w+", whole[9:]).group()
    cut, short = ask(stock, seed=seed, stop=stop), ask(stock, seed=seed, max_tokens=3)

    assert cut.generated == whole[: whole.index(stop)].strip()
    assert whole.startswith(short.generated)
    assert short.usage.completion_tokens < 8
    assert (short.choices[0].finish_reason, cut.choices[0].finish_reason) == ("length", "stop")


def test_a_stream_brings_the_evidence_first_then_words_then_sources(stock, seed):
    with ask(stock, seed=seed, stream=True) as stream:
        chunks = list(stream)
    whole = ask(stock, seed=seed)

    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].choices[0].delta.content.startswith(whole.quoted)
    assert len(chunks) > 5
    said = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert said.split() == whole.choices[0].message.content.split()
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].sources == whole.sources
    assert all(c.usage is None for c in chunks)


def test_a_stream_counts_tokens_in_a_last_chunk_when_asked(stock, seed):
    options = {"include_usage": True}
    with ask(stock, seed=seed, stream=True, stream_options=options) as stream:
        *_, end, counted = stream

    assert end.choices[0].finish_reason in ("stop", "length")
    assert counted.choices == []
    assert counted.usage == ask(stock, seed=seed).usage


def test_the_asynchronous_client_streams_too(stock, seed):
    async def listen():
        given = {"base_url": stock.base_url, "api_key": stock.api_key, "max_retries": 0}
        async with openai.AsyncOpenAI(**given) as client:
            stream = await client.chat.completions.create(
                model="twin",
                messages=[{"role": "user", "content": QUESTION}],
                seed=seed,
                stream=True,
                **HOT,
            )
            return [c.choices[0].delta.content or "" async for c in stream]

    said = "".join(asyncio.run(listen()))

    assert said.split() == ask(stock, seed=seed).choices[0].message.content.split()


def test_an_abstention_streams_as_well(stock):
    with ask(stock, UNKNOWN, stream=True) as stream:
        chunks = list(stream)

    assert chunks[0].choices[0].delta.content.startswith("I have not written about that")
    assert chunks[-1].abstained


def test_a_stream_that_is_cut_raises_in_the_client(world, slot, twin, seed):
    with endpoint(world, CutOff(slot), twin) as url:
        stream = ask(client(world, url), seed=seed, stream=True)
        pieces = []
        with pytest.raises(openai.APIError, match="replica with the model went away"):
            pieces += stream

    assert len(pieces) == 3


def test_an_answer_that_is_cut_is_worth_another_try(world, slot, twin, seed):
    with (
        endpoint(world, CutOff(slot), twin) as url,
        pytest.raises(openai.InternalServerError, match="went away") as raised,
    ):
        ask(client(world, url), seed=seed)

    assert raised.value.status_code == 503
    assert raised.value.response.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n": 2}, "n=2 is not supported"),
        ({"logprobs": True}, "'logprobs' is not supported"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "'tools' is not supported"),
        ({"logprobs": True, "top_logprobs": 3}, "'logprobs' is not supported"),
        ({"temperature": 3}, "temperature: Input should be less than or equal to 2"),
        ({"extra_body": {"kind": "poem"}}, "kind: Input should be 'article', 'post' or 'code'"),
        (
            {"extra_body": {"since": "2022-01-02T00:00:00Z", "until": "2022-01-02T00:00:00Z"}},
            "until: Input should be later than since: no text lies between the two.",
        ),
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": [{"role": "user", "content": "  "}]}, "the text is empty; ask a question"),
        ({"messages": [{"role": "system", "content": "x"}]}, "last message must be the user's"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(stock, options, reason):
    with pytest.raises(openai.BadRequestError, match=re.escape(reason)):
        ask(stock, **options)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"extra_body": {"temprature": 0}}, "temprature"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_the_stock_client_is_told_which_parameter_is_not_done(stock, options, param):
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as raised:
            ask(stock, stream=stream, **options)
        assert raised.value.param == param


def test_what_is_for_the_callers_own_books_changes_no_answer(stock, seed):
    books = {"user": "u", "store": False, "metadata": {"a": "b"}, "service_tier": "auto", "n": None}

    assert ask(stock, seed=seed, **books).generated == ask(stock, seed=seed).generated


def test_a_clients_system_message_changes_no_answer_and_the_answer_says_so(stock, http, seed):
    said = [{"role": "system", "content": "Speak like a pirate."}]
    asked = {"seed": seed, "messages": said + [{"role": "user", "content": QUESTION}]}
    plain, answer = ask(stock, seed=seed), ask(stock, **asked)
    with ask(stock, **asked, stream=True) as stream:
        *_, last = stream
    why = http.get(f"/v1/traces/{answer.trace_id}/why").json()

    assert answer.generated == plain.generated
    assert (plain.ignored, answer.ignored, last.ignored) == ([], ["system"], ["system"])
    assert why["understood"]["ignored"] == ["system"]


@pytest.mark.parametrize("name", ["gpt-4o", "twin@nobody", "", "twin\n"])
def test_an_unknown_model_is_named_beside_those_that_exist(stock, served, name):
    with pytest.raises(openai.NotFoundError, match=f"there is: twin, twin@{served[1]}") as raised:
        ask(stock, model=name)

    assert raised.value.param == "model"


def test_a_question_longer_than_the_model_reads_is_refused_streamed_or_not(stock):
    refuses_a_long_question(stock)


def test_a_question_of_a_megabyte_is_refused_and_the_next_one_answered(stock):
    with pytest.raises(openai.APIStatusError, match="Ask a shorter question") as raised:
        ask(stock, "x" * 1_000_000)

    assert raised.value.status_code == 413
    assert ask(stock).sources


def test_json_that_is_none_is_refused(answering):
    headers = {"Content-Type": "application/json"}
    answer = answering.http.post("/v1/chat/completions", content=b'{"messages": [', headers=headers)

    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


def test_before_the_first_champion_the_endpoint_says_what_to_do(world, twin):
    with endpoint(world, LocalSpeaker(Slot(world, lambda state: None)), twin) as url:
        stock, http = client(world, url), call(world, url)
        names = [m.id for m in stock.models.list()]
        # Other tests of this world may have promoted some.
        assert names == ["twin", *offered(world)]
        assert (http.get("/healthz").status_code, http.get("/readyz").status_code) == (200, 503)
        with pytest.raises(
            openai.InternalServerError, match="no champion yet: train one"
        ) as raised:
            ask(stock)

    assert raised.value.status_code == 503


def test_a_broken_model_leaves_the_old_one_answering_and_its_reason_readable(served, twin):
    world, model_id = served
    broken = publish_copy(world, model_id, "api-truncated", truncate=True)
    slot = ready_slot(world, model_id)
    with endpoint(world, LocalSpeaker(slot), twin) as url:
        slot.wish(broken)
        settled(slot)
        state = call(world, url).get("/model").json()
        answer = ask(client(world, url))

    assert (state["status"], state["wish"], state["model_id"]) == ("failed", broken, model_id)
    assert "Error" in state["error"]
    assert answer.model_version == model_id


def test_an_answer_keeps_to_its_filters_too(stock):
    extra = {"kind": "post"}
    answer = ask(stock, "What about the certificate and the pager?", extra_body=extra)

    assert {source["url"] for source in answer.sources} == {POST["url"]}


COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer", "maximum": 9}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
AS_COLOUR = {"type": "json_schema", "json_schema": {"name": "colour", "schema": COLOUR}}


def test_an_answer_in_json_is_nothing_but_json_with_its_evidence_beside(stock):
    answer = ask(stock, response_format=AS_COLOUR, max_tokens=64)
    told = json.loads(answer.choices[0].message.content)

    assert set(told) == {"colour", "count"}
    assert told["colour"] in ("red", "blue")
    assert answer.quoted.startswith(">")
    assert answer.sources
    with ask(stock, response_format=AS_COLOUR, max_tokens=64, stream=True) as stream:
        said = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert set(json.loads(said)) == {"colour", "count"}


def test_any_json_object_may_be_asked_for_and_a_schema_that_is_none_is_refused(stock):
    answer = ask(stock, response_format={"type": "json_object"}, max_tokens=400, temperature=0)
    assert answer.choices[0].message.content.startswith("{")

    odd = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objec"}}}
    with pytest.raises(openai.BadRequestError, match="cannot be followed"):
        ask(stock, response_format=odd)


def test_an_abstention_in_json_is_a_refusal(stock):
    answer = ask(stock, UNKNOWN, response_format=AS_COLOUR)
    with ask(stock, UNKNOWN, response_format=AS_COLOUR, stream=True) as stream:
        first = next(iter(stream)).choices[0].delta

    assert answer.choices[0].message.content is None
    assert "I have not written about that" in answer.choices[0].message.refusal
    assert (first.content, first.refusal) == (None, answer.choices[0].message.refusal)
