"""One page, or several that `where` names with blanks between them."""

from include.crawlers.outcome import Crawl
from include.crawlers.pages import crawl_pages
from include.crawlers.reading import Listed
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Source


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Crawl the pages; nothing reachable at all is an error."""
    wanted = [Listed(url) for url in source.where.split()]
    found = crawl_pages(source, web, documents, wanted)
    lost = [r for r in found.rejected if r.reason in ("unreachable", "timeout")]
    if lost and len(lost) == len(wanted):
        raise ConnectionError(lost[0].value)
    return found
