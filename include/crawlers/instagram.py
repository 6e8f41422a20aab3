"""Instagram's export as JSON: captions of posts and reels, and Threads posts; or the archive that holds them.

Its letters are spoilt as Facebook's are, and its posts have no address either (see facebook.py).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from include.crawlers.export import make_post, malformed, read_export, read_items, read_json
from include.crawlers.facebook import mend_letters, own_address
from include.crawlers.outcome import Crawl, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Source

_FILES = ("posts_*.json", "reels.json", "threads_and_replies.json")
# Where a file has its list, if it is not one.
_LISTS = ("ig_reels_media", "text_post_app_text_posts")


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all captions of an export."""
    posts: list[Document] = []
    seen: Counter[str] = Counter()
    for name, text in read_export(source, web, *_FILES):
        items = _items(read_json(source, name, text))
        if items is None:
            raise malformed(source, name, "line 1", "it is no list of posts")
        posts += read_items(source, name, items, lambda item: _post(source, item, seen))
    return settle(documents, source, posts)


def _items(known: Any) -> list[Any] | None:
    if isinstance(known, dict):
        lists = [known[key] for key in _LISTS if key in known]
        known = lists[0] if lists else [known]
    return known if isinstance(known, list) else None


def _post(source: Source, item: Mapping[str, Any], seen: Counter[str]) -> Document | None:
    """Read a post: a single picture carries the caption itself, several have one above them."""
    media = [m for m in item.get("media") or [] if isinstance(m, dict)]
    said = next((e for e in (item, *media) if e.get("title")), None)
    if said is None:
        return None
    seconds = int(said.get("creation_timestamp") or media[0]["creation_timestamp"])
    url = own_address(source, seconds, seen)
    text = mend_letters(str(said["title"])).strip()
    return make_post(source, url, text, datetime.fromtimestamp(seconds, UTC)) if text else None
