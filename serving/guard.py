"""What stands before every route: keys, budgets, bounds, counters, an audit log, headers, errors in one shape.

Other origins get no CORS headers, so a browser keeps their scripts out. The audit log says who asked
which route when, and what came of it; never what was asked or answered.
"""

import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Any

import prometheus_client as prometheus
from fastapi import Depends, FastAPI, Request, params
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from include.settings import Settings
from serving import openai
from serving.budget import SpentUp
from serving.fields import NotDone
from serving.keys import Buckets, Key, ensure_key, recognise
from serving.proving import MODEL_FAILED
from serving.shelf import Busy, Failed
from serving.twin import NoModel

audit = logging.getLogger("twin.audit")

MAX_BODY = 256 * 1024
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refusal(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(
        self, status: int, message: str, code: str, param: str | None = None, **headers: str
    ) -> None:
        super().__init__(message)
        self.response = openai.error(status, message, code, param, **headers)


@dataclass(frozen=True, slots=True)
class Meters:
    """What /metrics counts; each API has a registry of its own."""

    registry: prometheus.CollectorRegistry
    requests: prometheus.Counter
    seconds: prometheus.Histogram
    answers: prometheus.Counter
    steps: prometheus.Histogram
    tokens: prometheus.Counter
    feedback: prometheus.Counter
    model: prometheus.Gauge


def install_guard(api: FastAPI, settings: Settings) -> None:
    """Put the guard before an application."""
    ensure_key(settings)
    _open_audit_log(settings)
    api.state.settings = settings
    api.state.meters = _meters()
    limits = settings.requests_per_second, settings.requests_burst
    api.state.buckets = Buckets(*limits, settings.ingress_replicas)
    api.middleware("http")(_guard)
    api.add_exception_handler(Refusal, _refused)
    api.add_exception_handler(HTTPException, _not_offered)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(Failed, _model_failed)
    api.add_exception_handler(ConnectionError, _unavailable)
    api.add_exception_handler(NoModel, _unavailable)
    api.add_exception_handler(SpentUp, _spent_up)
    api.add_exception_handler(Busy, _busy)


def refuse(found: NotDone | None) -> None:
    """Answer with what a request asks for and is not done, if there is such a thing."""
    if found:
        raise Refusal(400, found.message, found.code, found.param)


def need(scope: str) -> list[params.Depends]:
    """Make the check of a route that a key needs a scope for; it comes after `authenticate`."""

    async def check(request: Request) -> None:
        key = request.state.key
        if scope not in key.scopes:
            message = f"The key {key.name!r} may not do this: it lacks the scope {scope!r}."
            raise Refusal(403, message, "insufficient_scope")

    return [Depends(check)]


async def authenticate(request: Request) -> Key:
    """Recognise the caller and take one request out of their bucket; kept as `request.state.key`."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    settings = request.app.state.settings
    key = recognise(settings, presented.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        message = "An API key is needed: send it as 'Authorization: Bearer …'."
        raise Refusal(401, message, "invalid_api_key", WWW_Authenticate="Bearer")
    request.state.key = key
    wait = request.app.state.buckets.take(key, time.monotonic())
    if wait:
        message = f"Too many requests for this key; come back in {wait:.1f} s."
        raise Refusal(429, message, "rate_limit_exceeded", Retry_After=str(int(wait) + 1))
    return key


async def _guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
    """Name the request, bound its body, count and note it, and add the security headers."""
    meters, started = request.app.state.meters, time.monotonic()
    request.state.id = uuid.uuid4().hex
    response = _too_large(request) or await proceed(request)
    route = request.scope.get("route")
    path, seconds = getattr(route, "path", "unknown"), time.monotonic() - started
    meters.requests.labels(path, str(response.status_code)).inc()
    meters.seconds.labels(path).observe(seconds)
    response.headers.update(SECURITY_HEADERS | {"X-Request-Id": request.state.id})
    _note(request, path, response.status_code, seconds)
    return response


def _note(request: Request, path: str, status: int, seconds: float) -> None:
    """Write a line of the audit log; a stream is noted when it begins."""
    key = getattr(request.state, "key", None)
    said = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request": request.state.id,
        "key": key.name if key else "",
        "from": request.client.host if request.client else "",
        "method": request.method,
        "route": path,
        "status": status,
        "seconds": round(seconds, 4),
    }
    audit.info("%s", json.dumps(said))


def _open_audit_log(settings: Settings) -> None:
    """Let the audit log go to a file of the world, which may be rotated from outside."""
    file = (settings.data_dir / "logs" / "audit.jsonl").resolve()
    if any(getattr(h, "baseFilename", "") == str(file) for h in audit.handlers):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    for handler in list(audit.handlers):
        audit.removeHandler(handler)
        handler.close()
    audit.addHandler(WatchedFileHandler(file, delay=True))
    audit.setLevel(logging.INFO)
    audit.propagate = False


def _too_large(request: Request) -> Response | None:
    """Refuse a body over the limit by its announced length; one of unknown length is refused too."""
    length = request.headers.get("content-length")
    if request.method != "POST" or (length and length.isdigit() and int(length) <= MAX_BODY):
        return None
    if length is None or not length.isdigit():
        return openai.error(411, "Send the request with a Content-Length.", "length_required")
    message = (
        f"The request has {int(length):,} bytes; {MAX_BODY:,} are allowed. Ask a shorter question."
    )
    return openai.error(413, message, "request_too_large", Connection="close")


async def _refused(_: Request, error: Exception) -> Response:
    return error.response if isinstance(error, Refusal) else openai.error(400, str(error), "bad")


async def _not_offered(_: Request, error: Exception) -> Response:
    status, said = getattr(error, "status_code", 400), str(getattr(error, "detail", error))
    headers = getattr(error, "headers", None) or {}
    return openai.error(status, f"{said}.", said.lower().replace(" ", "_"), **headers)


async def _malformed(_: Request, error: Exception) -> Response:
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {"msg": str(error)}
    where = ".".join(str(part) for part in found.get("loc", ()) if part != "body")
    message = f"{where or 'body'}: {found['msg']}."
    # What is no JSON has a place, and no name.
    param = None if where[:1].isdigit() else where or None
    return openai.error(400, message, "invalid_request", param)


async def _unavailable(_: Request, error: Exception) -> Response:
    return openai.error(503, str(error), "unavailable", Retry_After="5")


async def _model_failed(_: Request, error: Exception) -> Response:
    return openai.error(503, str(error), MODEL_FAILED, Retry_After="5")


async def _busy(_: Request, error: Exception) -> Response:
    return openai.error(429, str(error), "overloaded", Retry_After="2")


async def _spent_up(_: Request, error: Exception) -> Response:
    seconds = str(getattr(error, "seconds", 86_400))
    return openai.error(429, str(error), "insufficient_quota", Retry_After=seconds)


def _meters() -> Meters:
    registry = prometheus.CollectorRegistry()

    def make(kind: Any, name: str, said: str, *labels: str) -> Any:
        return kind(f"twin_{name}", said, labels, registry=registry)

    counter, histogram = prometheus.Counter, prometheus.Histogram
    return Meters(
        registry,
        requests=make(counter, "requests", "Requests.", "path", "status"),
        seconds=make(histogram, "seconds", "Seconds to a response's first byte.", "path"),
        answers=make(counter, "answers", "Answers.", "outcome", "model"),
        steps=make(histogram, "step_seconds", "Seconds a step of an answer.", "step"),
        tokens=make(counter, "tokens", "Tokens of models.", "kind"),
        feedback=make(counter, "feedback", "Judgements of answers.", "judgement"),
        model=make(prometheus.Gauge, "model_info", "1 for the model that answers.", "model"),
    )
