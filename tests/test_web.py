"""The web is read with manners: robots.txt, turns, conditional requests, redirects and waits that end."""

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from web_site import refusal, web, world

from include.documents import open_documents
from include.web import decode, open_web
from include.wire import Reply


def test_a_page_comes_with_its_text_and_an_honest_user_agent(site):
    site.pages["/a"] = "<p>naïve — ‘quoted’</p>"

    page = web(site).get(f"{site.url}/a")

    assert (page.status, page.text) == (200, "<p>naïve — ‘quoted’</p>")
    assert site.asked[-1][1]["User-Agent"].startswith("llm-twin/")


def test_robots_txt_is_read_once_and_obeyed(site):
    site.pages |= {
        "/robots.txt": "User-agent: llm-twin\nDisallow: /no/\n\nUser-agent: *\nDisallow: /\n",
        "/yes": "x",
        "/no/a": "x",
    }
    reader = web(site)

    assert reader.get(f"{site.url}/yes").status == 200
    assert refusal(reader, f"{site.url}/no/a").reason == "robots"
    assert [path for path, _ in site.asked] == ["/robots.txt", "/yes"]


def test_a_server_in_trouble_forbids_everything_but_a_missing_robots_txt_nothing(site):
    site.pages |= {"/robots.txt": 500, "/a": "x"}
    assert refusal(web(site), f"{site.url}/a").reason == "robots-unavailable"

    site.pages["/robots.txt"] = 403
    assert web(site).get(f"{site.url}/a").status == 200


def test_a_robots_txt_of_megabytes_is_read_from_its_beginning(site):
    site.pages |= {
        "/robots.txt": "User-agent: *\nDisallow: /no\n" + "# x\n" * 2_600_000,
        "/no": "x",
    }

    assert refusal(web(site), f"{site.url}/no").reason == "robots"


def test_the_longer_of_crawl_delay_and_setting_is_kept_between_two_pages(site):
    site.pages |= {"/robots.txt": "User-agent: *\nCrawl-delay: 0.3\n", "/a": "x", "/b": "x"}
    reader = web(site, crawl_delay=0.1)

    started = time.monotonic()
    reader.get(f"{site.url}/a")
    reader.get(f"{site.url}/b")

    assert time.monotonic() - started >= 0.6


def test_a_page_that_did_not_change_is_not_sent_again(site, settings):
    site.pages["/a"] = "text"
    with open_documents(settings) as documents:
        reader = open_web(world(site, settings), documents)
        first = reader.get(f"{site.url}/a")
        documents.put_page_state(f"{site.url}/a", **first.state)

        assert reader.get(f"{site.url}/a").unchanged
        assert not reader.get(f"{site.url}/a", conditional=False).unchanged
        site.pages["/a"] = "changed"
        assert reader.get(f"{site.url}/a").text == "changed"


def test_a_304_that_nobody_asked_for_is_no_page(site):
    site.pages["/a"] = 304

    assert refusal(web(site), f"{site.url}/a").reason == "http-304"


@pytest.mark.parametrize("date", [False, True])
def test_a_busy_server_is_asked_again_when_it_says(site, date):
    def busy_once(handler) -> None:
        del site.pages["/a"]
        site.pages["/a"] = "here"
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
        handler.send_response(429)
        handler.send_header("Retry-After", moment if date else "0")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.pages["/a"] = busy_once

    assert web(site).get(f"{site.url}/a").text == "here"


def test_a_server_that_asks_to_wait_for_an_hour_is_left_alone(site):
    site.pages["/a"] = 503
    site.headers["/a"] = {"Retry-After": "3600"}

    started = time.monotonic()
    assert refusal(web(site), f"{site.url}/a").reason == "busy"
    assert time.monotonic() - started < 600


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_an_error_has_its_status_as_its_reason(site, status):
    site.pages["/a"] = status

    refused = refusal(web(site), f"{site.url}/a")

    assert (refused.reason, refused.status) == (f"http-{status}", status)


def test_a_redirect_is_followed_to_where_the_page_is(site):
    site.pages |= {"/old": 301, "/new": "here"}
    site.headers["/old"] = {"Location": "/new"}

    page = web(site).get(f"{site.url}/old")

    assert (page.asked, page.url, page.text) == (f"{site.url}/old", f"{site.url}/new", "here")


def test_a_redirect_loop_ends(site):
    site.pages["/a"] = 302
    site.headers["/a"] = {"Location": "/a"}

    assert refusal(web(site), f"{site.url}/a").reason == "redirects"
    assert len(site.paths) == 6


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "private-address"),
        ("http://127.0.0.1:9/", "private-address"),
        ("http://[::ffff:10.0.0.1]/", "private-address"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1/", "scheme"),
    ],
)
def test_a_redirect_does_not_lead_inside(site, where, reason):
    site.pages["/a"] = 302
    site.headers["/a"] = {"Location": where}

    assert refusal(web(site), f"{site.url}/a").reason == reason


def test_a_secure_page_does_not_lead_to_an_open_one(site, monkeypatch):
    """The TLS is left out here: what is asked is what a redirect is followed to."""
    moved = Reply(302, {"location": "http://quay.example/a"}, b"")
    answers = {"robots.txt": Reply(404, {}, b""), "a": moved}
    monkeypatch.setattr("include.web.request", lambda url, *_: answers[url.rpartition("/")[2]])

    assert refusal(web(site), "https://quay.example/a").reason == "downgrade"


def test_a_redirect_into_what_robots_txt_forbids_is_not_followed(site):
    site.pages |= {"/robots.txt": "User-agent: *\nDisallow: /no\n", "/a": 302, "/no": "x"}
    site.headers["/a"] = {"Location": "/no"}

    assert refusal(web(site), f"{site.url}/a").reason == "robots"


def test_a_host_that_is_down_is_given_up_soon(site):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    reader = web(site, crawl_allow_hosts=host, crawl_timeout=1)
    for number in range(30):
        assert refusal(reader, f"http://{host}/{number}").reason == "unreachable"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), "text/html; charset=iso-8859-1", "é"),
        ("é".encode("latin-1"), "text/html; charset=iso-8859-1", "é"),
        ("“é”".encode("cp1252"), "text/html", "“é”"),
        ("<?xml encoding='koi8-r'?>Ж".encode("koi8-r"), "", "<?xml encoding='koi8-r'?>Ж"),
        ("é".encode("utf-16"), "text/html; charset=utf-8", "é"),
        (b"\xef\xbb\xbfx", "", "x"),
        (b"+ADw-script+AD4-", "text/html; charset=utf-7", "+ADw-script+AD4-"),
        (b"a\x00b\xff", "text/html; charset=hex", "abÿ"),
        (b"\xff", "text/html; charset=no-such", "ÿ"),
    ],
)
def test_text_is_decoded_by_what_it_is_and_not_by_what_it_says(body, content_type, text):
    assert decode(body, content_type) == text
