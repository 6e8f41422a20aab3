"""OpenTelemetry: a span for every request, with the steps of an answer below it. Off unless TWIN_TELEMETRY says on.

Where spans go, as whose, and how many are the standard OTEL_* variables (OTEL_EXPORTER_OTLP_ENDPOINT
and so on), which the exporter reads by itself. A span carries ids, counts and times, never a text.
"""

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from include.settings import Settings
from ml.types import Trace

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

SECOND = 1_000_000_000


class Spans:
    """ASGI middleware: a span from a request's first byte to its answer's last."""

    def __init__(self, app: Any, tracer: "Tracer") -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on inside a span, which goes on from a caller's `traceparent`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry import propagate
        from opentelemetry.trace import SpanKind

        sent = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        with self._tracer.start_as_current_span(
            scope["method"], propagate.extract(sent), kind=SpanKind.SERVER
        ) as span:

            async def note(message: Mapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    route = getattr(scope.get("route"), "path", "unknown")
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, note)


def install_spans(api: "FastAPI", settings: Settings) -> None:
    """Put spans around an application, if the settings want them."""
    if settings.telemetry:
        api.state.tracer = provider().get_tracer("llm-twin")
        api.add_middleware(Spans, tracer=api.state.tracer)


def record_answer(api: "FastAPI", trace: Trace) -> None:
    """Turn the steps of an answer into spans below the request's, one after the other up to now."""
    tracer = getattr(api.state, "tracer", None)
    if tracer is None:
        return
    at = time.time_ns() - int(sum(trace.seconds.values()) * SECOND)
    for step, seconds in trace.seconds.items():
        span = tracer.start_span(step, start_time=at)
        at += int(seconds * SECOND)
        span.set_attribute("twin.trace", trace.id)
        span.set_attribute("twin.model", trace.model_id)
        span.set_attribute("twin.abstained", trace.abstained)
        span.set_attribute("twin.chunks", len(trace.chunk_ids))
        span.end(end_time=at)


@cache
def provider() -> "TracerProvider":
    """Open the way to a collector, once per process."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return provider_for(OTLPSpanExporter())


def provider_for(exporter: "SpanExporter") -> "TracerProvider":
    """Make a provider of spans; they leave in batches, beside the answers."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    made = TracerProvider(resource=Resource.create({"service.name": "llm-twin"}))
    made.add_span_processor(BatchSpanProcessor(exporter))
    return made
