"""The wire format: requests and responses in the shape that OpenAI clients know, and errors in theirs.

What the platform does not do is refused with a sentence, never ignored silently. A client's system messages, which
many send always, are left out and named in the answer: they are neither the platform's word nor the user's.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from ml.rerank import Found
from ml.types import Answer, Message, SourceRef, Trace
from serving.fields import DONE_ANYWAY, HARMLESS, NotDone, Open
from serving.limits import Limited

MAX_QUESTION_CHARACTERS = 8_000
MAX_TOKENS = 512
# What an answer says of how its question was understood.
UNDERSTOOD = ("route", "search", "author", "kind", "since", "until", "steps", "chance")
# Steps that would change the text of an answer, which in JSON has to stay as it was generated.
OF_PROSE = {"check", "strict"}


def _no_nul(text: str) -> str:
    if not text.strip("\x00 \t\r\n"):
        raise ValueError("the text is empty; ask a question")
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


Text = Annotated[
    str, Field(min_length=1, max_length=MAX_QUESTION_CHARACTERS), AfterValidator(_no_nul)
]


Steps = Annotated[dict[Annotated[str, Field(max_length=40)], bool], Field(max_length=20)]


class ContentPart(Open):
    """A part of a message; only text is understood."""

    harmless = frozenset({"prompt_cache_breakpoint"})

    type: Literal["text"]
    text: Text


class ChatMessage(Open):
    """One turn as clients send it, or send back what they heard."""

    harmless = frozenset({"name", "refusal", "annotations"})
    done_anyway: ClassVar = {"tool_calls": ([],)}

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[ContentPart]

    def text(self) -> str:
        """Return the message as one string."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class StreamOptions(Open):
    """Whether the last chunk of a stream counts the tokens."""

    done_anyway: ClassVar = {"include_obfuscation": (False,)}

    include_usage: bool = False


class JsonSchema(Open):
    """A JSON schema by name, as clients send it; what describes it to a reader forces no token."""

    harmless = frozenset({"description"})

    name: str = Field("answer", max_length=64)
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class ResponseFormat(Open):
    """Plain text, any JSON object, or JSON that follows a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    def schema_asked(self) -> dict[str, Any] | None:
        """Return the schema that the answer must follow; None for plain text."""
        if self.type == "text":
            return None
        return (self.json_schema and self.json_schema.schema_) or {"type": "object"}


class ChatRequest(Limited):
    """A chat completion; what limits the sources, and the fields after `response_format`, are the platform's own."""

    harmless = HARMLESS
    done_anyway: ClassVar = DONE_ANYWAY

    messages: list[ChatMessage] = Field(min_length=1, max_length=100)
    model: str = Field("twin", max_length=200)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0.0, le=2.0)
    top_p: float | None = Field(None, gt=0.0, le=1.0)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: (
        Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=4)] | str | None
    ) = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    # Steps of an answer to switch on or off, by name; see ml/answer.py.
    steps: Steps | None = None
    # The trace of an answer to the same question that this one is wanted instead of.
    instead_of: str = Field("", max_length=64, pattern="^[0-9a-f]*$")

    def earlier(self) -> tuple[Message, ...]:
        """Return the turns before the question; what a client says as the system is not the platform's word."""
        turns = [m for m in self.messages[:-1] if m.role in ("user", "assistant")]
        return tuple(Message("user" if m.role == "user" else "assistant", m.text()) for m in turns)

    def ignored(self) -> list[str]:
        """Name the roles whose messages are left out."""
        return sorted({m.role for m in self.messages} - {"user", "assistant"})

    def refusal(self) -> NotDone | None:
        """Say what in this request the platform does not do; None when it does all."""
        if self.n not in (None, 1):
            return NotDone("n", f"n={self.n} is not supported; ask {self.n} times.")
        role = self.messages[-1].role
        if role != "user":
            return NotDone("messages", f"The last message must be the user's, not the {role}'s.")
        return super().refusal()

    def limit(self, default: int) -> int:
        """Return how many tokens may be generated."""
        return min(self.max_completion_tokens or self.max_tokens or default, MAX_TOKENS)

    def schema_asked(self) -> dict[str, Any] | None:
        """Return the JSON schema that the answer must follow, or None."""
        return self.response_format.schema_asked() if self.response_format else None

    def stops(self) -> tuple[str, ...]:
        """Return the texts at which generation ends."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(s for s in stop if s)


class RetrieveRequest(Limited):
    """A search of the index alone."""

    query: Text
    limit: int = Field(5, ge=1, le=50)
    steps: Steps | None = None


class EmbeddingsRequest(Open):
    """Texts to embed."""

    harmless = frozenset({"user"})

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=64)]
    model: str = Field("twin", max_length=200)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)


def error(
    status: int, message: str, code: str, param: str | None = None, **headers: str
) -> JSONResponse:
    """Answer an error in the shape that OpenAI clients raise."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, {k.replace("_", "-"): v for k, v in headers.items()})


def error_event(message: str) -> str:
    """Build the event that ends a stream which failed on its way."""
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": "cut"}}
    return f"data: {json.dumps(body)}\n\n"


def completion(answer: Answer, trace: Trace) -> dict[str, object]:
    """Build a whole chat completion."""
    return _completion(answer, trace, {"content": answer.content, "refusal": None})


def json_completion(answer: Answer, trace: Trace) -> dict[str, object]:
    """Build one whose content is JSON and nothing else: evidence is in `quoted`, an abstention in `refusal`."""
    said = {"content": None, "refusal": answer.content}
    if answer.generated:
        said = {"content": answer.generated, "refusal": None}
    return _completion(answer, trace, said)


def json_opening(abstained: bool, said: str) -> dict[str, object]:
    """Return how an answer in JSON begins: with nothing before its first brace, or with a refusal."""
    return {"content": None, "refusal": said} if abstained else {"content": "", "refusal": None}


def _completion(answer: Answer, trace: Trace, said: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{trace.id}",
        "object": "chat.completion",
        "created": int(trace.asked_at.timestamp()),
        "model": f"twin@{trace.model_id}",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", **said},
                "finish_reason": answer.finish,
                "logprobs": None,
            }
        ],
        "usage": usage(answer.prompt_tokens, answer.completion_tokens),
        **extensions(answer, trace),
    }


def extensions(answer: Answer, trace: Trace) -> dict[str, object]:
    """Return what this endpoint says beyond OpenAI's format."""
    return {
        "sources": [_source(s) for s in answer.sources],
        "abstained": answer.abstained,
        "quoted": answer.quoted,
        "generated": answer.generated,
        "claims": [dict(c) for c in answer.claims],
        "model_version": trace.model_id,
        "index": trace.how.get("index", ""),
        "prompt_version": trace.how.get("prompt", ""),
        "understood": {k: trace.how[k] for k in UNDERSTOOD if trace.how.get(k)},
        "ignored": trace.how.get("ignored", []),
        "trace_id": trace.id,
    }


def usage(prompt: int, completed: int) -> dict[str, int]:
    """Count tokens."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completed,
        "total_tokens": prompt + completed,
    }


def chunk(
    stream_id: str,
    model_id: str,
    delta: Mapping[str, object] | None,
    finish: str | None = None,
    **extra: object,
) -> str:
    """Build one server-sent event of a stream; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {
        "id": f"chatcmpl-{stream_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": f"twin@{model_id}",
        "choices": choices,
        **extra,
    }
    return f"data: {json.dumps(body)}\n\n"


def hit(found: Found) -> dict[str, object]:
    """Describe a chunk that a search found."""
    record = asdict(found.chunk)
    published = found.chunk.published_at
    return {
        **record,
        "published_at": published.isoformat() if isinstance(published, datetime) else None,
        "score": found.score,
        "cosine": found.cosine,
        "chance": found.chance,
    }


def encode(vector: NDArray[np.float32], encoding: str) -> list[float] | str:
    """Write a vector as numbers, or as little-endian float32 in base64."""
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(x) for x in vector]


def _source(source: SourceRef) -> dict[str, object]:
    published = source.published_at
    return {**asdict(source), "published_at": published.isoformat() if published else None}
