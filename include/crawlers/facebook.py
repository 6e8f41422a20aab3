"""Facebook's export as JSON: your_posts*.json, or the archive that holds it.

The export writes each byte of a letter as a letter of its own; that is undone. It does not say who could read a
post, so all are taken but those on other people's timelines. Posts have no address there: they get one of our own.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from include.crawlers.export import make_post, malformed, read_export, read_items, read_json
from include.crawlers.outcome import Crawl, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Source

_ELSEWHERE = re.compile(r"\bwrote on .+ (?:timeline|wall)\b", re.IGNORECASE)


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all posts of an export."""
    posts: list[Document] = []
    seen: Counter[str] = Counter()
    for name, text in read_export(source, web, "your_posts*.json"):
        known = read_json(source, name, text)
        # A single post stands there without a list around it.
        items = [known] if isinstance(known, dict) else known
        if not isinstance(items, list):
            raise malformed(source, name, "line 1", "it is no list of posts")
        posts += read_items(source, name, items, lambda item: _post(source, item, seen))
    return settle(documents, source, posts)


def mend_letters(text: str) -> str:
    """Read letters that stand for the bytes of one letter as that letter; a text without them stays."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def own_address(source: Source, seconds: int, seen: Counter[str]) -> str:
    """Name a post that has no address by its network, author and second, and by its place within that second."""
    name = f"{source.kind}:{source.author.id}/{seconds}"
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _post(source: Source, item: Mapping[str, Any], seen: Counter[str]) -> Document | None:
    said = [str(part["post"]) for part in item.get("data") or [] if part.get("post")]
    if not said or _ELSEWHERE.search(str(item.get("title") or "")):
        return None
    seconds = int(item["timestamp"])
    url = own_address(source, seconds, seen)
    text = mend_letters(said[0]).strip()
    return make_post(source, url, text, datetime.fromtimestamp(seconds, UTC)) if text else None
