"""A file of one JSON object a line: url, title, text, kind, and optionally published_at, author, language."""

import json
from typing import Any, get_args

from include.crawlers.export import malformed, read_export
from include.crawlers.language import detect_language
from include.crawlers.outcome import Crawl, is_author, now, read_time, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Kind, Rejected, Source

_NEEDED = ("url", "title", "text", "kind")


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all objects of a file; those that name another author are rejected."""
    found: list[Document | Rejected] = []
    for name, text in read_export(source, web, "*.jsonl"):
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                item = _check(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise malformed(source, name, f"line {number}", str(error)) from None
            said = str(item.get("author") or "")
            if said and not is_author(source, said):
                found.append(Rejected(item["url"], "crawl", "other-author", source.id, said))
            else:
                found.append(_document(source, item))
    return settle(documents, source, found)


def _check(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("it is no object")
    if wrong := [key for key in _NEEDED if not isinstance(item.get(key), str)]:
        raise ValueError(f"{', '.join(wrong)} must be text")
    if item["kind"] not in get_args(Kind):
        raise ValueError(f"kind {item['kind']!r} is none of {', '.join(get_args(Kind))}")
    if item.get("published_at") and not read_time(str(item["published_at"])):
        raise ValueError(f"published_at {item['published_at']!r} is no ISO time")
    return item


def _document(source: Source, item: dict[str, Any]) -> Document:
    said = str(item.get("language") or "")
    return Document(
        url=item["url"],
        kind=item["kind"],
        author=source.author.id,
        title=item["title"],
        text=item["text"],
        language="code" if item["kind"] == "code" else said or detect_language(item["text"]),
        source=source.id,
        published_at=read_time(str(item["published_at"])) if item.get("published_at") else None,
        fetched_at=now(),
    )
