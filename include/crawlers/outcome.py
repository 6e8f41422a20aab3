"""What a crawl brings back, and how complete listings are compared with what is known."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from include.documents import Documents
from ml.types import Document, Rejected, Source, digest

TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Crawl:
    """New and changed documents, how many stayed as they were, what was turned away, ids of what is gone.

    `suspected` are addresses of documents that seem to be gone, of which the next crawl will be sure.
    """

    documents: list[Document]
    unchanged: int
    rejected: list[Rejected]
    gone: list[str]
    suspected: Sequence[str] = ()


def settle(
    documents: Documents,
    source: Source,
    found: Iterable[Document | Rejected | None],
) -> Crawl:
    """Compare everything that a place holds with what is known of it: what is no longer there is gone.

    What was turned away stands among it, and is there.
    A place that suddenly holds nothing is taken for broken, not for emptied.
    """
    held, forgotten = documents.held(), forgotten_urls(documents)
    first: dict[str, Document] = {}
    rejected: list[Rejected] = []
    for item in found:
        if isinstance(item, Rejected):
            rejected.append(item)
        elif item:
            first.setdefault(item.url, _whole(item))
    wanted = [d for url, d in first.items() if url not in forgotten]
    changed = [d for d in wanted if d.revision not in held.get(d.url, ())]
    seen = first.keys() | {r.where for r in rejected}
    gone = documents.known_urls(source.id) - seen if first else set()
    ids = sorted(digest("document", url) for url in gone)
    return Crawl(changed, len(wanted) - len(changed), rejected, ids)


def _whole(document: Document) -> Document:
    """Replace half characters, which escapes in cut texts leave behind: no store can write them."""
    title, text = (
        s.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for s in (document.title, document.text)
    )
    return replace(document, title=title, text=text)


def forgotten_urls(documents: Documents) -> set[str]:
    """Return what somebody asked to be forgotten: it is never fetched again."""
    return {r.where for r in documents.rejected("forgotten")}


def source_mark(source_id: str) -> str:
    """Name a whole source among what is forgotten."""
    return f"source:{source_id}"


def is_author(source: Source, name: str) -> bool:
    """Tell whether a byline names the source's author: by any part of the name, the id or an address."""
    author = source.author
    known = _parts(" ".join((author.name, author.id, *author.emails)))
    return bool(known & _parts(name))


def post_title(text: str) -> str:
    """Name a post, which has no title, by its first words."""
    line = " ".join(text.strip().split("\n")[0].split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[:TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:.–— ") + "…"


def read_time(said: str) -> datetime | None:
    """Read an ISO time, in UTC where it says nothing else; None where it is none."""
    try:
        moment = datetime.fromisoformat(said.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def now() -> datetime:
    """Return the time, as exactly as it is kept."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _parts(name: str) -> set[str]:
    return {p for p in re.split(r"[\W_]+", name.casefold()) if len(p) > 2} - {
        "example",
        "com",
        "org",
    }
