"""Why did it say that, and what became of this text: one call each, in both directions."""

import asyncio
import time
from dataclasses import asdict, replace

import pytest
from serving_world import QUESTION, SOURCE_URL, UNKNOWN, ask, call, client, endpoint

from include import registry
from include.documents import open_documents
from include.lineage import explain_answer, trace_document
from ml.laps import ORDER
from ml.prompts import PROMPT_VERSION
from serving import traces
from serving.twin import LocalSpeaker


@pytest.fixture
def answer(stock):
    return ask(stock)


def why(http, answer):
    return http.get(f"/v1/traces/{answer.trace_id}/why").json()


def test_an_answer_is_followed_back_to_the_characters_of_a_crawled_document(
    answering, http, answer
):
    told = why(http, answer)
    first = told["sources"][0]

    assert (told["question"], told["abstained"]) == (QUESTION, False)
    assert first["url"] == SOURCE_URL == first["document"]["url"]
    assert (first["crawl"]["source"], first["crawl"]["kind"]) == ("maren-oduya-notes", "folder")
    assert first["crawl"]["consent"] == "written for tests, 2026-01-05"
    assert first["stands"]
    with open_documents(answering.world) as documents:
        (clean,) = documents.read_clean([first["document_id"]])
    assert " … ".join(clean.text[a:b] for a, b in first["spans"]) == first["quote"]
    assert first["revision"] == clean.revision


def test_an_answer_names_the_model_the_index_and_the_prompt_that_made_it(
    answering, http, answer, served
):
    told, version = why(http, answer), registry.read_model(*served)

    assert (told["model"]["id"], told["model"]["dataset_id"]) == (version.id, version.dataset_id)
    assert told["understood"]["index"] == answer.index
    assert told["understood"]["prompt"] == answer.prompt_version == PROMPT_VERSION
    assert told["understood"]["route"] == answer.understood["route"] == "knowledge"
    assert len(told["understood"]["scores"]) == len(told["chunk_ids"])


def test_a_document_is_followed_to_its_passages_datasets_models_and_answers(http, answer, served):
    version = registry.read_model(*served)
    document = answer.sources[0]["document_id"]
    told = http.get(f"/v1/documents/{document}/lineage").json()

    assert told["document"]["url"] == SOURCE_URL
    (chunks,) = told["chunks"].values()
    assert answer.sources[0]["chunk_id"] in chunks
    assert version.dataset_id in told["datasets"]
    is_champion = registry.champion(served[0]) == version.id
    assert {"id": version.id, "champion": is_champion} in told["models"]
    (mine,) = [a for a in told["answers"] if a["trace_id"] == answer.trace_id]
    assert (mine["named"], mine["question"]) == (True, QUESTION)


def test_an_abstention_stands_on_nothing_and_says_so(stock, http):
    told = why(http, ask(stock, UNKNOWN))

    assert (told["abstained"], told["sources"]) == (True, [])
    assert told["chunk_ids"]
    assert told["told"] == []


class Listening(LocalSpeaker):
    """Speaks as the slot does, and remembers what it was told."""

    def stream(self, messages, options):
        self.heard = [asdict(m) for m in messages]
        return super().stream(messages, options)


def test_a_trace_keeps_what_the_model_was_told_letter_for_letter_within_a_bound(
    answering, monkeypatch
):
    speaker, question = Listening(answering.slot), "Ärger über fsync: why does fsync lie?"
    with (
        endpoint(answering.world, speaker, answering.twin) as url,
        call(answering.world, url) as http,
    ):
        stock = client(answering.world, url)
        whole = why(http, ask(stock, question))["told"]
        assert whole == speaker.heard
        monkeypatch.setattr(traces, "TOLD_BYTES", len(whole[0]["content"].encode()) + 8)
        system, cut = why(http, ask(stock, question))["told"]

    assert "<note" in whole[0]["content"] and whole[1] == {"role": "user", "content": question}
    # A letter of two bytes of which one has no room is left out as a whole.
    assert (system, cut["content"]) == (whole[0], "Ärger ")
    assert cut["left_out"] == len(question.encode()) - 7


class Queueing(LocalSpeaker):
    """Lets a question wait before the model hears it."""

    async def stream(self, messages, options):
        await asyncio.sleep(0.5)
        async for event in super().stream(messages, options):
            yield event


def test_a_trace_times_each_step_once_and_together_they_are_nearly_the_whole(answering):
    with (
        endpoint(answering.world, Queueing(answering.slot), answering.twin) as url,
        call(answering.world, url) as http,
    ):
        stock, started = client(answering.world, url), time.monotonic()
        answer, whole = ask(stock), time.monotonic() - started
        seconds, unknown = why(http, answer)["seconds"], why(http, ask(stock, UNKNOWN))["seconds"]

    assert list(seconds) == list(ORDER)
    assert seconds["generate"] > 0.5 and 0.6 * whole < sum(seconds.values()) < whole
    # An abstention has nothing generated, and nothing to check.
    assert list(unknown) == list(ORDER[: ORDER.index("generate")])


@pytest.mark.parametrize("path", ["traces/ab12/why", "documents/ab12/lineage", "traces/ab12"])
def test_what_is_not_known_is_a_404_in_words(http, path):
    response = http.get(f"/v1/{path}")

    assert response.status_code == 404
    assert "'ab12'" in response.json()["error"]["message"]


def test_a_source_that_was_forgotten_since_is_named_as_gone(answering, answer):
    world = answering.world.model_copy(update={"mongo_database": answering.world.mongo_database})
    with open_documents(world) as documents:
        trace = documents.trace(answer.trace_id)
        gone = {**trace.sources[0], "document_id": "0" * 32}
        documents.put_trace(replace(trace, id="f" * 32, model_id="gone", sources=(gone,)))

    told = explain_answer(world, "f" * 32)

    assert (told["sources"][0]["document"], told["sources"][0]["stands"]) == (None, False)
    assert told["model"] is None
    assert trace_document(world, "0" * 32) is None


def test_a_source_opens_at_its_very_words_with_the_paragraphs_around_them(http, answer):
    source = answer.sources[0]
    start, end = source["spans"][0][0], source["spans"][-1][1]
    path = f"/v1/documents/{source['document_id']}/passage"
    found = http.get(path, params={"start": start, "end": end}).json()
    said = [found["text"][a - found["start"] : b - found["start"]] for a, b in source["spans"]]

    assert " … ".join(said) == source["quote"]
    assert (found["url"], found["revision"]) == (SOURCE_URL, source["revision"])
    assert found["start"] < start and end - start <= len(found["text"]) <= end - start + 1_000
    for odd in (
        {"start": 9, "end": 9},
        {"start": 0, "end": 9_000},
        {"start": 90_000, "end": 90_001},
    ):
        assert http.get(path, params=odd).status_code == 404
    assert http.get(path, params={"start": -1, "end": 4}).status_code == 400


def test_the_newest_answers_are_listed_with_what_readers_thought(http, stock, served):
    answer = ask(stock, UNKNOWN)
    http.post("/v1/feedback", json={"trace_id": answer.trace_id, "score": -1, "comment": "No."})
    (newest,) = http.get("/v1/traces", params={"limit": 1}).json()["data"]

    assert (newest["id"], newest["question"], newest["abstained"]) == (
        *(answer.trace_id, UNKNOWN),
        True,
    )
    assert (newest["scores"], newest["model_id"]) == ([-1], served[1])
    (given,) = why(http, answer)["feedback"]
    assert (given["score"], given["comment"], given["by"]) == (-1, "No.", "platform")
