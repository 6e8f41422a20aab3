"""What Prometheus is told: every metric moves with what happens, and the model that answers is named."""

import re

from serving_world import UNKNOWN, ask, call, endpoint


class Away:
    """A speaker whose replicas are gone."""

    async def state(self, model_id=""):
        raise ConnectionError("The replica with the model went away; ask again.")


def test_the_counters_can_be_scraped(stock, http, served):
    answer = ask(stock)
    ask(stock, UNKNOWN)
    http.post("/v1/feedback", json={"trace_id": answer.trace_id, "score": 1})
    text = http.get("/metrics").text

    for moved in (
        r'twin_requests_total\{path="/v1/chat/completions",status="200"\}',
        rf'twin_answers_total\{{model="{served[1]}",outcome="answered"\}}',
        rf'twin_answers_total\{{model="{served[1]}",outcome="abstained"\}}',
        r'twin_tokens_total\{kind="prompt"\}',
        r'twin_feedback_total\{judgement="up"\}',
        r'twin_step_seconds_count\{step="retrieve"\}',
        rf'twin_model_info\{{model="{served[1]}"\}}',
    ):
        assert re.search(moved + " [1-9]", text), moved


def test_the_counters_can_be_scraped_while_no_model_can_be_reached(answering):
    with endpoint(answering.world, Away(), answering.twin) as url:
        scraped = call(answering.world, url).get("/metrics")

    assert scraped.status_code == 200
    assert "twin_model_info{" not in scraped.text
