"""Medium's export: posts/*.html, or the archive that holds them. Drafts are left out; answers to others are posts."""

from dataclasses import replace

from bs4 import BeautifulSoup
from bs4.element import Tag

from include.crawlers.article import canonical_form
from include.crawlers.export import make_post, malformed, read_body, read_export
from include.crawlers.markdown import to_markdown
from include.crawlers.outcome import Crawl, read_time, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Source

# Repeated in the body, or no text: the title, the line above it, what is embedded.
_NOT_TEXT = ".graf--title, .section-divider, .graf--mixtapeEmbed, figure, script, style"


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all published posts of an export."""
    files = read_export(source, web, "posts/*.html")
    read = [
        read_body(settings, source, f"{source.where}/{name}", _post, source, name, text)
        for name, text in files
        if not name.rsplit("/", 1)[-1].startswith("draft_")
    ]
    found = settle(documents, source, read)
    # The address of a post stands inside: one that could not be read may be any that was there before.
    return replace(found, gone=[]) if found.rejected else found


def _post(source: Source, name: str, text: str) -> Document | None:
    soup = BeautifulSoup(text, "lxml")
    body, link = soup.select_one(".e-content"), soup.select_one("a.p-canonical[href]")
    stamp = soup.select_one("time.dt-published[datetime]")
    if body is None or link is None:
        raise malformed(source, name, "the page", "there is no text (e-content) or no address")
    titled = body.select_one(".graf--title")
    named = soup.select_one(".p-name")
    for node in body.select(_NOT_TEXT):
        node.decompose()
    words = to_markdown(body).strip()
    return (
        make_post(
            source,
            canonical_form(str(link["href"])),
            words,
            read_time(str(stamp["datetime"])) if stamp else None,
            kind="article" if titled else "post",
            title=_title(named) if titled else "",
        )
        if words
        else None
    )


def _title(named: Tag | None) -> str:
    return " ".join(named.get_text(" ").split()) if named else ""
