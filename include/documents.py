"""The one door to MongoDB: documents with their revisions, what was rejected, and what was done with them.

The code is pymongo alone and right on MongoDB and on the embedded protocol server alike: it counts
by reading, never by `upserted_count`, and every write is a replacement by id. What must survive a
kill is written first: a revision before its document, a document before its place in the staging
area is cleared.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from include.batches import Batches
from include.erasures import Erasures
from include.journal import Journal
from include.records import (
    BATCH,
    CleanState,
    DocumentState,
    IndexState,
    Record,
    from_record,
    hide_password,
    is_newer,
    says_the_same,
    to_record,
)
from include.rejections import Rejections
from include.settings import Settings
from ml.types import CleanDocument, Document, digest

if TYPE_CHECKING:
    from pymongo import MongoClient

CONNECT_MILLISECONDS = 3_000
# What a clean document holds of other people.
OTHERS_WORDS = ("quotes", "comments")


def mongo_address(settings: Settings) -> str:
    """Return the address of a world's MongoDB: a server's, or the embedded one's."""
    return settings.mongo_url or f"mongodb://127.0.0.1:{settings.port('mongo')}"


def open_documents(settings: Settings, client: "MongoClient[Record] | None" = None) -> "Documents":
    """Connect to the documents of a world, or use a client that somebody else opened.

    An unreachable server is an error at once, not later.
    """
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

    url = mongo_address(settings)
    try:
        client = client or MongoClient(
            url, serverSelectionTimeoutMS=CONNECT_MILLISECONDS, socketTimeoutMS=60_000
        )
        client.admin.command("ping")
    except (ConfigurationError, InvalidURI, ValueError) as error:
        raise ValueError(
            f"TWIN_MONGO_URL {hide_password(url)!r} is no MongoDB address: {error}"
        ) from None
    except PyMongoError as error:
        raise ConnectionError(
            f"No MongoDB answers at {hide_password(url)}: start it with `make up`, or set TWIN_MONGO_URL. "
            f"({type(error).__name__})"
        ) from None
    return Documents(client, settings.mongo_database)


class Documents(Rejections, Journal, Batches, Erasures):
    """Everything that one world keeps in MongoDB. Times are aware and in UTC, both ways."""

    def stage(self, documents: Iterable[Document]) -> int:
        """Put fetched documents aside until they are judged; returns how many."""
        return self._replace(
            "staged", {d.id: {**to_record(d), "revision": d.revision} for d in documents}
        )

    def staged(self) -> list[Document]:
        """List what waits to be judged."""
        return [from_record(Document, r) for r in self._all("staged")]

    def waiting_sources(self) -> set[str]:
        """Name the sources of what waits to be judged."""
        return {str(r["source"]) for r in self._collection("staged").find({}, {"source": 1})}

    def unstage(self, ids: Iterable[str]) -> None:
        """Clear judged documents from the staging area."""
        self._delete("staged", ids)

    def put(self, documents: Iterable[Document]) -> dict[str, int]:
        """Store documents and their revisions; an older look never overwrites a newer one."""
        given = {d.id: d for d in sorted(documents, key=lambda d: d.fetched_at)}
        before = {r["_id"]: r for r in self._find("documents", given)}
        fresh = {i: d for i, d in given.items() if is_newer(d, before.get(i))}
        changed = {i: d for i, d in fresh.items() if not says_the_same(d, before.get(i))}
        revisions = {
            digest(i, d.revision): {**to_record(d), "document_id": i, "revision": d.revision}
            for i, d in changed.items()
        }
        self._replace("revisions", revisions)
        # Those that say the same are written too: when they were last seen decides what is late.
        self._replace(
            "documents", {i: {**to_record(d), "revision": d.revision} for i, d in fresh.items()}
        )
        new = len(changed.keys() - before.keys())
        return {"new": new, "changed": len(changed) - new, "unchanged": len(given) - len(changed)}

    def active(self) -> list[Document]:
        """List the documents that are not gone, by id."""
        return [from_record(Document, r) for r in self._all("documents") if not r.get("gone_at")]

    def listed(self) -> list[DocumentState]:
        """List what is known of the documents that are not gone, without their texts, by id."""
        found = self._all("documents", ("url", "kind", "revision", "fetched_at", "gone_at"))
        return [
            DocumentState(r["_id"], r["url"], r["kind"], r["revision"], r["fetched_at"])
            for r in found
            if not r.get("gone_at")
        ]

    def stream(self, ids: Sequence[str]) -> Iterator[Document]:
        """Read documents as they are asked for, some hundred at a time, in the order of their ids."""
        for start in range(0, len(ids), BATCH):
            yield from self.read(ids[start : start + BATCH])

    def read(self, ids: Sequence[str]) -> list[Document]:
        """Read documents in the order of their ids; LookupError when one is gone."""
        return [from_record(Document, r) for r in self._in_order("documents", ids)]

    def of_sources(self, names: Collection[str], ids: Collection[str] | None = None) -> set[str]:
        """Name the documents of some sources, or those of them that are among `ids`."""
        asked: Record = {"source": {"$in": sorted(names)}}
        if ids is not None:
            asked["_id"] = {"$in": sorted(ids)}
        return {str(r["_id"]) for r in self._collection("documents").find(asked, {"_id": 1})}

    def get(self, document_id: str) -> Document | None:
        """Find a document that is not gone."""
        record = self._collection("documents").find_one({"_id": document_id})
        return from_record(Document, record) if record and not record.get("gone_at") else None

    def mark(self) -> str:
        """Hash which documents there are, in which revision: what a change of changes."""
        shape = {"revision": 1, "gone_at": 1}
        found = self._collection("documents").find({}, shape)
        return digest(
            "mark", *sorted(f"{r['_id']}{r['revision']}{bool(r.get('gone_at'))}" for r in found)
        )

    def known_urls(self, source_id: str) -> set[str]:
        """Return the URLs of a source's documents that are not gone."""
        found = self._collection("documents").find({"source": source_id})
        return {r["url"] for r in found if not r.get("gone_at")}

    def held(self) -> dict[str, frozenset[str]]:
        """Return, by URL, the revisions that need no second look: stored, staged, or refused as they are."""
        shape = {"url": 1, "where": 1, "revision": 1, "gone_at": 1}
        found: dict[str, set[str]] = {}
        for name in ("documents", "staged", "rejected"):
            for record in self._collection(name).find({}, shape):
                if record.get("revision") and not record.get("gone_at"):
                    url = record.get("url") or record["where"]
                    found.setdefault(url, set()).add(record["revision"])
        return {url: frozenset(revisions) for url, revisions in found.items()}

    def mark_gone(self, document_ids: Iterable[str], at: datetime) -> int:
        """Put a tombstone on documents that are no longer published; nothing is deleted."""
        wanted = set(document_ids)
        found = [r for r in self._find("documents", wanted) if not r.get("gone_at")]
        return self._replace("documents", {r["_id"]: {**r, "gone_at": at} for r in found})

    def page_state(self, url: str) -> Record:
        """Return what is known of a page for a conditional request; empty when nothing is."""
        return self._collection("pages").find_one({"_id": digest("page", url)}) or {}

    def put_page_state(self, url: str, **state: str) -> None:
        """Remember a page's ETag, Last-Modified and the like; `document` is the id of what it became."""
        self._replace("pages", {digest("page", url): {"url": url, **state}})

    def put_clean(self, documents: Iterable[CleanDocument], fingerprint: str) -> None:
        """Store clean documents, made as the fingerprint says."""
        coming = iter(documents)
        while part := list(islice(coming, BATCH)):
            made = {d.id: {**to_record(d), "fingerprint": fingerprint} for d in part}
            self._replace("clean", made)

    def clean(self, fingerprint: str) -> list[CleanDocument]:
        """List the clean documents that were made in this way, by id."""
        found = (r for r in self._all("clean") if r["fingerprint"] == fingerprint)
        return [from_record(CleanDocument, r) for r in found]

    def outlines(self, fingerprint: str) -> list[CleanDocument]:
        """List the clean documents made in this way without their words, by id: all of them at once fit into memory."""
        known = [f.name for f in fields(CleanDocument) if f.name not in ("text", *OTHERS_WORDS)]
        found = self._all("clean", ("fingerprint", *known))
        made = (r for r in found if r["fingerprint"] == fingerprint)
        return [from_record(CleanDocument, {**r, "text": ""}) for r in made]

    def read_clean(self, ids: Sequence[str]) -> list[CleanDocument]:
        """Read clean documents in the order of their ids; LookupError when one is no longer there."""
        return [from_record(CleanDocument, r) for r in self._in_order("clean", ids)]

    def stream_clean(self, ids: Sequence[str]) -> Iterator[CleanDocument]:
        """Read clean documents as they are asked for, some hundred at a time, in the order of their ids."""
        for start in range(0, len(ids), BATCH):
            yield from self.read_clean(ids[start : start + BATCH])

    def clean_states(self, fingerprint: str) -> dict[str, CleanState]:
        """Return what is known, without their texts, of the clean documents made in this way, sorted by id."""
        wanted = [f.name for f in fields(CleanState)]
        found = self._all("clean", ("fingerprint", *wanted))
        return {
            r["_id"]: from_record(CleanState, r) for r in found if r["fingerprint"] == fingerprint
        }

    def original_revisions(self, fingerprint: str) -> dict[str, str]:
        """Return the revision of every clean document made in this way that is no copy, sorted by id."""
        states = self.clean_states(fingerprint)
        return {i: state.revision for i, state in states.items() if not state.duplicate_of}

    def cleaned_otherwise(self, fingerprint: str) -> bool:
        """Tell whether there are clean documents, but none that were made in this way."""
        made = {r["fingerprint"] for r in self._all("clean", ("fingerprint",))}
        return bool(made) and fingerprint not in made

    def remove_clean(self, ids: Iterable[str]) -> None:
        """Delete clean documents whose source is gone."""
        self._delete("clean", ids)

    def indexed(self, colour: str = "") -> dict[str, IndexState]:
        """Return what is in one colour of the index, by document."""
        found = (r for r in self._all("indexed") if r.get("colour", "") == colour)
        return {r["document"]: from_record(IndexState, r) for r in found if "document" in r}

    def indexed_chunks(self, document_ids: Iterable[str]) -> set[str]:
        """Name the chunks of documents, in every colour of the index."""
        wanted = set(document_ids)
        found = (r for r in self._all("indexed") if r.get("document") in wanted)
        return {chunk for r in found for chunk in r["chunk_ids"]}

    def mark_indexed(self, states: Mapping[str, IndexState], colour: str = "") -> None:
        """Say that documents are in a colour of the index; written after the index itself."""
        records = {
            f"{colour}:{i}": {
                **asdict(s),
                "chunk_ids": list(s.chunk_ids),
                "colour": colour,
                "document": i,
            }
            for i, s in states.items()
        }
        self._replace("indexed", records)

    def unmark_indexed(self, ids: Iterable[str], colour: str = "") -> None:
        """Say that documents are no longer in a colour of the index."""
        self._delete("indexed", (f"{colour}:{i}" for i in ids))

    def keep_indexed(self, colours: Iterable[str]) -> None:
        """Forget what was in colours of the index that are no longer kept."""
        self._collection("indexed").delete_many({"colour": {"$nin": sorted(colours)}})

    def digest(self, colour: str = "") -> str:
        """Hash the state of documents, clean documents and one colour, without times: equal states, equal digests."""
        documents = [
            f"{r['_id']}{r['revision']}{bool(r.get('gone_at'))}"
            for r in self._all("documents", ("revision", "gone_at"))
        ]
        cleaned = [
            f"{r['_id']}{r['revision']}{r['duplicate_of']}"
            for r in self._all("clean", ("revision", "duplicate_of"))
        ]
        indexed = [
            f"{i}{s.revision}{','.join(s.chunk_ids)}{s.payload}"
            for i, s in sorted(self.indexed(colour).items())
        ]
        return digest("documents", *documents, "clean", *cleaned, "indexed", *indexed)
