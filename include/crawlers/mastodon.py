"""Mastodon's export: outbox.json, or the archive that holds it.

Only what everybody could read is taken: public and unlisted posts. Boosts are other people's words.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from include.crawlers.export import (
    make_post,
    malformed,
    read_body,
    read_export,
    read_items,
    read_json,
)
from include.crawlers.outcome import Crawl, read_time, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Rejected, Source

_PUBLIC = frozenset({"https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"})
_MENTIONS = re.compile(r"^(?:@[\w.@-]+\s+)+")


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all posts of an export."""
    found: list[Document | Rejected] = []
    for name, text in read_export(source, web, "outbox.json"):
        items = _read(source, name, text)
        found += read_items(source, name, items, partial(_post, settings, source))
    return settle(documents, source, found)


def note_text(note: Mapping[str, Any]) -> str:
    """Return the words of a note; who is answered is left out."""
    from bs4 import BeautifulSoup

    from include.crawlers.markdown import to_markdown

    text = to_markdown(BeautifulSoup(note["content"], "lxml"))
    return _MENTIONS.sub("", text).strip() if note.get("inReplyTo") else text.strip()


def _read(source: Source, name: str, text: str) -> list[Any]:
    known = read_json(source, name, text)
    items = known.get("orderedItems") if isinstance(known, dict) else None
    if not isinstance(items, list):
        raise malformed(source, name, "line 1", "there is no list `orderedItems`")
    return items


def _post(
    settings: Settings, source: Source, item: Mapping[str, Any]
) -> Document | Rejected | None:
    note = item.get("object")
    if item["type"] != "Create" or not isinstance(note, dict) or note["type"] != "Note":
        return None
    if not _PUBLIC & {*_listed(note.get("to")), *_listed(note.get("cc"))}:
        return None
    url = str(note.get("url") or note["id"])
    text = read_body(settings, source, url, note_text, note)
    if isinstance(text, Rejected):
        return text
    said = next(iter(note.get("contentMap") or {}), "en")
    return make_post(source, url, text, read_time(note["published"]), said) if text else None


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
