"""A page that came is a document, or it is said what it is instead."""

import pytest
from builders import PARAGRAPH
from web_site import MAREN, article

from include.crawlers.reading import Listed, read_document
from include.web import Page
from include.wire import Refused
from ml.types import Source

URL = "https://quay.example/a/"
SOURCE = Source("blog", MAREN, "feed", "https://quay.example/feed.xml", "yes")
PASSWORD = "<form><input type='email'><input name=p type='password'></form>"


def page(html: str, url: str = URL) -> Page:
    return Page(URL, url, 200, {"content-type": "text/html"}, html.encode())


def reason(html: str, url: str = URL) -> str:
    with pytest.raises(Refused) as refused:
        read_document(page(html, url), SOURCE, Listed(URL))
    assert len(str(refused.value)) > 20
    return refused.value.reason


@pytest.mark.parametrize(
    "html",
    [
        article("Page not found", text="The page you asked for is not here. Try the search."),
        article("404 – Slack Water", text="Sorry! " * 60),
        article("Slack Water", text="Oops. This page doesn’t exist. Go back to the start."),
        article("Slack Water", text="The post has been deleted by its author."),
        article("Seite nicht gefunden", text="Leider gibt es hier nichts."),
    ],
)
def test_a_page_that_says_that_it_is_not_there_is_a_soft_404(html):
    assert reason(html) == "soft-404"


@pytest.mark.parametrize(
    "html",
    [
        article("Members", text="Sign in to continue reading this. " * 5),
        article("The tide table", text=PARAGRAPH + "This post is for paid subscribers."),
        article("Welcome", text="Please enter your details. " * 5).replace("</article>", PASSWORD),
    ],
)
def test_a_notice_that_asks_to_log_in_is_a_login_wall(html):
    assert reason(html) == "login-wall"


def test_where_a_redirect_leads_says_what_became_of_a_page():
    assert reason(article("Home"), "https://quay.example/") == "redirected-home"
    assert reason(article("Log in"), "https://quay.example/login?next=/a/") == "login-wall"
    assert reason(article("A"), "https://elsewhere.example/a/") == "other-site"


@pytest.mark.parametrize(
    "title", ["Why 404 is my favourite status", "Sign in to continue: a history of passwords"]
)
def test_an_article_about_such_notices_is_an_article(title):
    html = article(title, text=PARAGRAPH * 4 + "Page not found. Sign in to continue.")

    assert read_document(page(html), SOURCE, Listed(URL)).title == title


def test_a_title_without_end_is_cut():
    html = article("word " * 1000)

    assert len(read_document(page(html), SOURCE, Listed(URL)).title) == 300
