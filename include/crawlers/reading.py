"""Make a document of a page that came, or say why it is none: another's text, a login wall, nothing any more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from include.crawlers.article import Article, read_article, same_site
from include.crawlers.language import detect_language
from include.crawlers.outcome import is_author, now
from include.web import Page
from include.wire import Refused
from ml.types import Document, Source

# Fewer words than this are no article.
MINIMUM_WORDS = 50
# A notice, of a login or of nothing being there, is no longer than this; an article about such may be.
NOTICE_WORDS = 150
TITLE_CHARACTERS = 300
_FRONT_PAGE = re.compile(r"https?://[^/]+/?(?:index\.html?)?$")
_NOTHING = re.compile(
    r"\b404\b|\b(?:page|post|article|content|story) (?:was |is |could |has been |can ?no[t’']? ?)*"
    r"(?:not (?:be )?found|not available|unavailable|removed|deleted)\b|^not found\b|\bdoes ?n[o’']t exist\b"
    r"|\bno longer (?:available|exists|here)\b|\bnothing (?:was )?found\b|seite nicht gefunden|page introuvable",
    re.IGNORECASE,
)
# How files of other kinds begin, whatever a server calls them.
_FILES = (b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"{\\rtf")
_LOGIN_PATH = re.compile(
    r"/(?:log-?in|sign-?in|sso|oauth2?|authwall|users/sign_in|wp-login\.php)\b", re.I
)
_PASSWORD = re.compile(rb"<input[^>]{0,300}type\s{0,9}=\s{0,9}[\"']?password", re.IGNORECASE)
_MEMBERS = re.compile(
    r"(?:log|sign) ?in to (?:continue|read|view|see)|(?:subscribe|upgrade|become a (?:paid )?(?:member|subscriber)) "
    r"to (?:continue|keep|read|unlock)|(?:this|the rest of this) (?:post|article|story|page|content) is "
    r"(?:only )?for (?:paid |paying )?(?:subscribers|members)|members[ -]only (?:story|post|content)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page that a feed or a sitemap names, with what it says of it."""

    url: str
    title: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None


def read_document(page: Page, source: Source, item: Listed) -> Document:
    """Make a document of a page; raises Refused."""
    check_site(source, page.url)
    _check_form(page)
    _check_way(item, page)
    article = _read_article(page)
    _check_notice(item, page, article)
    authors = article.authors or item.authors
    if not _by_author(source, authors):
        said = f"{page.url} is by {', '.join(authors)[:200]}, not by {source.author.name}."
        raise Refused("other-author", item.url, said)
    return Document(
        url=article.url,
        kind="article",
        author=source.author.id,
        title=(article.title or item.title)[:TITLE_CHARACTERS],
        text=article.text,
        language=detect_language(article.text, article.language or "en"),
        source=source.id,
        published_at=article.published_at or item.published_at,
        fetched_at=now(),
        comments=article.comments,
    )


def check_site(source: Source, url: str) -> None:
    """Keep to the source's own site: what a feed links to elsewhere is somebody else's text."""
    homes = [*source.where.split(), *source.options.get("sites", "").split()]
    if not any(same_site(home if "://" in home else f"https://{home}", url) for home in homes):
        raise Refused("other-site", url, f"{url} is not on the site of {source.where}.")


def _read_article(page: Page) -> Article:
    """Read a page's article; whatever a hostile page makes a parser raise, it is one bad page and no more."""
    try:
        return read_article(page.text, page.url)
    except Exception as error:
        said = f"{page.url} cannot be read: {type(error).__name__}: {error}"[:300]
        raise Refused("unreadable", page.url, said) from error


def _check_form(page: Page) -> None:
    """Refuse what is no HTML, whatever it calls itself."""
    kind = page.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and "html" not in kind and not kind.startswith("text/"):
        raise Refused("not-html", page.url, f"{page.url} is {kind[:100]}, not a page.")
    start = page.body[:2048]
    if start.startswith(_FILES):
        raise Refused("binary", page.url, f"{page.url} says that it is a page, but it is a file.")
    if not start.startswith((b"\xff\xfe", b"\xfe\xff")) and start.count(b"\x00") > 8:
        raise Refused("binary", page.url, f"{page.url} says that it is a page, but it is binary.")


def _check_way(item: Listed, page: Page) -> None:
    """Refuse a page that was asked for by one address and led to the front page or to a login."""
    if page.url == item.url:
        return
    if _FRONT_PAGE.match(page.url) and not _FRONT_PAGE.match(item.url):
        said = f"{item.url} leads to the front page {page.url}."
        raise Refused("redirected-home", item.url, said)
    if _LOGIN_PATH.search(urlsplit(page.url).path) and not _LOGIN_PATH.search(item.url):
        raise Refused("login-wall", item.url, f"{item.url} leads to a login, {page.url}.")


def _check_notice(item: Listed, page: Page, article: Article) -> None:
    """Refuse what is too short to be an article, by what it is instead."""
    words = len(article.text.split())
    if words >= NOTICE_WORDS:
        return
    if found := _MEMBERS.search(article.text) or _PASSWORD.search(page.body):
        said = (
            f"{page.url} has {words} words and asks to log in or to subscribe ({found[0][:80]!r})."
        )
        raise Refused("login-wall", item.url, said)
    start = article.title + "\n" + (article.text[:300] if words < MINIMUM_WORDS else "")
    if nothing := _NOTHING.search(start):
        said = f"{page.url} answered {page.status}, but says {nothing[0]!r} in {words} words."
        raise Refused("soft-404", item.url, said)
    if words < MINIMUM_WORDS:
        said = f"{page.url} has {words} words; an article has at least {MINIMUM_WORDS}."
        raise Refused("empty", item.url, said)


def _by_author(source: Source, names: Sequence[str]) -> bool:
    """Tell whether a byline fits; a page without one is the site owner's."""
    any_author = source.options.get("any_author") == "true"
    return not names or any_author or any(is_author(source, name) for name in names)
