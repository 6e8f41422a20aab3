"""A blog without feed or sitemap: its pages are found by following links, inside the path of `where` and within bounds.

Options: `limit` pages in one crawl, `depth` links away from the start, `match`, a regular expression that the address
of an article must contain. Pages that only list others are followed and are no articles.
"""

import re
from collections import deque
from urllib.parse import parse_qsl, urlsplit

from bs4 import BeautifulSoup

from include.crawlers.article import canonical_form, check_markup
from include.crawlers.outcome import Crawl
from include.crawlers.pages import (
    ALWAYS,
    PageCrawl,
    Survey,
    absolute,
    fetch_listing,
    number_option,
    page_pattern,
)
from include.crawlers.reading import Listed
from include.documents import Documents
from include.settings import Settings
from include.web import Page, Web
from ml.types import Source

LIMIT, DEPTH = 300, 3
# Links of one page that are followed.
MAX_LINKS = 1000
# What is met on the way and is no article is no fault of the source.
PASSING = frozenset({"listing", "empty", "not-html", "binary", "other-author", "login-wall"})
_LISTING = re.compile(
    r"/(?:page|tags?|categor(?:y|ies)|archives?|authors?|topics?|search|feed)(?:/|$)|/\d{4}(?:/\d\d?){0,2}/?$"
)
# To the next part of a listing is no step away from the start.
_NEXT_PART = re.compile(r"/page/\d+/?$|\?(?:page|paged)=\d+$")
_NO_PAGE = re.compile(
    r"\.(?:jpe?g|png|gif|svg|webp|pdf|zip|gz|mp[34]|css|js|xml|json|ico|woff2?)$", re.I
)
# Calendars, sessions and sort orders make addresses without end; these make pages.
_PAGE_KEYS = frozenset({"p", "page", "paged", "page_id", "id"})


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Crawl the pages that can be reached from the start, the nearest first."""
    most, depth = number_option(source, "limit", LIMIT), number_option(source, "depth", DEPTH)
    match = page_pattern(source)

    def survey(page: Page) -> Survey:
        url = canonical_form(page.url)
        listing = bool(_LISTING.search(urlsplit(url).path)) or not match.search(url)
        return Survey(tuple(web.read(read_links, page, source.where)), listing)

    start = fetch_listing(web, source.where, "blog")
    walk = PageCrawl(source, web, documents, survey, PASSING)
    first = canonical_form(source.where)
    seen, waiting, cut = {first, canonical_form(start.url)}, deque[tuple[str, int]](), False
    _follow(survey(start).links, 0, depth, seen, waiting)
    while waiting and most > 0:
        url, level = waiting.popleft()
        most -= 1
        walk.look(Listed(url))
        cut |= _follow(walk.links.get(url, ()), level, depth, seen, waiting)
    walk.look_for_missing(seen, None if waiting or cut else ALWAYS)
    return walk.outcome()


def read_links(page: Page, where: str) -> list[str]:
    """List the pages that a page links to, inside the path of `where` on its host."""
    try:
        check_markup(page.text)
    except ValueError:
        return []
    soup = BeautifulSoup(page.text, "lxml")
    named = [str(a["href"]) for a in soup.find_all("a", href=True)]
    found = dict.fromkeys(canonical_form(absolute(page, href)) for href in named)
    return [url for url in found if _is_inside(url, where)][:MAX_LINKS]


def _follow(
    links: tuple[str, ...], level: int, depth: int, seen: set[str], waiting: deque[tuple[str, int]]
) -> bool:
    """Queue links that are new and near enough; tells whether there were new ones too far away."""
    cut = False
    for link in links:
        away = level if _NEXT_PART.search(link) else level + 1
        if link not in seen and away <= depth:
            seen.add(link)
            waiting.append((link, away))
        cut |= link not in seen
    return cut


def _is_inside(url: str, where: str) -> bool:
    try:
        there, start = urlsplit(url), urlsplit(canonical_form(where))
        keys = [key for key, _ in parse_qsl(there.query, keep_blank_values=True)]
    except ValueError:
        return False
    folder = start.path if start.path.endswith("/") else _folder(start.path)
    inside = there.path.startswith(folder) or there.path == folder.rstrip("/")
    plain = len(keys) <= 1 and set(keys) <= _PAGE_KEYS and not re.search(r"\s", url)
    home = there.scheme in ("http", "https") and there.netloc == start.netloc
    return home and inside and plain and not _NO_PAGE.search(there.path)


def _folder(path: str) -> str:
    """Return the folder that a start without a final slash names: itself, or that of a file."""
    parent, _, name = path.rpartition("/")
    return f"{parent}/" if "." in name else f"{path}/"
