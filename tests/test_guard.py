"""What stands before every route: keys, budgets, bounds, counters, headers, and errors in one shape."""

import json

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from include.settings import Settings
from serving.guard import MAX_BODY, authenticate, install_guard, need
from serving.keys import Key, allow_key, ensure_key
from serving.shelf import Busy
from serving.twin import NoModel


class Words(BaseModel):
    """What the guarded application understands."""

    text: str


def guarded(folder, **changes):
    """Put the guard before a small application; the caller has the platform's key."""
    world = Settings(data_dir=folder, **{"requests_per_second": 100.0} | changes)
    api = FastAPI()
    install_guard(api, world)

    @api.post("/echo/{name}", dependencies=[Depends(authenticate)])
    def echo(name: str, words: Words) -> str:
        if words.text == "away":
            raise ConnectionError("The index is away.")
        if words.text == "full":
            raise Busy("Every place at the model is taken.")
        if words.text == "nobody":
            raise NoModel("There is no champion yet.")
        return words.text

    @api.get("/watch", dependencies=[Depends(authenticate), *need("watch")])
    def watch() -> str:
        return "seen"

    headers = {"Authorization": f"Bearer {ensure_key(world)}"}
    return TestClient(api, headers=headers, raise_server_exceptions=False), world


@pytest.fixture
def caller(tmp_path):
    return guarded(tmp_path)[0]


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["error"]["message"]


def say(caller, text="hello", **options):
    return caller.post("/echo/one", json={"text": text}, **options)


def test_a_caller_with_a_key_is_let_through(caller):
    answer = say(caller)

    assert (answer.status_code, answer.json()) == (200, "hello")


@pytest.mark.parametrize(
    "presented", ["", "Bearer", "Bearer wrong", "Basic dHdpbjp4", "Bearer ключ"]
)
def test_everybody_else_is_told_to_bring_one(caller, presented):
    answer = say(caller, headers={"Authorization": presented.encode()})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in error_of(answer)


def test_who_asks_too_much_is_told_when_to_come_back(tmp_path):
    caller, world = guarded(tmp_path, requests_per_second=0.2, requests_burst=2)
    allow_key(world, "for-a-friend", Key("friend"))

    first, second, third = say(caller), say(caller), say(caller)
    friend = say(caller, headers={"Authorization": "Bearer for-a-friend"})

    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert 4 <= int(third.headers["retry-after"]) <= 6
    assert "Too many requests for this key" in error_of(third)
    assert friend.status_code == 200


def test_a_key_may_do_what_its_scopes_say_and_nothing_else(tmp_path):
    caller, world = guarded(tmp_path)
    allow_key(world, "for-a-friend", Key("friend", ("chat",)))
    friend = {"Authorization": "Bearer for-a-friend"}

    refused = caller.get("/watch", headers=friend)

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "insufficient_scope")
    assert "lacks the scope 'watch'" in error_of(refused)
    assert caller.get("/watch").json() == "seen"
    assert say(caller, headers=friend).status_code == 200


def test_the_audit_log_says_who_asked_what_route_and_never_what(tmp_path):
    caller, world = guarded(tmp_path)
    answers = [say(caller, "a secret thought"), say(caller, headers={"Authorization": "Bearer no"})]

    text = (world.data_dir / "logs" / "audit.jsonl").read_text()
    first, second = map(json.loads, text.splitlines())

    assert (first["key"], first["route"], first["status"]) == ("platform", "/echo/{name}", 200)
    assert (second["key"], second["status"]) == ("", 401)
    assert [a.headers["x-request-id"] for a in answers] == [first["request"], second["request"]]
    assert "secret" not in text and "Bearer" not in text


def test_a_page_of_another_origin_is_let_nowhere(caller):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    preflight = caller.options("/echo/one", headers=asked)
    answer = say(caller, headers={"Origin": "https://evil.example"})

    for response in (preflight, answer):
        assert not [h for h in response.headers if h.startswith("access-control-")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_wrong_key_takes_nothing_out_of_anybodys_budget(tmp_path):
    caller, _ = guarded(tmp_path, requests_per_second=0.01, requests_burst=1)

    for _ in range(3):
        assert say(caller, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert say(caller).status_code == 200


def test_a_body_over_the_limit_is_refused_with_both_numbers(caller):
    answer = say(caller, "x" * MAX_BODY)

    assert answer.status_code == 413
    assert f"{MAX_BODY:,} are allowed" in error_of(answer)
    assert say(caller, "x" * (MAX_BODY - 100)).status_code == 200


def test_a_body_of_unknown_length_is_refused(caller):
    answer = caller.post("/echo/one", content=iter([b'{"text": ', b'"x"}']))

    assert answer.status_code == 411
    assert "Content-Length" in error_of(answer)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "JSON"),
        (b'{"text": 5}', "text: Input should be a valid string."),
        (b"{}", "text: Field required."),
        (b"[]", "body: "),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_that_cannot_be_read_is_a_sentence(caller, body, reason):
    answer = caller.post("/echo/one", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert reason in error_of(answer)
    assert error_of(answer)
    assert answer.json()["error"]["param"] == ("text" if "text:" in reason else None)


@pytest.mark.parametrize(
    ("text", "reason"), [("away", "The index is away."), ("nobody", "There is no champion yet.")]
)
def test_what_is_missing_for_now_is_worth_another_try(caller, text, reason):
    answer = say(caller, text)

    assert (answer.status_code, error_of(answer)) == (503, reason)
    assert answer.headers["retry-after"] == "5"


def test_places_that_do_not_exist_answer_in_the_same_shape(caller):
    absent, wrong = caller.get("/nowhere"), caller.get("/echo/one")

    assert (absent.status_code, error_of(absent)) == (404, "Not Found.")
    assert (wrong.status_code, error_of(wrong)) == (405, "Method Not Allowed.")
    assert wrong.headers["allow"] == "POST"


@pytest.mark.parametrize("text", ["hello", "away", "x" * MAX_BODY])
def test_every_answer_closes_the_page_to_strangers(caller, text):
    headers = say(caller, text).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_requests_are_counted_by_route_and_never_by_what_was_asked(caller):
    for path in ("/echo/one", "/echo/two", "/nowhere/at/all"):
        caller.post(path, json={"text": "x"})
    registry = caller.app.state.meters.registry

    def count(path, status):
        return registry.get_sample_value("twin_requests_total", {"path": path, "status": status})

    assert count("/echo/{name}", "200") == 2
    assert count("unknown", "404") == 1
    assert registry.get_sample_value("twin_seconds_count", {"path": "/echo/{name}"}) == 2


def test_who_finds_every_place_taken_is_told_when_to_come_back(caller):
    answer = say(caller, "full")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert error_of(answer) == "Every place at the model is taken."
