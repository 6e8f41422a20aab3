"""A blog is read by following its links: inside its path, within bounds, each page once."""

import pytest
from web_site import article, blog, visit

from include.wire import Refused


def links(*paths: str) -> str:
    return "<html><body><ul>" + "".join(f"<li><a href='{p}'>x</a></li>" for p in paths) + "</ul>"


def leading(name: str, *paths: str) -> str:
    return article(name).replace("</article>", f"</article>{links(*paths)}")


def test_articles_are_found_by_links_and_listings_are_none(site, settings, documents):
    site.pages |= {
        "/blog/": links("/blog/a/", "page/2/", "/about/", "https://elsewhere.example/", "b.png"),
        "/blog/page/2/": links("/blog/b/", "/blog/tags/rope/"),
        "/blog/tags/rope/": leading("Rope", "/blog/c/"),
        "/blog/a/": leading("A", "/blog/", "/blog/a/#top", "/blog/a/?utm_source=x"),
        "/blog/b/": article("B"),
        "/blog/c/": article("C"),
        "/about/": article("About"),
    }

    found = visit(site, settings, documents, blog(site, "blog", "/blog/"))

    assert {d.title for d in found.documents} == {"A", "B", "C"}
    assert found.rejected == []
    assert sorted(site.paths) == sorted(set(site.paths)) and "/about/" not in site.paths


def test_a_second_crawl_follows_links_that_it_remembers(site, settings, documents):
    place = blog(site, "blog", "/")
    site.pages |= {"/": links("/a/"), "/a/": leading("A", "/b/"), "/b/": article("B")}
    visit(site, settings, documents, place)

    again = visit(site, settings, documents, place)
    assert (again.documents, again.unchanged, site.paths) == ([], 2, ["/", "/a/", "/b/"])

    site.pages |= {"/a/": article("A"), "/b/": 404}
    assert len(visit(site, settings, documents, place).gone) == 1


def test_a_calendar_without_end_and_sessions_are_bounded(site, settings, documents):
    def day(handler) -> None:
        number = int(handler.path.strip("/").rpartition("/")[2])
        body = leading(
            f"Day {number}", f"/cal/{number + 1}", f"/cal/{number}?sid={number}"
        ).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    site.pages |= {"/cal/": links("/cal/1"), **{f"/cal/{n}": day for n in range(1, 60)}}

    near = visit(site, settings, documents, blog(site, "blog", "/cal/"))
    assert [d.title for d in near.documents] == ["Day 1", "Day 2", "Day 3"]

    few = blog(site, "blog", "/cal/", depth="50", limit="7")
    visit(site, settings, documents, few)
    assert len(site.paths) == 1 + 7


def test_only_what_matches_is_an_article(site, settings, documents):
    site.pages |= {"/": links("/x/"), "/x/": leading("X", "/2026/a"), "/2026/a": article("A")}

    found = visit(site, settings, documents, blog(site, "blog", "/", match=r"/\d{4}/\w"))
    assert [d.title for d in found.documents] == ["A"]


@pytest.mark.parametrize("option", [{"depth": "deep"}, {"limit": "-1"}, {"match": "("}])
def test_a_wrong_option_is_a_sentence(site, settings, documents, option):
    with pytest.raises(ValueError, match=next(iter(option))):
        visit(site, settings, documents, blog(site, "blog", "/", **option))


def test_a_blog_that_is_not_there_is_an_error_and_forgets_nothing(site, settings, documents):
    with pytest.raises(Refused, match="blog at .* cannot be read"):
        visit(site, settings, documents, blog(site, "blog", "/"))
