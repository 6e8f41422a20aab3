"""What Prometheus is told: answers, their steps and tokens, and which model answers now."""

import uuid
from collections.abc import Iterator

import prometheus_client as prometheus
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client.core import Metric

from ml.types import Answer, Trace
from serving.guard import Meters, need
from serving.shelf import Busy

routes = APIRouter()
# Where several replicas answer, each scrape meets one of them: each counts for itself, and sums are made of rates.
REPLICA = uuid.uuid4().hex[:8]


class _OfReplica(prometheus.CollectorRegistry):
    """A registry whose every sample says which replica counted it."""

    def __init__(self, registry: prometheus.CollectorRegistry) -> None:
        super().__init__()
        self._counted = registry

    def collect(self) -> Iterator[Metric]:
        """Pass the metrics on with one label more."""
        for metric in self._counted.collect():
            named = (s._replace(labels={**s.labels, "replica": REPLICA}) for s in metric.samples)
            metric.samples = list(named)
            yield metric


@routes.get("/metrics", dependencies=need("watch"))
async def metrics(request: Request) -> PlainTextResponse:
    """Expose the counters to Prometheus."""
    meters = request.app.state.meters
    meters.model.clear()
    try:
        state = await request.app.state.speaker.state()
        meters.model.labels(str(state["model_id"])).set(1 if state["model_id"] else 0)
    except (ConnectionError, Busy):
        # Nobody can tell now: without a value, an alert fires where it lasts.
        meters.model.clear()
    text = prometheus.generate_latest(_OfReplica(meters.registry))
    return PlainTextResponse(text, media_type=prometheus.CONTENT_TYPE_LATEST)


def count_answer(meters: Meters, answer: Answer, trace: Trace) -> None:
    """Count an answer, its steps and its tokens."""
    outcome = "abstained" if trace.abstained else "answered"
    meters.answers.labels(outcome, trace.model_id).inc()
    for step, seconds in trace.seconds.items():
        meters.steps.labels(step).observe(seconds)
    meters.tokens.labels("prompt").inc(answer.prompt_tokens)
    meters.tokens.labels("completion").inc(answer.completion_tokens)
