"""The wire format: what OpenAI's own types read, and requests that are refused in words."""

import base64
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from builders import chunk
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ValidationError

from ml.rerank import Found
from ml.types import Answer, SourceRef, Trace
from serving import openai

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = SourceRef(
    1,
    "d1",
    "c1",
    "A rope",
    "https://example.org/a/",
    "We check the rope.",
    0.9,
    ((4, 22),),
    "r1",
    MOMENT,
)
CLAIM = {"text": "Yes.", "source": 0, "support": 0.0}
ANSWER = Answer(
    "> We check it. [1]\n\nYes.",
    *("> We check it. [1]", "Yes.", (SOURCE,), False, 7, 2, "length", (CLAIM,)),
)
HOW = {"route": "knowledge", "index": "f1", "prompt": "twin-1", "kind": "", "scores": [1.0]}
TRACE = Trace("ab12", "m1", MOMENT, "rope?", ANSWER.content, ("c1",), False, {"generate": 0.1}, HOW)
QUESTION = [{"role": "user", "content": "rope?"}]


def request(**fields):
    return openai.ChatRequest.model_validate({"messages": QUESTION, **fields})


def data_of(event):
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    return json.loads(event[6:])


def test_openais_own_type_reads_a_whole_answer():
    read = ChatCompletion.model_validate(openai.completion(ANSWER, TRACE))

    assert read.choices[0].message.content == ANSWER.content
    assert read.choices[0].finish_reason == "length"
    assert (read.id, read.model, read.created) == ("chatcmpl-ab12", "twin@m1", 1772323200)
    assert (read.usage.prompt_tokens, read.usage.total_tokens) == (7, 9)


def test_an_answer_says_what_it_stands_on_beyond_openais_format():
    body = openai.completion(ANSWER, TRACE)

    assert body["sources"][0] == {
        "number": 1,
        "document_id": "d1",
        "chunk_id": "c1",
        "title": "A rope",
        "url": "https://example.org/a/",
        "quote": "We check the rope.",
        "score": 0.9,
        "spans": ((4, 22),),
        "revision": "r1",
        "published_at": "2026-03-01T00:00:00+00:00",
        "trust": "own",
    }
    assert (body["index"], body["prompt_version"]) == ("f1", "twin-1")
    assert (body["understood"], body["claims"]) == ({"route": "knowledge"}, [CLAIM])
    assert (body["quoted"], body["generated"]) == (ANSWER.quoted, "Yes.")
    assert (body["model_version"], body["trace_id"], body["abstained"]) == ("m1", "ab12", False)


def test_openais_own_type_reads_every_event_of_a_stream():
    words = data_of(openai.chunk("1", "m1", {"content": "Yes."}))
    last = data_of(openai.chunk("1", "m1", {}, "stop", trace_id="ab12"))
    counted = data_of(openai.chunk("1", "m1", None, usage=openai.usage(7, 2)))

    assert ChatCompletionChunk.model_validate(words).choices[0].delta.content == "Yes."
    assert ChatCompletionChunk.model_validate(last).choices[0].finish_reason == "stop"
    assert ChatCompletionChunk.model_validate(last).model_extra == {"trace_id": "ab12"}
    assert ChatCompletionChunk.model_validate(counted).choices == []
    assert ChatCompletionChunk.model_validate(counted).usage.total_tokens == 9


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "invalid_request_error"), (503, "server_error")]
)
def test_an_error_has_openais_shape_and_its_headers(status, kind):
    response = openai.error(status, "Not now.", "later", "n", Retry_After="5")

    assert response.status_code == status
    assert response.headers["retry-after"] == "5"
    assert json.loads(response.body)["error"] == {
        "message": "Not now.",
        "type": kind,
        "param": "n",
        "code": "later",
    }


def test_a_stream_that_was_cut_ends_in_an_error_event():
    assert data_of(openai.error_event("It went away."))["error"]["message"] == "It went away."


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 1, "logprobs": False, "tools": [], "logit_bias": {}, "frequency_penalty": 0},
        {"response_format": {"type": "text"}, "presence_penalty": 0.0, "user": "somebody"},
        {"store": True, "metadata": {"a": "b"}, "safety_identifier": "s", "prompt_cache_key": "k"},
        {"service_tier": "auto", "tool_choice": "auto", "parallel_tool_calls": True},
        {"service_tier": "default", "reasoning_effort": "none", "modalities": ["text"]},
        {"n": None, "stream": None, "tool_choice": "none", "top_k": None},
        {"verbosity": "medium", "stream_options": {"include_obfuscation": False}},
    ],
)
def test_what_asks_for_nothing_special_is_not_refused(fields):
    assert request(**fields).refusal() is None


def test_an_answer_may_be_sent_back_as_the_stock_client_read_it():
    read = ChatCompletion.model_validate(openai.completion(ANSWER, TRACE)).choices[0].message
    messages = [*QUESTION, read.model_dump() | {"name": "twin", "annotations": []}, *QUESTION]

    assert request(messages=messages).refusal() is None


@pytest.mark.parametrize(
    ("fields", "param", "reason"),
    [
        ({"n": 3}, "n", "n=3 is not supported; ask 3 times."),
        (
            {"messages": [{"role": "assistant", "content": "Done."}]},
            "messages",
            "must be the user's",
        ),
        ({"logprobs": True, "top_logprobs": 3}, "logprobs", "'logprobs' is not supported"),
        ({"max_token": 3}, "max_token", "Did you mean 'max_tokens'?"),
        ({"temprature": 0}, "temprature", "Did you mean 'temperature'?"),
        (
            {"stream_options": {"include_usgae": True}},
            "stream_options.include_usgae",
            "'include_usage'",
        ),
        (
            {"messages": [{**QUESTION[0], "tool_calls": [{"id": "1"}]}, *QUESTION]},
            "messages.0.tool_calls",
            "leave it out.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_words_and_by_its_name(fields, param, reason):
    refusal = request(**fields).refusal()

    assert refusal.param == param
    assert reason in refusal.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function"}]),
        ("functions", [{"name": "f"}]),
        ("tool_choice", "required"),
        ("function_call", {"name": "f"}),
        ("logit_bias", {"50256": -100}),
        ("presence_penalty", 1.0),
        ("reasoning_effort", "high"),
        ("web_search_options", {}),
        ("prediction", {"type": "content", "content": "x"}),
        ("service_tier", "priority"),
        ("audio", {"voice": "alloy"}),
        ("best_of", 2),
        ("top_k", 0),
        ("top_k", False),
    ],
)
def test_a_name_that_the_platform_does_not_know_is_refused_whatever_its_value(name, value):
    refusal = request(**{name: value}).refusal()

    assert (refusal.param, refusal.code) == (name, "unsupported_parameter")
    assert refusal.message == f"{name!r} is not supported by this endpoint; leave it out."


def test_searches_and_embeddings_know_their_own_names_only():
    search = openai.RetrieveRequest.model_validate({"query": "rope?", "limt": 3})
    embed = openai.EmbeddingsRequest.model_validate({"input": "rope?", "user": "u", "truncate": 1})

    assert (search.refusal().param, embed.refusal().param) == ("limt", "truncate")


def test_the_turns_before_the_question_are_kept_but_a_clients_system_word_is_not_ours():
    turns = [
        {"role": "system", "content": "Obey."},
        {"role": "user", "content": "Which rope?"},
        {"role": "assistant", "content": "The old one."},
    ]
    asked = request(messages=[*turns, *QUESTION])

    assert [(m.role, m.content) for m in asked.earlier()] == [
        ("user", "Which rope?"),
        ("assistant", "The old one."),
    ]
    assert (asked.ignored(), request().ignored()) == (["system"], [])


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": {"rerank": "perhaps"}},
        {"messages": []},
        {"messages": [{"role": "user", "content": " \x00\n"}]},
        {"messages": [{"role": "user", "content": "x" * 8_001}]},
        {"messages": [{"role": "user", "content": "half a character: \ud83e"}]},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"model": "\ud83e"},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"max_tokens": 0},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"seed": 2**63},
        {"kind": "poem"},
        {"since": "2024-01-01T00:00:00"},
    ],
)
def test_a_request_outside_its_bounds_is_not_read(fields):
    with pytest.raises(ValidationError):
        request(**fields)


def test_a_question_in_parts_is_one_text_without_nul_characters():
    parts = [{"type": "text", "text": "Which \x00rope?"}, {"type": "text", "text": "Why?"}]
    (message,) = request(messages=[{"role": "user", "content": parts}]).messages

    assert message.text() == "Which rope?\nWhy?"


def test_the_number_of_tokens_is_the_callers_within_limits():
    assert request().limit(96) == 96
    assert request(max_tokens=5).limit(96) == 5
    assert request(max_tokens=5, max_completion_tokens=7).limit(96) == 7
    assert request(max_tokens=100_000).limit(96) == openai.MAX_TOKENS


@pytest.mark.parametrize(
    ("given", "stops"), [(None, ()), ("", ()), ("END", ("END",)), (["a", "", "b"], ("a", "b"))]
)
def test_stop_texts_may_be_one_or_many(given, stops):
    assert request(stop=given).stops() == stops


def test_a_vector_is_the_same_in_numbers_and_in_base64():
    vector = np.array([0.1, -2.5, 3e-8], dtype=np.float32)
    numbers, packed = openai.encode(vector, "float"), openai.encode(vector, "base64")

    assert numbers == vector.tolist()
    assert np.frombuffer(base64.b64decode(packed), dtype="<f4").tolist() == numbers


def test_a_hit_is_plain_json_with_its_date_and_score():
    found = json.loads(
        json.dumps(openai.hit(Found(chunk("We check the rope."), 0.5, 0.1, 0.5, 0.9)))
    )

    assert (found["text"], found["score"]) == ("We check the rope.", 0.5)
    assert datetime.fromisoformat(found["published_at"]) == MOMENT
