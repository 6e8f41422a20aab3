"""Sitemaps: plain, compressed, through an index; what is no sitemap is a sentence."""

import gzip

import pytest
from web_site import article, blog, visit

from include.settings import ROOT

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def sitemap(*paths: str, root: str = "urlset", entry: str = "url") -> str:
    listed = "".join(f"<{entry}><loc>{p}</loc></{entry}>" for p in paths)
    return f"<?xml version='1.0'?><{root} {NAMESPACE}>{listed}</{root}>"


def test_sitemaps_are_read_through_their_index_and_compressed_ones_too(site, settings, documents):
    site.pages |= {f"/{p}/": article(p) for p in ("a", "b", "about")}
    site.pages |= {
        "/sitemap.xml": sitemap(
            f"{site.url}/one.xml",
            f"{site.url}/two.xml.gz",
            "/sitemap.xml",
            root="sitemapindex",
            entry="sitemap",
        ),
        "/one.xml": sitemap(f"{site.url}/a/", f"{site.url}/about/"),
        "/two.xml.gz": gzip.compress(sitemap(f"{site.url}/b/").encode()),
    }

    found = visit(site, settings, documents, blog(site, "sitemap", "/sitemap.xml", match="/[ab]/$"))
    assert {d.title for d in found.documents} == {"a", "b"}


def test_a_saved_sitemap_gives_its_page_and_not_the_pictures(site, settings, documents):
    site.pages["/sitemap.xml"] = (ROOT / "tests" / "saved" / "web" / "sitemap.xml").read_bytes()
    site.pages["/nine-knots/"] = article("Nine knots")

    visit(site, settings, documents, blog(site, "sitemap", "/sitemap.xml"))

    assert site.paths == ["/sitemap.xml", "/nine-knots/"]


def test_what_a_sitemap_no_longer_has_and_answers_404_is_gone_at_once(site, settings, documents):
    place = blog(site, "sitemap", "/sitemap.xml")
    site.pages |= {"/sitemap.xml": sitemap("/a/", "/b/"), "/a/": article("A"), "/b/": article("B")}
    visit(site, settings, documents, place)

    site.pages |= {"/sitemap.xml": sitemap("/a/"), "/b/": 404}
    assert len(visit(site, settings, documents, place).gone) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<html/>",
        "not xml",
        '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>',
        gzip.compress(
            b'<!DOCTYPE lolz [<!ENTITY a "ha">]><urlset><url><loc>&a;</loc></url></urlset>'
        ),
        gzip.compress(b"\0" * 60_000_000),
        b"\x1f\x8bnot gzip",
    ],
)
def test_what_is_no_sitemap_is_a_sentence(site, settings, documents, text):
    site.pages["/sitemap.xml"] = text

    with pytest.raises(ValueError, match="sitemap"):
        visit(site, settings, documents, blog(site, "sitemap", "/sitemap.xml"))
