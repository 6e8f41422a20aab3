"""The ground under the door to MongoDB: a database whose writes are replacements by id."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from include.records import Record, in_parts

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.collection import Collection


class Collections:
    """The collections of one world. Times are aware and in UTC, both ways."""

    def __init__(self, client: "MongoClient[Record]", database: str) -> None:
        from bson.codec_options import CodecOptions

        self._client = client
        # Said here and not to the client, because the client may be Airflow's.
        self._database = client.get_database(database, CodecOptions(tz_aware=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        """Close; a lost connection becomes Python's own exception, which callers know how to wait for."""
        from pymongo.errors import AutoReconnect

        self.close()
        if isinstance(raised[1], AutoReconnect):
            raise ConnectionError(f"MongoDB went away: {raised[1]}") from raised[1]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _collection(self, name: str) -> "Collection[Record]":
        return self._database[name]

    def _all(self, name: str, fields: Sequence[str] = ()) -> list[Record]:
        """Read a whole collection, or some fields of it, sorted by id here: servers compare strings differently."""
        found = self._collection(name).find({}, dict.fromkeys(fields, 1) or None)
        return sorted(found, key=lambda r: str(r["_id"]))

    def _in_order(self, name: str, ids: Sequence[str]) -> list[Record]:
        """Read the records of some ids in their order; LookupError when one is missing or gone."""
        found = {r["_id"]: r for r in self._find(name, ids) if not r.get("gone_at")}
        if missing := [i for i in ids if i not in found]:
            raise LookupError(
                f"{name} holds no {missing[0]} any more; somebody changed it meanwhile. Run this again."
            )
        return [found[i] for i in ids]

    def _find(self, name: str, ids: Iterable[str]) -> list[Record]:
        found = self._collection(name).find
        return [r for part in in_parts(ids) for r in found({"_id": {"$in": part}})]

    def _replace(self, name: str, records: Mapping[str, Record]) -> int:
        from pymongo import ReplaceOne

        for part in in_parts(records):
            writes = [ReplaceOne({"_id": i}, {**records[i], "_id": i}, upsert=True) for i in part]
            self._collection(name).bulk_write(writes, ordered=False)
        return len(records)

    def _delete(self, name: str, ids: Iterable[str]) -> None:
        for part in in_parts(ids):
            self._collection(name).delete_many({"_id": {"$in": part}})
