"""Speak through a vLLM server, on a GPU machine: an adapter is loaded into it by name, tokens go there as ids.

The server runs in an environment of its own (`serving/requirements-vllm.txt`) over the same base
model and a disk on which it finds the adapters. Any server with OpenAI's `/v1/completions` over
token ids will do for a base model alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from include.settings import Settings
from ml.choice import greedy
from ml.conversation import Conversation, load_conversation
from ml.generate import brings_tokenizer, check_adapter
from ml.models import hub_name
from ml.speech import Speech, hold_back, room_for, whole_characters
from ml.types import Message

SECONDS = 120.0


class VllmGenerator:
    """A model of a vLLM server, under the name that it has there."""

    def __init__(
        self, client: httpx.Client, conversation: Conversation, name: str, context: int
    ) -> None:
        self.context = context
        # The memory is the server's.
        self.memory = self.shared = 0
        self._client, self._conversation, self._name = client, conversation, name

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int | None,
        stop: Sequence[str] = (),
        schema: Mapping[str, object] | None = None,
        said: Sequence[int] = (),
    ) -> Speech:
        """Yield an answer piece by piece; a closed stream ends the work on it.

        Chance and grammar cannot go on in the middle: what was `said` is made again there, by the same seed.
        """
        prompt = self._conversation.prompt(messages)
        room = min(max_tokens, room_for(prompt, self.context, self._name))
        said = said[: room - 1] if greedy(temperature) and schema is None else ()
        asked: dict[str, object] = {
            "model": self._name,
            "prompt": [*prompt, *said],
            "max_tokens": room - len(said),
            "temperature": 0.0 if greedy(temperature) else temperature,
            "top_p": top_p,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            # Which tokens a piece is made of; a server that does not know the word does not tell.
            "return_token_ids": True,
        }
        if schema is not None:
            asked["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }
        speech = Speech(said)
        if room > 0:
            pieces = whole_characters(self._pieces(asked, speech))
            speech.pieces = hold_back(pieces, [s for s in stop if s])
        return speech

    def count_tokens(self, said: str | Sequence[Message]) -> int:
        """Count the tokens of a text, or of a conversation up to the answer."""
        return self._conversation.count(said)

    def _pieces(self, asked: dict[str, object], speech: Speech) -> Iterator[str]:
        before = speech.tokens
        yield self._conversation.decode(speech.ids or [])
        with self._client.stream("POST", "/v1/completions", json=asked) as answer:
            if answer.status_code != 200:
                said = answer.read().decode("utf-8", "replace")
                raise ConnectionError(f"vLLM answered {answer.status_code}: {said[:300]}")
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    yield from _heard(json.loads(line[6:]), speech, before)


def _heard(event: Mapping[str, Any], speech: Speech, before: int) -> Iterator[str]:
    """Take in one event; the last one counts the tokens."""
    for choice in event.get("choices", ()):
        speech.finish = choice.get("finish_reason") or speech.finish
        if (ids := choice.get("token_ids")) is None:
            speech.ids = None
        elif speech.ids is not None:
            speech.ids += ids
        speech.tokens += 1
        if choice["text"]:
            yield choice["text"]
    if usage := event.get("usage"):
        speech.tokens = before + usage["completion_tokens"]


def open_vllm(settings: Settings, base: str, adapter: Path | None) -> VllmGenerator:
    """Find a base model on the server, and load an adapter over it that is not there yet."""
    headers = {"Authorization": f"Bearer {settings.vllm_api_key.get_secret_value() or 'none'}"}
    client = httpx.Client(
        base_url=settings.vllm_url, headers=headers, timeout=SECONDS, trust_env=False
    )
    known = {str(m["id"]): m for m in _call(client, "GET", "/v1/models").json()["data"]}
    own = settings.base_model
    names = [n for n in (own, hub_name(own), base, Path(base).name) if n in known]
    if not names:
        raise LookupError(
            f"The vLLM server at {settings.vllm_url} serves {', '.join(known) or 'nothing'}, not {Path(base).name}. "
            f"Start it with `vllm serve {base}`."
        )
    name, context = names[0], int(known[names[0]].get("max_model_len") or 4096)
    conversation = load_conversation(adapter if adapter and brings_tokenizer(adapter) else base)
    if adapter:
        check_adapter(base, adapter)
        name = adapter.name
        if name not in known:
            asked = {"lora_name": name, "lora_path": str(adapter.resolve())}
            _call(client, "POST", "/v1/load_lora_adapter", asked)
    return VllmGenerator(client, conversation, name, context)


def _call(client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response:
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise ConnectionError(f"vLLM does not answer at {client.base_url}: {error}") from error
    if answer.status_code != 200:
        raise ConnectionError(f"vLLM answered {answer.status_code} to {path}: {answer.text[:300]}")
    return answer
