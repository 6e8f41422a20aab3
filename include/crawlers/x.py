"""X's export: tweets.js, or the archive that holds it. Retweets are other people's words and are left out.

Option: `handle`, to build links that name the author. Long posts are cut short here and stand in full in note-tweet.js;
those that do not are rejected.
"""

import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.crawlers.archive import fits
from include.crawlers.export import make_post, malformed, read_export, read_items, read_json
from include.crawlers.outcome import Crawl, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Rejected, Source

_HEAD = re.compile(r"^\s*window\.YTD\.\w+\.part\d+\s*=\s*")
_MENTIONS = re.compile(r"^(?:@\w+\s+)+")
_POSTS = ("tweets.js", "tweets-part*.js", "tweet.js")
_NOTES = ("note-tweet.js", "note-tweet-part*.js")
# Longer posts end in an ellipsis here.
CUT_FROM = 250


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all posts of an export."""
    parts = read_export(source, web, *_POSTS, *_NOTES)
    whole = [
        text for name, part in parts if fits(name, _NOTES) for text in _notes(source, name, part)
    ]
    found: list[Document | Rejected] = []
    for name, part in parts:
        if not fits(name, _NOTES):
            tweets = _read(source, name, part)
            found += read_items(source, name, tweets, lambda tweet: _post(source, tweet, whole))
    return settle(documents, source, found)


def tweet_text(tweet: Mapping[str, Any]) -> str:
    """Return what its author typed: entities undone, short links written out, pictures and leading names left out."""
    text = str(tweet["full_text"] if "full_text" in tweet else tweet["text"])
    entities = tweet.get("entities", {})
    media = [*entities.get("media", []), *tweet.get("extended_entities", {}).get("media", [])]
    for item in media:
        text = text.replace(item["url"], "")
    for link in entities.get("urls", []):
        text = text.replace(link["url"], link.get("expanded_url") or link["url"])
    if tweet.get("in_reply_to_status_id_str") or tweet.get("in_reply_to_status_id"):
        text = _MENTIONS.sub("", text)
    return html.unescape(text).strip()


def _read(source: Source, name: str, text: str) -> list[Any]:
    items = read_json(source, name, _HEAD.sub("", text, count=1))
    if not isinstance(items, list):
        raise malformed(source, name, "line 1", "it is no list of posts")
    return [item.get("tweet", item) if isinstance(item, dict) else item for item in items]


def _notes(source: Source, name: str, text: str) -> list[str]:
    """List the full texts of long posts, which have a file of their own."""
    items = _read(source, name, text)
    return list(read_items(source, name, items, lambda item: _note(item["noteTweet"]["core"])))


def _note(core: Mapping[str, Any]) -> str:
    text = str(core["text"])
    for link in core.get("urls", []):
        text = text.replace(link["shortUrl"], link.get("expandedUrl") or link["shortUrl"])
    return html.unescape(text).strip()


def _post(
    source: Source, tweet: Mapping[str, Any], notes: Sequence[str]
) -> Document | Rejected | None:
    if tweet.get("retweeted") is True or str(tweet.get("full_text", "")).startswith("RT @"):
        return None
    text = tweet_text(tweet)
    moment = datetime.strptime(tweet["created_at"], "%a %b %d %H:%M:%S %z %Y")
    handle = source.options.get("handle", "").lstrip("@") or "i/web"
    url = f"https://x.com/{handle}/status/{tweet['id_str']}"
    said = str(tweet.get("lang") or "en")
    if len(text) >= CUT_FROM and text.endswith("…"):
        start = text.removesuffix("…").rstrip()
        whole = next((note for note in notes if note.startswith(start)), "")
        if not whole:
            return Rejected(url, "crawl", "cut-short", source.id, text[-40:])
        text = whole
    return make_post(source, url, text, moment, said if len(said) == 2 else "en") if text else None
