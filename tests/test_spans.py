"""OpenTelemetry: a span for a request and its steps, under a caller's trace, without texts; off by default."""

from itertools import pairwise

import httpx
import pytest
from serving_world import QUESTION, ask, client, endpoint

from ml.laps import ORDER
from serving import spans
from serving.twin import LocalSpeaker

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept(monkeypatch):
    """Keep the spans in this process instead of sending them."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    made = spans.provider_for(exporter)
    monkeypatch.setattr(spans, "provider", lambda: made)
    return lambda: made.force_flush() and exporter.get_finished_spans()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_a_span_with_its_steps_below(answering, kept, stream):
    world = answering.world.model_copy(update={"telemetry": True})
    with endpoint(world, LocalSpeaker(answering.slot), answering.twin) as url:
        stock = client(world, url).with_options(default_headers={"traceparent": PARENT})
        answer = ask(stock, stream=stream)
        if stream:
            list(answer)
    *steps, request = kept()
    found = {s.name: s for s in steps}

    assert request.attributes["http.response.status_code"] == 200
    assert f"{request.context.trace_id:032x}" == PARENT[3:35]
    assert request.name == "POST /v1/chat/completions"
    assert [s.name for s in steps] == list(ORDER)
    assert {s.parent.span_id for s in steps} == {request.context.span_id}
    assert all(one.end_time == other.start_time for one, other in pairwise(steps))
    assert request.start_time <= steps[0].start_time and steps[-1].end_time <= request.end_time
    assert found["generate"].attributes["twin.model"] == answering.slot.loaded.version.id
    assert QUESTION not in str([(s.name, s.attributes) for s in (*steps, request)])


def test_without_the_setting_there_are_no_spans(answering, kept):
    with endpoint(answering.world, LocalSpeaker(answering.slot), answering.twin) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200

    assert kept() == ()
