"""Feeds in all their forms give the author's pages, and tell from when on they are complete."""

from datetime import UTC, datetime

import pytest
from web_site import article, blog, visit

from include.crawlers.feed import MAX_PARTS, MAX_TAGS
from include.settings import ROOT

SAVED = ROOT / "tests" / "saved" / "web"


@pytest.mark.parametrize("form", ["rss", "atom", "json"])
def test_a_saved_feed_gives_its_page_with_what_it_says_of_it(site, settings, documents, form):
    older = '{"version": "https://jsonfeed.org/version/1", "items": [{"url": "/older/"}]}'
    site.pages |= {
        "/feed.xml": (SAVED / f"feed.{form}").read_bytes(),
        "/feed.xml?paged=2": older,
        "/nine-knots/": article("Nine knots"),
        "/older/": article("Older"),
    }

    found = {d.title: d for d in visit(site, settings, documents).documents}

    assert found["Nine knots"].published_at == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert ("Older" in found) == (form != "atom")


def test_a_feed_in_endless_parts_ends(site, settings, documents):
    def part(handler) -> None:
        number = int(handler.path.rpartition("=")[2])
        text = f'{{"version": "https://jsonfeed.org/version/1", "items": [], "next_url": "/f?p={number + 1}"}}'
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())

    site.pages |= {f"/f?p={n}": part for n in range(MAX_PARTS + 9)}

    visit(site, settings, documents, blog(site, path="/f?p=0"))

    assert len(site.paths) == MAX_PARTS


@pytest.mark.parametrize("text", ["{", '{"items": []}', '{"version": "1", "items": []}', "{}" * 9])
def test_json_that_is_no_feed_is_a_sentence(site, settings, documents, text):
    site.pages["/feed.xml"] = text

    with pytest.raises(ValueError, match=r"feed.*at http"):
        visit(site, settings, documents)


def test_a_feed_of_nothing_but_tags_is_a_sentence(site, settings, documents):
    site.pages["/feed.xml"] = "<rss version='2.0'>" + "<a>" * (2 * MAX_TAGS)

    with pytest.raises(ValueError, match=f"feed at http.* has more than {MAX_TAGS} tags"):
        visit(site, settings, documents)
