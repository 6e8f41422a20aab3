"""Health: what a program answers, and how long it may be unwell before it is restarted."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import free_port

from include.health import Watch, is_healthy
from include.services import Service


@pytest.fixture
def answer():
    """Answer every question with what the test puts in here."""
    said = {"status": 200, "body": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(said["status"])
            self.end_headers()
            self.wfile.write(json.dumps(said["body"]).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}/health"
    said["port"] = server.server_port
    yield said
    server.shutdown()
    server.server_close()


def test_a_program_is_well_when_its_question_is_answered_with_200(answer):
    service = Service("x", (), answer["port"], health=answer["url"])
    assert is_healthy(service)
    answer["status"] = 503
    assert not is_healthy(service)


def test_only_the_component_counts_where_one_is_named(answer):
    service = Service("x", (), 0, health=answer["url"], component="scheduler")
    answer["body"] = {"scheduler": {"status": "unhealthy"}, "triggerer": {"status": "healthy"}}
    assert not is_healthy(service)
    answer["body"] = {"scheduler": {"status": "healthy"}}
    assert is_healthy(service)
    answer["body"] = {}
    assert not is_healthy(service)


def test_a_proxy_of_the_environment_does_not_stand_in_between(answer, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert is_healthy(Service("x", (), 0, health=answer["url"]))


def test_one_without_a_question_is_well_while_it_listens(answer):
    assert is_healthy(Service("x", (), answer["port"]))
    assert not is_healthy(Service("x", (), free_port()))
    assert is_healthy(Service("nowhere", (), 0))


def test_nobody_listening_is_not_well():
    assert not is_healthy(Service("x", (), 0, health=f"http://127.0.0.1:{free_port()}/"))


def test_only_one_that_was_unwell_for_all_of_its_patience_is_overdue():
    service = Service("x", (), 1, patience=30)
    watch, unwell = Watch([service]), {"x"}

    def check(service):
        return service.name not in unwell

    assert watch.overdue(0, check) == []
    assert watch.overdue(29, check) == []
    unwell.clear()
    assert watch.overdue(30, check) == []
    unwell.add("x")
    assert watch.overdue(31, check) == []
    assert watch.overdue(61, check) == [service]


def test_after_a_restart_the_count_starts_anew():
    service = Service("x", (), 1, patience=30)
    watch = Watch([service])
    assert watch.overdue(0, lambda _: False) == []
    assert watch.overdue(30, lambda _: False) == [service]
    assert watch.overdue(31, lambda _: False) == []
    assert watch.overdue(60, lambda _: False) == []
    assert watch.overdue(61, lambda _: False) == [service]


def test_where_the_api_server_is_silent_only_it_is_restarted():
    server = Service("api", (), 1, health="http://here/health", patience=1)
    scheduler = Service("s", (), 0, health="http://here/health", component="scheduler", patience=1)
    watch = Watch([server, scheduler])
    assert watch.overdue(0, lambda _: False) == []
    assert watch.overdue(1, lambda _: False) == [server]
