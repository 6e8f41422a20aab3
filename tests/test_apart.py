"""What is parsed stands in a process that can be ended: one page ends there, and the next one is read."""

import os
import re
import time

import pytest
from web_site import article, blog, site_running, visit

from include import apart as module
from include.apart import apart
from include.crawlers.article import MAX_TAGS
from include.documents import open_documents
from include.wire import Refused

URL = "https://page.example/a/"


def test_an_answer_comes_back_and_so_does_what_is_raised() -> None:
    assert apart(5, URL, str.upper, "said") == "SAID"
    with pytest.raises(ValueError, match="invalid literal"):
        apart(5, URL, int, "said")
    first = apart(5, URL, os.getpid)
    assert first == apart(5, URL, os.getpid) != os.getpid()


def test_the_process_is_kept_whatever_memory_this_one_takes() -> None:
    filled = bytearray(b"a") * (6 * 10**8)
    with pytest.raises(Refused):
        apart(5, URL, bytearray, 3 * 10**9)  # which ends the one that was kept

    assert apart(5, URL, os.getpid) == apart(5, URL, os.getpid)
    assert filled


@pytest.mark.parametrize(
    ("work", "given", "reason"),
    [
        (re.fullmatch, ("(a+)+b", "a" * 60), "too-slow"),
        (bytearray, (3 * 10**9,), "unreadable"),
    ],
    ids=["a search without end", "too much memory"],
)
def test_work_without_end_or_measure_is_ended_and_the_next_is_done(work, given, reason):
    started = time.monotonic()

    with pytest.raises(Refused, match=URL) as raised:
        apart(0.3, URL, work, *given)

    assert raised.value.reason == reason and time.monotonic() - started < 30
    assert apart(5, URL, len, "next") == 4


def test_whoever_is_interrupted_leaves_no_answer_for_the_next_one(monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(module, "_ask", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            apart(5, URL, len, "mine")

    assert apart(5, URL, len, "next") == 4


def test_a_page_that_is_slow_to_read_is_turned_away_and_the_next_one_is_read(settings) -> None:
    heavy = "<h2>the same</h2>" * (MAX_TAGS - 40)
    with site_running() as site, open_documents(settings) as documents:
        items = "".join(f"<item><link>{p}</link></item>" for p in ("/a/", "/b/"))
        site.pages["/feed.xml"] = f"<rss version='2.0'><channel>{items}</channel></rss>"
        site.pages |= {"/a/": f"<article>{heavy}</article>", "/b/": article("Good")}
        found = visit(
            site, settings.model_copy(update={"parse_seconds": 0.5}), documents, blog(site)
        )

    assert [d.title for d in found.documents] == ["Good"]
    assert [(r.reason, r.where) for r in found.rejected] == [("too-slow", f"{site.url}/a/")]
