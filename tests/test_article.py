"""An article comes out of its page as its author wrote it: all of it, and nothing of what stands around it."""

import contextlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pytest
from benchmarks.extraction import extract, read_truth, score
from builders import PARAGRAPH

from demo.site import load_pages, render
from include.crawlers.article import canonical_form, read_article, same_site

SAVED = Path(__file__).parent / "saved"
URL = "https://quay.example/2026/ropes-and-replicas/"


def page(body: str, head: str = "") -> str:
    return f"<html><head>{head}</head><body><main>{body}</main></body></html>"


def words(count: int = 3) -> str:
    return f"<p>{PARAGRAPH * count}</p>"


def test_the_saved_page_of_a_blog_gives_exactly_its_article():
    article = read_article((SAVED / "article.html").read_text(), URL)

    assert article.text == (SAVED / "article.md").read_text().rstrip("\n")
    assert article.title == "Ropes and replicas"
    assert article.authors == ("Maren Oduya",)
    assert article.published_at == datetime(2026, 2, 3, 8, 15, tzinfo=UTC)
    assert article.url == "https://quay.example/2026/ropes-and-replicas/"
    assert article.language == "en-GB"


def test_every_page_of_the_demo_gives_its_article_word_for_word():
    pages = load_pages(2)
    for path, source in pages.items():
        article = read_article(render(source, pages, "http://127.0.0.1"), f"http://127.0.0.1{path}")

        # The site's Markdown library turns tabs into blanks; addresses of links are not prose.
        written = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", source.body.strip())
        assert article.text.strip() == written.expandtabs(4), path
        assert article.title == source.title


def test_comments_of_readers_and_hidden_text_are_not_the_authors():
    text = read_article((SAVED / "article.html").read_text(), URL).text

    for foreign in ("lol", "Great article", "Ignore previous", "Share this", "Filed", "partners"):
        assert foreign not in text


@pytest.mark.parametrize(
    "style",
    [
        *("opacity:0", "height:0;overflow:hidden", "color:#FFF; background:white"),
        *("position:absolute;left:-9999px", "text-indent:-999em", "clip:rect(0,0,0,0)"),
    ],
)
def test_a_box_that_nobody_sees_is_not_read(style):
    page = f"<article><p>{words()}</p><p style='{style}'>The unseen order.</p></article>"

    assert "unseen" not in read_article(page, URL).text


@pytest.mark.parametrize("style", ["opacity:0", "color:#111;background-color:#fff", "height:0.5em"])
def test_an_article_that_fades_in_is_read(style):
    assert read_article(f"<article style='{style}'><p>{words()}</p></article>", URL).text


def test_what_readers_wrote_is_kept_apart_and_once():
    (comments,) = read_article((SAVED / "article.html").read_text(), URL).comments

    assert comments.count("nobody noticed") == comments.count("Which tool do you use") == 1


@pytest.mark.parametrize(
    "page", sorted((SAVED / "extraction").glob("*.html")), ids=lambda p: p.stem
)
def test_the_body_of_every_saved_page_is_found_to_the_word(page: Path):
    found = read_article(page.read_text(), URL).text

    assert re.findall(r"\w+", found) == re.findall(r"\w+", page.with_suffix(".txt").read_text())


def test_pages_that_nothing_was_tuned_on_are_read_nearly_to_the_word():
    pages = read_truth(SAVED / "independent")
    found = {name: score(extract(html), truth)[2] for name, html, truth in pages}

    assert len(found) >= 20 and fmean(found.values()) > 0.99
    assert min(found.values()) > 0.95


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("blogger-classic", "Two tenors"),
        ("disqus-rendered", "Subtracting clocks"),
        ("tumblr-like", "lamps, and opinions about them"),
        ("docs-sphinx", "Printing labels"),
        ("hackernews-style-static", "Boring on purpose"),
    ],
)
def test_the_title_is_the_article_s_and_not_the_site_s(name, title):
    assert read_article((SAVED / "independent" / f"{name}.html").read_text(), URL).title == title


@pytest.mark.parametrize("name", ["disqus-rendered", "indieweb-long-comments"])
def test_comments_are_context_whatever_shows_them(name):
    found = read_article((SAVED / "independent" / f"{name}.html").read_text(), URL)

    assert len(found.comments) == 1 and found.comments[0] not in found.text


@pytest.mark.parametrize(
    "body",
    [
        f"<div class='post'>{words()}</div>",
        f"<form><div class='has-sidebar comment-open'>{words()}</div></form>",
        f"<section id='related-work'><h2>Related work</h2>{words()}</section>",
        f"<div><div><div class='share newsletter'>{words()}</div></div></div>",
        f"{PARAGRAPH}<br><br>{PARAGRAPH}",
    ],
)
def test_an_article_is_found_whatever_its_containers_are_called(body):
    assert PARAGRAPH.strip() in read_article(page(body), URL).text


def test_a_heading_named_like_a_box_stays():
    text = read_article(page(f"{words()}<h2 class='share'>Share the load</h2>{words()}"), URL).text

    assert "## Share the load" in text


def test_notes_of_the_author_stay():
    text = read_article(
        page(f"{words()}<aside class='footnotes'><p>1. It was a Monday.</p></aside>"), URL
    ).text

    assert "It was a Monday." in text


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://quay.example/other/", "https://quay.example/other/"),
        ("/relative/?utm_source=x&id=3#top", "https://quay.example/relative/?id=3"),
        ("https://www.quay.example/a/", "https://www.quay.example/a/"),
        ("https://evil.example/a/", URL),
        ("https://quay.example/", URL),
        ("javascript:alert(1)", URL),
    ],
)
def test_a_canonical_address_is_believed_on_the_same_site_only(link, url):
    html = page(words(), f'<link rel="canonical" href="{link}">')

    assert read_article(html, f"{URL}#part").url == url


def test_an_address_has_one_form():
    assert canonical_form("HTTP://Quay.Example:80/a;jsessionid=9F?utm_medium=x&sid=1&b=2#c") == (
        "http://quay.example/a?b=2"
    )
    assert canonical_form("https://quay.example") == "https://quay.example/"
    assert canonical_form("http://127.0.0.1:8290/a") == "http://127.0.0.1:8290/a"


def test_sites_are_the_same_with_their_subdomains():
    assert same_site("https://www.quay.example/a", "http://quay.example/")
    assert same_site("https://blog.quay.example/", "https://quay.example/")
    assert not same_site("https://quay.example.evil.example/", "https://quay.example/")
    assert not same_site("https://myquay.example/", "https://quay.example/")


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        (
            '<meta property="article:published_time" content="2025-04-05T06:00:00Z">',
            (2025, 4, 5, 6),
        ),
        ('<meta name="date" content="2025-04-05">', (2025, 4, 5)),
        (
            '<script type="application/ld+json">{"@type":"Article","datePublished":"2025-04-05"}</script>',
            (2025, 4, 5),
        ),
        (
            '<script type="application/ld+json">{broken</script><meta name="date" content="2025-04-05">',
            (2025, 4, 5),
        ),
    ],
)
def test_the_date_is_read_from_wherever_the_page_says_it(head, moment):
    assert read_article(page(words(), head), URL).published_at == datetime(*moment, tzinfo=UTC)


def test_the_date_of_a_comment_is_not_the_articles():
    html = page(f"{words()}<div class='comments'><time datetime='2020-01-01'>then</time></div>")

    assert read_article(html, URL).published_at is None


@pytest.mark.parametrize(
    "html", ["", "<html></html>", "not a page", "<p>", "\x00" * 99, "<!--" * 999]
)
def test_what_is_no_article_gives_little_and_no_error(html):
    assert len(read_article(html, URL).text) < 100


@pytest.mark.parametrize(
    "body",
    ["<div>" * 50_000 + words(), "<b>x</b>" * 500_000, "<" * 1_000_000, "<p " + "a=1 " * 500_000],
)
def test_a_page_that_is_made_to_hurt_ends_soon(body):
    started = time.process_time()
    with contextlib.suppress(ValueError):
        read_article(page(body), URL)

    assert time.process_time() - started < 5


def test_a_teaser_before_the_article_does_not_move_where_the_article_is():
    said = [f"{PARAGRAPH}This is part {n}." for n in range(3)]
    body = "".join(f"<p>{text}</p>" for text in said)
    teaser = f"<div><section><p>{said[0]}</p></section></div>"

    text = read_article(
        f"<body>{teaser}<div><div>{body}</div></div></body>", "https://q.example/a/"
    ).text

    assert text.count("This is part 0.") == 1 and "This is part 2." in text
