"""Fetch the pages of a listing, only what changed in full. One bad page never stops the others.

A document is gone at once where its page answers 410, or 404 and a complete listing no longer has it. Otherwise
a page that is not there, or says so, is only suspected: it is gone when the next crawl finds the same.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

from include.crawlers.article import canonical_form
from include.crawlers.outcome import Crawl, forgotten_urls
from include.crawlers.reading import Listed, check_site, read_document
from include.documents import Documents
from include.web import Page, Web
from include.wire import Refused
from ml.types import Document, Rejected, Source, digest

log = logging.getLogger(__name__)

# Pages of one source in one crawl, unless its option `limit` says otherwise.
LIMIT = 1000
# A listing that has everything that there ever was.
ALWAYS = datetime.min.replace(tzinfo=UTC)
# What a page that is gone may answer, besides 410; a site in trouble may answer it too.
_PERHAPS_GONE = frozenset({"http-404", "soft-404", "redirected-home"})


def crawl_pages(
    source: Source,
    web: Web,
    documents: Documents,
    listed: Iterable[Listed],
    *,
    complete_since: datetime | None = None,
) -> Crawl:
    """Fetch what is listed, and what is known but no longer listed.

    `complete_since` is the moment from which on the listing has everything that was published; None: nobody knows.
    """
    every, most = list(listed), number_option(source, "limit", LIMIT)
    if len(every) > most:
        log.warning("%s lists %d pages; only %d are looked at", source.id, len(every), most)
        complete_since = None
    items = {canonical_form(item.url): item for item in reversed(every[:most])}
    crawl = PageCrawl(source, web, documents)
    for url in sorted(items):
        crawl.look(items[url])
    crawl.look_for_missing(items.keys(), complete_since)
    return crawl.outcome()


def number_option(source: Source, name: str, otherwise: int) -> int:
    """Read an option of a source that is a number."""
    said = source.options.get(name, str(otherwise))
    if not said.isdecimal():
        raise ValueError(f"Option `{name}` of source {source.id} is {said!r}; give a number.")
    return int(said)


def page_pattern(source: Source) -> re.Pattern[str]:
    """Read the option `match`, which the address of an article must contain."""
    said = source.options.get("match", "")
    try:
        return re.compile(said)
    except re.error as error:
        raise ValueError(
            f"Option `match` of source {source.id} is {said!r}, which is no regular expression: {error}."
        ) from None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a page that came is for those who follow links: where it leads, and whether it only lists others."""

    links: tuple[str, ...] = ()
    listing: bool = False


def _no_survey(page: Page) -> Survey:
    return Survey()


class PageCrawl:
    """One crawl of one source, as it fills."""

    def __init__(
        self,
        source: Source,
        web: Web,
        documents: Documents,
        survey: Callable[[Page], Survey] = _no_survey,
        passing: frozenset[str] = frozenset(),
    ) -> None:
        """Begin a crawl; refusals that are `passing` are no rejections, unless they are of a known document."""
        self._source, self._web, self._documents = source, web, documents
        self._survey, self._passing = survey, passing
        self.links: dict[str, tuple[str, ...]] = {}
        self._held, self._forgotten = documents.held(), forgotten_urls(documents)
        self._known = documents.known_urls(source.id)
        self._found: dict[str, Document] = {}
        self._seen: set[str] = set()
        self._rejected: list[Rejected] = []
        self._gone: set[str] = set()
        self._suspected: set[str] = set()
        self._unchanged = 0

    def look(self, item: Listed, *, missing: bool = False) -> None:
        """Look at one page and note what came of it; `missing` says that it would be listed if it were there."""
        if item.url in self._forgotten:
            return
        try:
            self._note(item, self._fetch(item))
        except Refused as refusal:
            self._note_refusal(item, refusal, missing)

    def look_for_missing(self, listed: Iterable[str], complete_since: datetime | None) -> None:
        """Look at what is known and was neither listed nor found."""
        for url in sorted(self._known - set(listed) - self._seen):
            stored = self._documents.get(digest("document", url))
            written = stored.published_at if stored else None
            missing = complete_since == ALWAYS or bool(
                complete_since and written and written >= complete_since
            )
            self.look(Listed(url), missing=missing)

    def outcome(self) -> Crawl:
        """Return what the crawl brought."""
        found, gone = list(self._found.values()), sorted(self._gone)
        return Crawl(found, self._unchanged, self._rejected, gone, sorted(self._suspected))

    def _note_refusal(self, item: Listed, refusal: Refused, missing: bool) -> None:
        """Reject a page, or take it for gone, or suspect so, where it was a document."""
        url, reason = self._document_url(item), refusal.reason
        perhaps = url in self._known and reason in _PERHAPS_GONE
        sure = reason == "http-410" or (reason == "http-404" and missing)
        if url in self._known and (sure or (perhaps and self._state(item).get("suspected"))):
            log.info("%s: %s is gone: %s", self._source.id, url, refusal)
            self._gone.add(digest("document", url))
        elif perhaps:
            log.info("%s: %s may be gone: %s", self._source.id, url, refusal)
            self._suspected.add(url)
            known = {"document": digest("document", url), **self._state(item)}
            self._documents.put_page_state(item.url, **{**known, "suspected": reason})
        elif url not in self._known and reason in self._passing:
            log.info("%s: %s is passed over (%s): %s", self._source.id, item.url, reason, refusal)
        else:
            self._reject(item.url, reason, str(refusal))

    def _state(self, item: Listed) -> dict[str, str]:
        """Return what is remembered of a page."""
        state = self._documents.page_state(item.url)
        return {key: str(state[key]) for key in state if key not in ("_id", "url")}

    def _document_url(self, item: Listed) -> str:
        return self._state(item).get("becomes") or canonical_form(item.url)

    def _fetch(self, item: Listed) -> Document | None:
        """Fetch a page in full if it changed; None where it did not."""
        state = self._state(item)
        remembered = state.get("revision") in self._held.get(state.get("becomes", ""), ())
        check_site(self._source, item.url)
        page = self._web.get(item.url, conditional=remembered)
        if page.unchanged and page.url == state["at"] and _same_tag(page, state):
            self._seen.add(state["becomes"])
            self.links[item.url] = tuple(state.get("links", "").split())
            if state.pop("suspected", ""):
                self._documents.put_page_state(item.url, **state)
            return None
        if page.unchanged:
            # The same text in another place: it moved. Or another tag: it is not the same.
            page = self._web.get(item.url, conditional=False)
        self.links[item.url] = (survey := self._survey(page)).links
        if survey.listing:
            raise Refused("listing", item.url, f"{page.url} lists other pages.")
        document = self._web.read(read_document, page, self._source, item)
        self._documents.put_page_state(
            item.url,
            **page.state,
            links=" ".join(survey.links),
            at=page.url,
            document=document.id,
            becomes=document.url,
            revision=document.revision,
        )
        return document

    def _note(self, item: Listed, document: Document | None) -> None:
        """Count a page, or keep what it became; a known document that now lives elsewhere is gone here."""
        here = canonical_form(item.url)
        becomes = document.url if document else self._document_url(item)
        if here in self._known and becomes != here:
            self._gone.add(digest("document", here))
        if document is None:
            self._unchanged += 1
        elif document.url in self._forgotten:
            log.info("%s was asked to be forgotten; %s leads to it", document.url, item.url)
        elif document.url in self._seen:
            other = self._found.get(document.url)
            if other is None or other.revision != document.revision:
                self._reject(item.url, "same-canonical", document.url)
        elif document.revision in self._held.get(document.url, ()):
            self._seen.add(document.url)
            self._unchanged += 1
        else:
            self._seen.add(document.url)
            self._found[document.url] = document

    def _reject(self, where: str, reason: str, value: str) -> None:
        log.info("%s: %s was rejected: %s", self._source.id, where, value)
        self._rejected.append(Rejected(where, "crawl", reason, self._source.id, value))


def _same_tag(page: Page, state: Mapping[str, str]) -> bool:
    """Tell whether "not modified" is said of the text that is known: its ETag, if it names one, is the same."""
    said = page.headers.get("etag", "").removeprefix("W/")
    return said in ("", state.get("etag", "").removeprefix("W/"))


def fetch_listing(web: Web, url: str, what: str) -> Page:
    """Fetch a listing in full; a refusal says what could not be read."""
    try:
        return web.get(url, conditional=False)
    except Refused as refusal:
        said = f"The {what} at {url} cannot be read. {refusal}"
        raise Refused(refusal.reason, url, said, refusal.status) from None


def absolute(page: Page, url: str) -> str:
    """Complete an address that a listing gives; one that makes no sense stays as it is."""
    try:
        return urljoin(page.url, url.strip())
    except ValueError:
        return url
