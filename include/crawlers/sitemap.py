"""A sitemap, plain or compressed, or an index of them: the pages it names are fetched.

Options: `match`, a regular expression that a page's address must contain.
"""

import zlib
from typing import TYPE_CHECKING

from include.crawlers.outcome import Crawl
from include.crawlers.pages import ALWAYS, absolute, crawl_pages, fetch_listing, page_pattern
from include.crawlers.reading import Listed
from include.documents import Documents
from include.settings import Settings
from include.web import Page, Web
from include.wire import inflate
from ml.types import Source

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# An index may name others, but not without end.
MAX_SITEMAPS = 50
MAX_BYTES = 50_000_000


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Crawl the pages of a sitemap."""
    match = page_pattern(source)
    pages, whole = read_sitemaps(web, source.where)
    wanted = [Listed(url) for url in pages if match.search(url)]
    since = ALWAYS if whole else None
    return crawl_pages(source, web, documents, wanted, complete_since=since)


def read_sitemaps(web: Web, where: str) -> tuple[list[str], bool]:
    """List the pages of a sitemap and of those that it names, and whether all of those were read."""
    waiting, seen, pages = [where], set[str](), list[str]()
    while waiting and len(seen) < MAX_SITEMAPS:
        url = waiting.pop(0)
        seen.add(url)
        page = fetch_listing(web, url, "sitemap")
        places, index = web.read(read_sitemap, page)
        if index:
            waiting += [place for place in places if place not in seen]
        else:
            pages += places
    return list(dict.fromkeys(pages)), not waiting


def read_sitemap(page: Page) -> tuple[list[str], bool]:
    """List the addresses of a sitemap, and tell whether they are those of other sitemaps."""
    root = _parse(page)
    places = [absolute(page, text) for text in _locations(root)]
    return places, _name(root) == "sitemapindex"


def _parse(page: Page) -> "Element":
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(_unpack(page))
    except DefusedXmlException as error:
        raise ValueError(
            f"The sitemap at {page.url} declares XML entities ({type(error).__name__}); it is not read."
        ) from None
    except (ParseError, EOFError, zlib.error) as error:
        raise ValueError(f"The sitemap at {page.url} is malformed: {error}") from None
    if _name(root) not in ("urlset", "sitemapindex"):
        raise ValueError(f"What is at {page.url} is no sitemap: its root element is {_name(root)}.")
    return root


def _unpack(page: Page) -> bytes:
    if not page.body.startswith(b"\x1f\x8b"):
        return page.body
    unpacked = bytearray()
    for part in inflate([page.body], "gzip", MAX_BYTES):
        unpacked += part
        if len(unpacked) > MAX_BYTES:
            raise ValueError(f"The sitemap at {page.url} is larger than {MAX_BYTES} bytes.")
    return bytes(unpacked)


def _locations(root: "Element") -> list[str]:
    """Read the addresses; those of images and videos are named alike, one level deeper."""
    found = [child for entry in root for child in entry if _name(child) == "loc"]
    return [child.text.strip() for child in found if child.text and child.text.strip()]


def _name(element: "Element") -> str:
    return str(element.tag).rsplit("}", 1)[-1]
