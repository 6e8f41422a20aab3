"""What Prometheus is told: every metric moves with what happens, and the model that answers is named."""

from prometheus_client.parser import text_string_to_metric_families
from serving_world import UNKNOWN, ask, call, endpoint

from serving.meters import REPLICA


class Away:
    """A speaker whose replicas are gone."""

    async def state(self, model_id=""):
        raise ConnectionError("The replica with the model went away; ask again.")


def test_the_counters_can_be_scraped(stock, http, served):
    answer = ask(stock)
    ask(stock, UNKNOWN)
    http.post("/v1/feedback", json={"trace_id": answer.trace_id, "score": 1})
    families = text_string_to_metric_families(http.get("/metrics").text)
    counted = {(s.name, *sorted(s.labels.values())): s.value for f in families for s in f.samples}

    for moved in (
        ("twin_requests_total", "/v1/chat/completions", "200"),
        ("twin_answers_total", "answered", served[1]),
        ("twin_answers_total", "abstained", served[1]),
        ("twin_tokens_total", "prompt"),
        ("twin_feedback_total", "up"),
        ("twin_step_seconds_count", "retrieve"),
        ("twin_model_info", served[1]),
    ):
        # Several replicas may answer: each says which one counted.
        assert counted[(moved[0], *sorted((*moved[1:], REPLICA)))] >= 1, moved


def test_the_counters_can_be_scraped_while_no_model_can_be_reached(answering):
    with endpoint(answering.world, Away(), answering.twin) as url:
        scraped = call(answering.world, url).get("/metrics")

    assert scraped.status_code == 200
    assert "twin_model_info{" not in scraped.text
