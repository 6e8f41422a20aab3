"""Substack's export: posts.csv with posts/*.html, or the archive that holds them.

Option: `web_url`, the publication's address. Published posts that everybody may read are taken; those for
subscribers who pay only where the option `paid` is true.
"""

import csv
import io
from collections.abc import Mapping

from bs4 import BeautifulSoup

from include.crawlers.export import make_post, malformed, read_body, read_export
from include.crawlers.markdown import to_markdown
from include.crawlers.outcome import Crawl, read_time, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Rejected, Source

_COLUMNS = {"post_id", "post_date", "is_published", "title"}
# Boxes that the editor puts between the author's words.
_BOXES = (
    '[class*="subscription-widget"], [class*="subscribe-widget"], .button-wrapper, .embedded-post-wrap, '
    ".digest-post-embed, .poll-embed, .paywall-jump, form, script, style, iframe"
)


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all published posts of an export."""
    if "://" not in source.options.get("web_url", ""):
        raise ValueError(
            f"Source {source.id} needs the option `web_url`, the address of the publication, such as "
            "https://name.substack.com: the export does not say it."
        )
    parts = dict(read_export(source, web, "posts.csv", "posts/*.html"))
    pages = {name.rsplit("/", 1)[-1].removesuffix(".html"): text for name, text in parts.items()}
    listings = [(name, text) for name, text in parts.items() if name.endswith(".csv")]
    if not listings:
        raise ValueError(f"The export {source.where} of source {source.id} holds no posts.csv.")
    found = [
        post
        for name, text in listings
        for row in _rows(source, name, text)
        if (post := _post(settings, source, row, pages.get(row["post_id"], "")))
    ]
    return settle(documents, source, found)


def _rows(source: Source, name: str, text: str) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if missing := _COLUMNS - set(rows.fieldnames or ()):
        raise malformed(source, name, "line 1", f"no column {', '.join(sorted(missing))}")
    try:
        return [row for row in rows if _is_wanted(source, row)]
    except csv.Error as error:
        raise malformed(source, name, f"line {rows.line_num}", str(error)) from None


def _is_wanted(source: Source, row: Mapping[str, str]) -> bool:
    free = (row.get("audience") or "everyone") == "everyone"
    published = (row["is_published"] or "").lower() == "true"
    return published and (free or source.options.get("paid") == "true")


def _post(
    settings: Settings, source: Source, row: Mapping[str, str], page: str
) -> Document | Rejected | None:
    slug = row["post_id"].partition(".")[2]
    url = f"{source.options['web_url'].rstrip('/')}/p/{slug}"
    text = read_body(settings, source, url, _text, page)
    if isinstance(text, Rejected):
        return text
    if not (text and slug):
        return None
    title = " ".join((row["title"] or "").split())
    return make_post(
        source, url, text, read_time(row["post_date"] or ""), kind="article", title=title
    )


def _text(page: str) -> str:
    """Return the author's words on a page."""
    soup = BeautifulSoup(page, "lxml")
    for box in soup.select(_BOXES):
        box.decompose()
    return to_markdown(soup).strip()
