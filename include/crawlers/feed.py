"""An RSS, Atom or JSON feed, older parts included: its entries are links to pages, each of which is fetched."""

import io
import json
import re
from calendar import timegm
from datetime import UTC, datetime
from time import struct_time
from typing import Any

from include.crawlers.article import same_site
from include.crawlers.outcome import Crawl, read_time
from include.crawlers.pages import absolute, crawl_pages, fetch_listing
from include.crawlers.reading import Listed
from include.documents import Documents
from include.settings import Settings
from include.web import Page, Web
from ml.types import Source

# A feed may be in parts, newest first, but not without end.
MAX_PARTS = 30
# A parser needs half a minute for a few megabytes of nothing but tags.
MAX_TAGS = 100_000


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Crawl the pages of a feed; its own text is not used, because feeds are often cut short."""
    listed, seen, where = list[Listed](), set[str](), source.where
    while where and where not in seen and len(seen) < MAX_PARTS:
        seen.add(where)
        page = fetch_listing(web, where, "feed")
        entries, older = web.read(read_feed, page)
        listed += entries
        where = older if older and same_site(older, page.url) else ""
    return crawl_pages(source, web, documents, listed, complete_since=_oldest(listed))


def read_feed(page: Page) -> tuple[list[Listed], str]:
    """List the entries of a feed, and where its older part is; empty where it has none."""
    text = page.text
    if text.lstrip().startswith("{"):
        return _read_json(page, text)
    # Nobody needs entities of one's own in a feed, and they can be made to grow without end.
    if re.search("<!ENTITY", text, re.IGNORECASE):
        raise ValueError(f"The feed at {page.url} declares XML entities; it is not read.")
    if text.count("<") > 2 * MAX_TAGS:
        raise ValueError(f"The feed at {page.url} has more than {MAX_TAGS} tags; it is not read.")
    import feedparser

    # As a stream: given bytes, feedparser would open a file of that name.
    parsed = feedparser.parse(io.BytesIO(page.body), response_headers=dict(page.headers))
    if not parsed.get("version"):
        raise _no_feed(page)
    links = {link.get("rel"): link.get("href", "") for link in parsed.feed.get("links", [])}
    older = links.get("next") or links.get("prev-archive") or ""
    entries = [_listed(page, entry) for entry in parsed.entries if entry.get("link")]
    return entries, absolute(page, older) if older else ""


def _read_json(page: Page, text: str) -> tuple[list[Listed], str]:
    """Read a JSON Feed (https://jsonfeed.org/version/1.1)."""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The feed at {page.url} is malformed: {error}") from None
    version, items = str(known.get("version")), known.get("items")
    if "jsonfeed.org/version/" not in version or not isinstance(items, list):
        raise _no_feed(page)
    entries = [i for i in items if isinstance(i, dict) and isinstance(i.get("url"), str)]
    older = known.get("next_url")
    listed = [_listed_json(page, entry) for entry in entries]
    return listed, absolute(page, older) if isinstance(older, str) else ""


def _listed_json(page: Page, entry: dict[str, Any]) -> Listed:
    people = [*(entry.get("authors") or []), entry.get("author")]
    names = [str(p.get("name") or "") for p in people if isinstance(p, dict)]
    return Listed(
        url=absolute(page, entry["url"]),
        title=" ".join(str(entry.get("title") or "").split()),
        authors=tuple(name for name in names if name),
        published_at=read_time(str(entry.get("date_published") or entry.get("date_modified"))),
    )


def _listed(page: Page, entry: Any) -> Listed:
    people = [person.get("name", "") for person in entry.get("authors", [])]
    return Listed(
        url=absolute(page, entry.link),
        title=" ".join(entry.get("title", "").split()),
        authors=tuple(name for name in people if name),
        published_at=_time(entry.get("published_parsed") or entry.get("updated_parsed")),
    )


def _oldest(listed: list[Listed]) -> datetime | None:
    """Return from when on a feed has everything: since its oldest entry, if all of them say when they are from."""
    dates = [item.published_at for item in listed]
    known = [date for date in dates if date]
    return min(known) if known and len(known) == len(dates) else None


def _time(stamp: struct_time | None) -> datetime | None:
    """Read a time that feedparser understood; some are beyond the calendar."""
    try:
        return datetime.fromtimestamp(timegm(stamp), UTC) if stamp else None
    except (ValueError, OverflowError):
        return None


def _no_feed(page: Page) -> ValueError:
    return ValueError(
        f"There is no RSS, Atom or JSON feed at {page.url}; look for the page's "
        '<link rel="alternate">, or use kind `sitemap`, `blog` or `page`.'
    )
