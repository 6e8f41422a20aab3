"""Feeds, sitemaps and pages: only what changed is fetched in full, and one bad page never stops a source."""

import socket
from datetime import UTC, datetime

import pytest
from builders import PARAGRAPH
from web_site import MAREN, article, blog, visit

from include.sources import crawl
from include.wire import Refused
from ml.types import Rejected, Source, digest


def feed(*paths: str) -> str:
    entries = "".join(
        f"<item><title>About {p}</title><link>{p}</link><pubDate>Tue, 03 Feb 2026 09:00:00 GMT</pubDate></item>"
        for p in paths
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>t</title>{entries}</channel></rss>"


def reasons(found) -> dict[str, str]:
    return {"/" + r.where.split("/", 3)[-1]: r.reason for r in found.rejected}


def test_a_feed_gives_the_pages_that_it_links_to(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("Ropes")}

    (document,) = visit(site, settings, documents).documents

    assert (document.url, document.kind, document.title) == (f"{site.url}/a/", "article", "Ropes")
    assert document.text == f"{PARAGRAPH * 3}This is Ropes."
    assert (document.author, document.source, document.language) == ("maren-oduya", "blog", "en")
    assert document.published_at == datetime(2026, 2, 3, 9, tzinfo=UTC)


def test_only_what_changed_is_fetched_in_full(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/", "/b/"), "/a/": article("A"), "/b/": article("B")}
    assert len(visit(site, settings, documents).documents) == 2

    site.pages |= {
        "/b/": article("B again"),
        "/c/": article("C"),
        "/feed.xml": feed("/a/", "/b/", "/c/"),
    }
    second = visit(site, settings, documents)
    assert ({d.title for d in second.documents}, second.unchanged) == ({"B again", "C"}, 1)

    third = visit(site, settings, documents)
    assert (third.documents, third.unchanged) == ([], 3)
    assert all("If-None-Match" in headers for path, headers in site.asked if path.endswith("/"))


def test_a_page_of_a_server_without_etags_is_unchanged_when_it_says_the_same(
    site, settings, documents
):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    site.headers["/a/"] = {"ETag": ""}
    visit(site, settings, documents)

    found = visit(site, settings, documents)
    assert (found.documents, found.unchanged) == ([], 1)


def test_a_crawl_that_was_killed_before_it_stored_fetches_again(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    allowed = settings.model_copy(update={"crawl_allow_hosts": site.host, "crawl_delay": 0.0})

    assert len(crawl(allowed, blog(site), documents).documents) == 1
    assert len(crawl(allowed, blog(site), documents).documents) == 1


def test_what_was_refused_by_validation_is_not_fetched_again_until_it_changes(
    site, settings, documents
):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    allowed = settings.model_copy(update={"crawl_allow_hosts": site.host, "crawl_delay": 0.0})
    (bad,) = crawl(allowed, blog(site), documents).documents
    refused = Rejected(bad.url, "raw", "language", "blog", "de", bad.text, bad.revision)
    documents.reject([refused], datetime.now(UTC))

    assert visit(site, settings, documents).unchanged == 1
    site.pages["/a/"] = article("Another")
    assert len(visit(site, settings, documents).documents) == 1


def test_what_is_no_longer_listed_and_answers_404_is_gone(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/", "/b/"), "/a/": article("A"), "/b/": article("B")}
    visit(site, settings, documents)

    site.pages["/feed.xml"] = feed("/a/")
    assert visit(site, settings, documents).gone == []
    site.pages["/b/"] = 500
    assert visit(site, settings, documents).gone == []
    site.pages["/b/"] = 404
    assert visit(site, settings, documents).gone == [digest("document", f"{site.url}/b/")]
    assert [d.title for d in documents.active()] == ["A"]


def test_a_listed_page_that_answers_404_is_gone_at_the_second_look(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/", "/b/"), "/a/": article("A"), "/b/": article("B")}
    visit(site, settings, documents)
    where = f"{site.url}/a/"

    site.pages["/a/"] = 404
    first = visit(site, settings, documents)
    assert (first.gone, list(first.suspected), reasons(first)) == ([], [where], {})
    assert visit(site, settings, documents).gone == [digest("document", where)]


def test_a_page_that_comes_back_is_suspected_anew(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    visit(site, settings, documents)

    for status in (404, article("A"), 404):
        site.pages["/a/"] = status
        found = visit(site, settings, documents)
        assert found.gone == []
    assert list(found.suspected) == [f"{site.url}/a/"]


def test_410_is_meant_and_gone_at_once(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    visit(site, settings, documents)

    site.pages["/a/"] = 410
    assert visit(site, settings, documents).gone == [digest("document", f"{site.url}/a/")]


def test_a_page_that_says_with_200_that_it_is_not_there_is_gone_at_the_second_look(
    site, settings, documents
):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    visit(site, settings, documents)

    site.pages["/a/"] = article("Page not found", text="There is nothing here any more.")
    assert list(visit(site, settings, documents).suspected) == [f"{site.url}/a/"]
    assert len(visit(site, settings, documents).gone) == 1


def test_what_is_older_than_a_feed_reaches_back_is_gone_at_the_second_look(
    site, settings, documents
):
    old = '<meta property="article:published_time" content="2020-01-01">'
    site.pages |= {"/feed.xml": feed("/a/", "/b/"), "/a/": article("A", old), "/b/": article("B")}
    visit(site, settings, documents)

    site.pages |= {"/feed.xml": feed("/b/"), "/a/": 404}
    assert list(visit(site, settings, documents).suspected) == [f"{site.url}/a/"]
    assert visit(site, settings, documents).gone == [digest("document", f"{site.url}/a/")]


def test_a_page_that_comes_back_is_a_document_again(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    visit(site, settings, documents)
    site.pages["/a/"] = 410
    visit(site, settings, documents)

    site.pages["/a/"] = article("A")
    assert len(visit(site, settings, documents).documents) == 1
    assert len(documents.active()) == 1


def test_a_page_that_moved_is_not_kept_twice(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/old/"), "/old/": article("A")}
    visit(site, settings, documents)

    site.pages |= {"/feed.xml": feed("/new/"), "/new/": article("A"), "/old/": 301}
    site.headers["/old/"] = {"Location": "/new/"}
    visit(site, settings, documents)

    assert [d.url for d in documents.active()] == [f"{site.url}/new/"]
    assert visit(site, settings, documents).documents == []


def test_bad_pages_are_rejected_with_their_reasons_and_the_others_come(site, settings, documents):
    site.pages |= {
        "/robots.txt": "User-agent: *\nDisallow: /drafts/\n",
        "/drafts/x/": article("Draft"),
        "/broken/": 500,
        "/empty/": article("Empty", text="Nothing."),
        "/guest/": article("Guest", '<meta name="author" content="Someone Else">'),
        "/binary/": b"\x7fELF" + b"\x00" * 5000,
        "/pdf/": b"%PDF-1.7",
        "/cut/": lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"),
        "/home/": 302,
        "/deep/": "<div>" * 9000 + PARAGRAPH * 3,
        "/": article("Home"),
        "/good/": article("Good"),
    }
    site.headers |= {"/pdf/": {"Content-Type": "application/pdf"}, "/home/": {"Location": "/"}}
    listed = [path for path in site.pages if path not in ("/", "/robots.txt")]
    site.pages["/feed.xml"] = feed(
        *listed, "https://elsewhere.example/linked", "mailto:me@x.example"
    )

    found = visit(site, settings, documents)

    assert [d.title for d in found.documents] == ["Good"]
    assert {k: v for k, v in reasons(found).items() if k in site.pages} == {
        "/drafts/x/": "robots",
        "/broken/": "http-500",
        "/empty/": "empty",
        "/guest/": "other-author",
        "/binary/": "binary",
        "/pdf/": "not-html",
        "/cut/": "protocol",
        "/home/": "redirected-home",
        "/deep/": "unreadable",
    }
    assert {r.reason for r in found.rejected} >= {"other-site"}
    assert all(r.stage == "crawl" and r.source == "blog" and r.value for r in found.rejected)


def test_a_page_that_was_mended_is_no_longer_counted_as_rejected(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": 500}
    visit(site, settings, documents)
    assert len(documents.rejected("crawl")) == 1

    site.pages["/a/"] = article("A")
    visit(site, settings, documents)
    assert documents.rejected("crawl") == []


def test_what_was_forgotten_is_never_asked_for_again(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/", "/b/"), "/a/": article("A"), "/b/": article("B")}
    documents.reject([Rejected(f"{site.url}/a/", "forgotten", "asked")], datetime.now(UTC))

    assert [d.title for d in visit(site, settings, documents).documents] == ["B"]
    assert "/a/" not in site.paths

    site.pages |= {
        "/feed.xml": feed("/copy/"),
        "/copy/": article("A", f'<link rel="canonical" href="{site.url}/a/">'),
    }
    found = visit(site, settings, documents)
    assert (found.documents, found.rejected) == ([], [])


def test_pages_that_call_themselves_the_same_are_one_document(site, settings, documents):
    link = f'<link rel="canonical" href="{site.url}/a/">'
    site.pages |= {"/feed.xml": feed("/a/", "/a/?print=1", "/b/"), "/a/": article("A", link)}
    site.pages |= {"/a/?print=1": article("A", link), "/b/": article("B", link)}

    found = visit(site, settings, documents)
    assert ([d.title for d in found.documents], reasons(found)) == (
        ["A"],
        {"/b/": "same-canonical"},
    )


def test_someone_elses_page_is_taken_where_the_source_says_so(site, settings, documents):
    site.pages |= {
        "/feed.xml": feed("/a/"),
        "/a/": article("A", '<meta name="author" content="The Team">'),
    }

    found = visit(site, settings, documents, blog(site, any_author="true"))
    assert len(found.documents) == 1


def test_an_atom_feed_is_read_too_and_its_limit_kept(site, settings, documents):
    entries = "".join(
        f'<entry><id>{i}</id><title>E</title><link href="/{i}/"/><updated>2026-01-0{i}T00:00:00Z</updated></entry>'
        for i in (1, 2, 3)
    )
    site.pages["/feed.xml"] = (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entries}</feed>'
    )
    site.pages |= {f"/{i}/": article(f"Page {i}") for i in (1, 2, 3)}

    found = visit(site, settings, documents, blog(site, limit="2"))
    assert {d.title for d in found.documents} == {"Page 1", "Page 2"}
    assert found.documents[0].published_at is not None


@pytest.mark.parametrize(
    "text",
    [
        "<html>no feed</html>",
        "",
        "/etc/passwd",
        '<!DOCTYPE x [<!ENTITY a "b">]><rss version="2.0"><channel/></rss>',
    ],
)
def test_what_is_no_feed_is_a_sentence(site, settings, documents, text):
    site.pages["/feed.xml"] = text

    with pytest.raises(ValueError, match=r"feed.*at http"):
        visit(site, settings, documents)


@pytest.mark.parametrize("kind", ["feed", "sitemap", "page"])
def test_an_unreachable_site_is_a_sentence(site, settings, documents, kind):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{probe.getsockname()[1]}"
    place = Source("blog", MAREN, kind, f"http://{gone}/x", "yes", {})
    allowed = settings.model_copy(update={"crawl_allow_hosts": gone, "crawl_delay": 0.0})

    with pytest.raises(ConnectionError, match="cannot be reached"):
        crawl(allowed, place, documents)


def test_a_missing_feed_is_an_error_and_forgets_nothing(site, settings, documents):
    site.pages |= {"/feed.xml": feed("/a/"), "/a/": article("A")}
    visit(site, settings, documents)

    del site.pages["/feed.xml"]
    with pytest.raises(Refused, match="answered 404"):
        visit(site, settings, documents)
    assert len(documents.active()) == 1


def test_single_pages_are_crawled_and_are_gone_when_they_answer_404_twice(
    site, settings, documents
):
    site.pages |= {"/a/": article("A"), "/b/": article("B")}
    place = blog(site, "page", "/a/ /b/")
    assert len(visit(site, settings, documents, place).documents) == 2

    site.pages["/b/"] = 404
    assert visit(site, settings, documents, place).gone == []
    found = visit(site, settings, documents, place)
    assert (found.gone, found.unchanged) == ([digest("document", f"{site.url}/b/")], 1)
