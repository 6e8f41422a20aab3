"""Exports of social networks for tests, written as the networks write them."""

import csv
import json
from pathlib import Path

from ml.types import Author, Source

MAREN = Author("maren-oduya", "Maren Oduya", ("maren@oduya.example",))
# What a parser needs a second for, and what it falls over.
SLOW, DEEP = "<h2>the same</h2>" * 40_000, "<i>x" * 3_000
FILES = {"linkedin": "Shares.csv", "x": "tweets.js", "mastodon": "outbox.json"}


def source(kind: str, where: Path | str, **options: str) -> Source:
    """Name an export as a source."""
    return Source("posts", MAREN, kind, str(where), "yes, 2026", options)


def texts(found) -> list[str]:
    """List what was found."""
    return [d.text for d in found.documents]


def linkedin(path: Path, *commentaries: str) -> Path:
    """Write an export as LinkedIn does: lines wrapped in quotes, inner quotes doubled, then CSV on top."""
    with (path / "Shares.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["Date", "ShareLink", "ShareCommentary", "SharedUrl", "MediaUrl", "Visibility"]
        )
        for number, text in enumerate(commentaries):
            spoilt = text.replace('"', '""').replace("\n", '"\n"')
            rows.writerow(
                [
                    "2026-02-17 07:58:20",
                    f"https://li.example/{number}",
                    spoilt,
                    "",
                    "",
                    "MEMBER_NETWORK",
                ]
            )
    return path / "Shares.csv"


def tweet(**fields) -> dict:
    """Make one entry of tweets.js."""
    known = {
        "id_str": "7",
        "full_text": "Hi",
        "created_at": "Tue Mar 24 17:55:08 +0000 2026",
        "lang": "en",
    }
    return {"tweet": {**known, **fields}}


def x(path: Path, *tweets: dict) -> Path:
    """Write an export as X does."""
    (path / "tweets.js").write_text("window.YTD.tweets.part0 = " + json.dumps(list(tweets)))
    return path / "tweets.js"


def mastodon(path: Path, *contents: str, **fields) -> Path:
    """Write an export as Mastodon does, public unless `fields` say otherwise."""
    public = "https://www.w3.org/ns/activitystreams#Public"
    items = [
        {
            "type": "Create",
            "object": {
                "id": f"https://m.example/{number}",
                "type": "Note",
                "published": "2025-01-02T03:04:05Z",
                "to": [public],
                "cc": [],
                "content": content,
                **fields,
            },
        }
        for number, content in enumerate(contents)
    ]
    (path / "outbox.json").write_text(json.dumps({"orderedItems": items}))
    return path / "outbox.json"
