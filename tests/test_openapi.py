"""The API as it is described: every route with its key and errors, and no described request breaks the server."""

import httpx
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from serving_world import ask

from include.keys import api_key
from serving.openapi import ERRORS, describe_api


def test_every_route_is_described_with_its_key_and_its_errors(url):
    described = httpx.get(f"{url}/openapi.json").json()
    operations = {
        (method, path): operation
        for path, its in described["paths"].items()
        for method, operation in its.items()
    }

    assert ("post", "/v1/chat/completions") in operations
    assert len(operations) >= 10
    open_ones = {path for (_, path), o in operations.items() if o["security"] == []}
    assert open_ones == {"/healthz", "/readyz"}
    assert all(set(ERRORS) <= set(o["responses"]) for o in operations.values())
    assert "422" not in str({k: o["responses"].keys() for k, o in operations.items()})


def test_the_page_names_every_route_and_brings_no_script(url):
    page = httpx.get(f"{url}/docs")
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]

    assert all(path in page.text for path in paths)
    assert "<b>messages</b>, model" in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("text/html", "")


def test_an_api_without_routes_is_described_too():
    assert describe_api(FastAPI(title="None"))["info"]["title"] == "None"


def test_no_described_request_is_answered_by_a_server_error(answering):
    # Hypothesis changes the recursion limit, which Python's parser does not bear: everything is imported before.
    ask(answering.stock, response_format={"type": "json_object"})
    for path in ("/model", "/v1/models", "/metrics"):
        assert answering.http.get(path).status_code == 200
    schema = schemathesis.openapi.from_url(f"{answering.url}/openapi.json")
    headers = {"Authorization": f"Bearer {api_key(answering.world)}"}
    tried = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            tried.append(case.operation.label)
            answer = case.call(base_url=answering.url, headers=headers, timeout=60)
            case.validate_response(answer, checks=[not_a_server_error])

        check()

    assert len(set(tried)) >= 10
