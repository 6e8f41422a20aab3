"""The one door to a language model behind a URL: any OpenAI-compatible endpoint, also the platform's own.

Every question is asked once: answers are kept under `data_dir/llm`, named by what was asked of whom. A budget
bounds the requests of one opening, a passing fault is retried, and everything is counted. Not here: what is
asked, and what becomes of the answer.
"""

import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import stamina
from pydantic import BaseModel, ValidationError

from include import registry
from include.keys import api_key
from include.settings import Settings
from ml.files import read_json, write_json
from ml.types import Message, digest

if TYPE_CHECKING:
    from openai import OpenAI

log = logging.getLogger(__name__)

Form = TypeVar("Form", bound=BaseModel)
TRIES = 3
# Seconds before a second try, doubled each time; a test has less patience.
FIRST_WAIT = 0.5
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class LlmFailed(RuntimeError):
    """Raised when the endpoint gave no answer: it says which endpoint, why, and what to do."""


class LlmBudgetSpent(LlmFailed):
    """Raised before a request that would be one too many."""


class LlmUnusable(LlmFailed):
    """Raised when an answer came, twice, but not in the form that was asked for."""


@dataclass(slots=True)
class LlmCounts:
    """What one opening did: answers from the cache, requests sent, among them second tries, and failures."""

    cached: int = 0
    requests: int = 0
    retried: int = 0
    failed: int = 0
    unusable: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def as_dict(self) -> dict[str, int]:
        """Turn into plain values for a log or a record."""
        return asdict(self)


@dataclass(slots=True)
class Llm:
    """An open door. May be used by several threads; `version` tells apart models that share a name."""

    client: "OpenAI"
    model: str
    folder: Path
    budget: int
    url: str
    version: str = ""
    tokens: int = 0
    tries: int = TRIES
    counts: LlmCounts = field(default_factory=LlmCounts)
    _plain: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        take: int = 0,
        form: type[BaseModel] | None = None,
    ) -> str:
        """Return the answer to a conversation, from the cache where it was asked before.

        `take` asks the same again: another number is another question, with a seed of its own. Raises
        LlmFailed where the endpoint refuses or stays silent, LlmBudgetSpent where the budget is used up.
        """
        asked: dict[str, Any] = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": take,
        }
        if form is not None:
            asked["response_format"] = _json_schema(form)
        name = digest("llm", self.url, self.model, self.version, json.dumps(asked, sort_keys=True))
        file = self.folder / name[:2] / f"{name}.json"
        if kept := read_json(file):
            with self._lock:
                self.counts.cached += 1
            return str(kept["answer"])
        answer = self._request(asked)
        write_json(file, {"model": self.model, "asked": asked, "answer": answer})
        return answer

    def ask_for(
        self,
        messages: Sequence[Message],
        form: type[Form],
        *,
        max_tokens: int = 256,
        temperature: float = 0.0,
        take: int = 0,
    ) -> Form:
        """Return an answer in a form; one that does not fit is asked for once more, with the fault named.

        The endpoint is told to keep to the form where it can be; the answer is checked all the same.
        """
        said = self.ask(
            messages, max_tokens=max_tokens, temperature=temperature, take=take, form=form
        )
        try:
            return read_form(said, form)
        except ValueError as error:
            fault = str(error)
        again = [
            *messages,
            Message("assistant", said or "(nothing)"),
            Message("user", f"{fault} Answer again, with nothing but that JSON object."),
        ]
        said = self.ask(again, max_tokens=max_tokens, temperature=temperature, take=take, form=form)
        try:
            return read_form(said, form)
        except ValueError as error:
            with self._lock:
                self.counts.unusable += 1
            raise LlmUnusable(f"{self.model} at {self.url} answered twice, but: {error}") from None

    def _request(self, asked: dict[str, Any]) -> str:
        """Ask the endpoint; what it does not know of forms is left out from then on."""
        from openai import APIConnectionError, APIError, APIStatusError

        sent = {k: v for k, v in asked.items() if k != "response_format" or not self._plain}
        try:
            return self._retried(sent)
        except APIConnectionError as error:
            raise self._failure(error, "Check TWIN_LLM_URL and TWIN_LLM_TIMEOUT") from error
        except APIStatusError as error:
            if error.status_code in (400, 422) and "response_format" in sent:
                log.info("%s does not constrain answers to a form: %s", self.url, error)
                self._plain = True
                return self._request(asked)
            raise self._failure(error, "Check TWIN_LLM_KEY and TWIN_LLM_MODEL") from error
        except (APIError, ValueError) as error:
            raise self._failure(error, "It may not speak OpenAI's format") from error

    def _failure(self, error: Exception, advice: str) -> LlmFailed:
        with self._lock:
            self.counts.failed += 1
        return LlmFailed(f"{self.model} at {self.url} did not answer: {error} {advice}.")

    def _retried(self, asked: dict[str, Any]) -> str:
        tries = stamina.retry_context(
            on=_passes,
            attempts=self.tries,
            wait_initial=FIRST_WAIT,
            wait_jitter=FIRST_WAIT,
            timeout=None,
        )
        for attempt in tries:
            with attempt:
                return self._send(asked, again=attempt.num > 1)
        raise AssertionError("stamina ends with an answer or an error")

    def _send(self, asked: dict[str, Any], *, again: bool) -> str:
        with self._lock:
            if self.counts.requests >= self.budget:
                raise LlmBudgetSpent(
                    f"The budget of {self.budget} requests to {self.url} is spent. Answers so far are kept: "
                    "run again to go on, or raise TWIN_LLM_CALLS."
                )
            spent = self.counts.prompt_tokens + self.counts.completion_tokens
            if self.tokens and spent >= self.tokens:
                raise LlmBudgetSpent(
                    f"The budget of {self.tokens} tokens at {self.url} is spent. Run again to go on, or raise "
                    "TWIN_LLM_TOKENS."
                )
            self.counts.requests += 1
            self.counts.retried += again
        answer = self.client.chat.completions.create(model=self.model, **asked)
        try:
            with self._lock:
                used = answer.usage
                self.counts.prompt_tokens += used.prompt_tokens if used else 0
                self.counts.completion_tokens += used.completion_tokens if used else 0
            if not answer.choices:
                raise LlmFailed(f"{self.model} at {self.url} answered without a choice.")
            return (answer.choices[0].message.content or "").strip()
        except AttributeError as error:  # a page of a proxy, or JSON of another kind
            raise self._failure(error, "It may not speak OpenAI's format") from error


@contextmanager
def open_llm(settings: Settings) -> Iterator[Llm]:
    """Open the language model of a world; raises LookupError where none is named."""
    from openai import DefaultHttpxClient, OpenAI

    url = settings.llm_url.rstrip("/")
    if not url:
        raise LookupError(
            "No language model is named. Set TWIN_LLM_URL to an OpenAI-compatible address, such as "
            f"{settings.endpoint()}/v1, the platform's own."
        )
    own = is_own(settings)
    key = settings.llm_key.get_secret_value() or (api_key(settings) if own else "none")
    # A proxy knows nothing of this machine.
    local = (urlsplit(url).hostname or "") in LOOPBACK
    http = DefaultHttpxClient(timeout=settings.llm_timeout, trust_env=not local)
    with OpenAI(base_url=url, api_key=key, max_retries=0, http_client=http) as client:
        llm = Llm(
            client=client,
            model=settings.llm_model,
            folder=settings.data_dir / "llm",
            budget=settings.llm_calls,
            tokens=settings.llm_tokens,
            url=url,
            version=(registry.champion(settings) or "") if own else "",
        )
        yield llm
        log.info("%s at %s: %s", llm.model, url, llm.counts.as_dict())


def is_own(settings: Settings) -> bool:
    """Tell whether the endpoint is the platform's own, by whichever of this machine's names."""
    asked, own = urlsplit(settings.llm_url), urlsplit(settings.endpoint())
    local = asked.hostname in LOOPBACK and own.hostname in LOOPBACK
    return asked.port == own.port and (local or asked.hostname == own.hostname)


def read_form(said: str, form: type[Form]) -> Form:
    """Read the JSON object in an answer, whatever was said around it; raises ValueError with the fault."""
    fields = ", ".join(form.model_fields)
    found = re.search(r"\{.*\}", said, flags=re.DOTALL)
    if not found:
        raise ValueError(f"The answer holds no JSON object with the fields {fields}.")
    try:
        return form.model_validate_json(found.group())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(
            f"The answer is no JSON object with the fields {fields}: {faults}."
        ) from None


def _json_schema(form: type[BaseModel]) -> dict[str, Any]:
    schema = form.model_json_schema() | {"additionalProperties": False}
    return {
        "type": "json_schema",
        "json_schema": {"name": form.__name__.strip("_"), "strict": True, "schema": schema},
    }


def _passes(error: Exception) -> bool:
    """Tell whether a fault may be gone in a moment."""
    from openai import APIConnectionError, APIStatusError

    if isinstance(error, APIStatusError):
        return error.status_code in PASSING
    return isinstance(error, APIConnectionError)
