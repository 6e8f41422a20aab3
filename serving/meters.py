"""What Prometheus is told: answers, their steps and tokens, and which model answers now."""

import prometheus_client as prometheus
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from ml.types import Answer, Trace
from serving.guard import Meters, need
from serving.shelf import Busy

routes = APIRouter()


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
    text = prometheus.generate_latest(meters.registry)
    return PlainTextResponse(text, media_type=prometheus.CONTENT_TYPE_LATEST)


def count_answer(meters: Meters, answer: Answer, trace: Trace) -> None:
    """Count an answer, its steps and its tokens."""
    outcome = "abstained" if trace.abstained else "answered"
    meters.answers.labels(outcome, trace.model_id).inc()
    for step, seconds in trace.seconds.items():
        meters.steps.labels(step).observe(seconds)
    meters.tokens.labels("prompt").inc(answer.prompt_tokens)
    meters.tokens.labels("completion").inc(answer.completion_tokens)
