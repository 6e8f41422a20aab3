"""Read an article out of a page: its body, title, date, authors and canonical address. Nothing is fetched here.

Where in the page its body is, is told in body.py; how that becomes Markdown, in markdown.py.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from bs4 import BeautifulSoup
from bs4.element import Tag

from include.crawlers.body import is_junk_inside, locate, prune, squeeze
from include.crawlers.markdown import to_markdown
from include.crawlers.outcome import read_time

_TRACKING = re.compile(
    r"utm_|fbclid|gclid|mc_[ce]id|phpsessid|jsessionid|sessionid|sid$", re.IGNORECASE
)
# Beyond this a page is not written, it is generated to hurt.
MAX_TAGS, MAX_DEPTH, MAX_ATTRIBUTES = 30_000, 200, 300
# A tag up to its end, where quotes may hold one; what stands between two of its attributes.
_TAG = re.compile(r"""(?>[^"'>]|"[^"]*"|'[^']*')*""")
_BETWEEN = re.compile(r"[\s/]+")
_VALUE = re.compile(r"""base64,[\w+/=]+|"[^"]*"|'[^']*'""")
_LONG_TAG = 1_000
# Signs by which a heading links to itself.
_PERMALINK = re.compile(r"\s*[¶#§🔗]+$")
# A heading of so few characters is in many titles by chance.
_SHORT = 2


@dataclass(frozen=True, slots=True)
class Article:
    """What a page says. `url` is canonical; `authors` are the names that it gives, in no order.

    `comments` are what readers wrote under it: context, not the article.
    """

    url: str
    title: str
    text: str
    authors: tuple[str, ...]
    published_at: datetime | None
    language: str
    comments: tuple[str, ...] = ()


def read_article(html: str, url: str) -> Article:
    """Read a page; the text is empty where there is no article."""
    check_markup(html)
    soup = BeautifulSoup(html, "lxml")
    _check_tree(soup)
    linked = list(_linked_data(soup))
    title = _title(soup)
    published = _published(soup, linked)
    authors = _authors(soup, linked)
    language = str((soup.html and soup.html.get("lang")) or "")
    address = _canonical(soup, url)
    comments = prune(soup)
    body = locate(soup, html)
    text = to_markdown(body) if body else ""
    text = _without_title(text, title)
    return Article(address, title, text, authors, published, language, comments)


def canonical_form(url: str) -> str:
    """Write an address in the one form that names a document: no fragment, no tracking, no default port."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return url
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(key, value) for key, value in query if not _TRACKING.match(key)]
    path = re.sub(r";jsessionid=[^/]*", "", parts.path or "/", flags=re.IGNORECASE)
    host = f"{parts.hostname or ''}{port}"
    return urlunsplit((parts.scheme.lower(), host, path, urlencode(kept), ""))


def same_site(one: str, other: str) -> bool:
    """Tell whether two addresses are of one site: the same host, or one below the other."""
    first, second = ((urlsplit(u).hostname or "").removeprefix("www.") for u in (one, other))
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def check_markup(html: str) -> None:
    """Refuse, before it is parsed, what parsers take the square of its size for."""
    if html.count("<") > 2 * MAX_TAGS:
        raise ValueError(f"the page has more than {MAX_TAGS} tags")
    for part in html.split("<"):
        tag = _TAG.match(part) if len(part) > _LONG_TAG else None
        if tag and len(_BETWEEN.findall(_VALUE.sub(" ", tag[0]))) > 2 * MAX_ATTRIBUTES:
            raise ValueError(f"a tag has more than {MAX_ATTRIBUTES} attributes")


def _check_tree(soup: BeautifulSoup) -> None:
    level: list[Tag] = [soup]
    for _ in range(MAX_DEPTH):
        if any(len(node.attrs) > MAX_ATTRIBUTES for node in level):
            raise ValueError(f"a tag has more than {MAX_ATTRIBUTES} attributes")
        level = [child for node in level for child in node.children if isinstance(child, Tag)]
        if not level:
            return
    raise ValueError(f"the page is nested more than {MAX_DEPTH} deep")


def _canonical(soup: BeautifulSoup, url: str) -> str:
    """Return what the page calls itself, where that is believable: same site, and not just the front page."""
    link = soup.find("link", rel="canonical", href=True)
    named = urljoin(url, str(link["href"])) if isinstance(link, Tag) else url
    front = urlsplit(named).path in ("", "/") and urlsplit(url).path not in ("", "/")
    known = urlsplit(named).scheme in ("http", "https")
    return canonical_form(named if known and same_site(named, url) and not front else url)


def _title(soup: BeautifulSoup) -> str:
    """Prefer og:title, but the heading where the former only adds the site's name."""
    named = _meta(soup, "og:title")
    plain = " ".join(soup.title.get_text(" ").split()) if soup.title else ""
    heading = _heading(soup, (named or plain).casefold())
    if heading and (not named or named.startswith(heading)):
        return heading
    return named or re.split(r"\s+[|·–—-]\s+", plain)[0]


def _heading(soup: BeautifulSoup, title: str) -> str:
    """Return the heading that the page's title repeats, which may be no h1: many sites keep that for their own name."""
    first = ""
    for node in soup.find_all(("h1", "h2", "h3")):
        said = _PERMALINK.sub("", node.get_text(" ", strip=True))
        home = any(
            urlsplit(str(a["href"])).path in ("", "/") for a in node.find_all("a", href=True)
        )
        first = first or (said if node.name == "h1" else "")
        if (
            len(said) > _SHORT
            and said.casefold() in title
            and not home
            and not is_junk_inside(node)
        ):
            return said
    return first


def _published(soup: BeautifulSoup, linked: list[dict[str, object]]) -> datetime | None:
    said = [str(item["datePublished"]) for item in linked if item.get("datePublished")]
    said += [
        _meta(soup, name) for name in ("article:published_time", "datePublished", "date", "dc.date")
    ]
    stamps = soup.select("article time[datetime], main time[datetime], time[datetime]")
    said += [str(t["datetime"]) for t in stamps if not is_junk_inside(t)]
    return next((moment for moment in map(read_time, filter(None, said)) if moment), None)


def _authors(soup: BeautifulSoup, linked: list[dict[str, object]]) -> tuple[str, ...]:
    found: list[str] = []
    for item in linked:
        people = item.get("author")
        for person in people if isinstance(people, list) else [people]:
            named = person.get("name") if isinstance(person, dict) else person
            found += [named.strip()] if isinstance(named, str) and named.strip() else []
    named = _meta(soup, "author") or _meta(soup, "article:author")
    found += [named] if named and "://" not in named else []
    return tuple(dict.fromkeys(found))


def _meta(soup: BeautifulSoup, name: str) -> str:
    for attribute in ("property", "name", "itemprop"):
        found = soup.find(
            "meta", attrs={attribute: re.compile(f"^{re.escape(name)}$", re.IGNORECASE)}
        )
        if isinstance(found, Tag) and found.get("content"):
            return str(found["content"]).strip()
    return ""


def _linked_data(soup: BeautifulSoup) -> Iterator[dict[str, object]]:
    """List the things of a page's JSON-LD that are texts; malformed ones are left out."""
    for script in soup.find_all("script", type="application/ld+json"):
        try:
            known = json.loads(script.get_text())
        except (ValueError, RecursionError):
            continue
        for item in known if isinstance(known, list) else [known]:
            graph = item.get("@graph") if isinstance(item, dict) else None
            for thing in graph if isinstance(graph, list) else [item]:
                if isinstance(thing, dict) and re.search(
                    "Article|Posting", str(thing.get("@type"))
                ):
                    yield thing


def _without_title(text: str, title: str) -> str:
    """Drop the heading that only repeats the title."""
    first, _, rest = text.partition("\n\n")
    return rest if squeeze(first.lstrip("# ")) == squeeze(title) and title else text
