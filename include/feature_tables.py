"""The history of features as Arrow tables: a hundred thousand measurements in the memory of some thousand dictionaries.

Tables in, tables out: where a history is kept, and by whom, is `include/feature_store.py`'s to know.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from ml.types import digest

Row = dict[str, Any]
TIME = "event_timestamp"
# Rows that are plain dictionaries at a time.
BATCH = 500


def table_of(rows: Iterable[Mapping[str, Any]], schema: Any) -> Any:
    """Make a table of rows as they come; what a row does not have is null."""
    import pyarrow

    coming = iter(rows)
    parts = []
    while part := list(islice(coming, BATCH)):
        parts.append(pyarrow.RecordBatch.from_pylist(part, schema=schema))
    return pyarrow.Table.from_batches(parts, schema=schema)


def fitted(table: Any, schema: Any) -> Any:
    """Give a table just the columns of a schema; one that was declared later is null."""
    import pyarrow

    columns = [
        table[f.name].cast(f.type)
        if f.name in table.column_names
        else pyarrow.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pyarrow.table(columns, schema=schema)


def rows_of(table: Any) -> Iterator[list[Row]]:
    """Yield a table's rows in their order, some hundred at a time."""
    return (part.to_pylist() for part in table.to_batches(max_chunksize=BATCH))


def joined(*tables: Any) -> Any:
    """Put tables of one schema one after the other."""
    import pyarrow

    return pyarrow.concat_tables(tables)


def without(table: Any, key: str, values: Collection[str]) -> Any:
    """Leave out the rows of some keys."""
    import pyarrow.compute as compute

    return table.filter(compute.invert(_among(table, key, values)))


def no_later(table: Any, key: str, times: Mapping[str, datetime]) -> Any:
    """Leave out the rows of some keys that are later than the time of each."""
    import pyarrow

    if not times:
        return table
    late = [
        at > times.get(name, at)
        for name, at in zip(table[key].to_pylist(), table[TIME].to_pylist(), strict=True)
    ]
    return table.filter(pyarrow.array([not one for one in late], pyarrow.bool_()))


def only(table: Any, key: str, values: Collection[str]) -> Any:
    """Leave out all but the rows of some keys."""
    return table.filter(_among(table, key, values))


def keys_of(table: Any, key: str) -> set[str]:
    """Return every key of a table."""
    return set(table[key].unique().to_pylist())


def merged(table: Any, key: str) -> Any:
    """Keep the last row of each key and time, in the order of time."""
    return _last(table, [TIME, key])


def latest(table: Any, key: str, until: datetime | None = None) -> Any:
    """Keep the row of each key with the latest time, no later than a time; of a table in the order of time."""
    import pyarrow
    import pyarrow.compute as compute

    if until is not None:
        moment = pyarrow.scalar(until, type=table.schema.field(TIME).type)
        table = table.filter(compute.less_equal(table[TIME], moment))
    return _last(table, [key])


def differing(one: Any, other: Any, key: str) -> set[str]:
    """Name the keys of which two tables of one schema do not say the same."""
    if one.equals(other):
        return set()
    left, right = ({(r[key], repr(r)) for p in rows_of(table) for r in p} for table in (one, other))
    return {name for name, _ in left ^ right}


def row_digest(row: Mapping[str, Any]) -> str:
    """Hash a measurement, its time included; what it does not have does not count."""
    known = (
        (n, float(v) if isinstance(v, int) else v) for n, v in sorted(row.items()) if n != TIME
    )
    told = (f"{n}={v!r}" for n, v in known if v is not None)
    # To the milliseconds that MongoDB keeps, in which a time began.
    return digest("features", str(int(row[TIME].timestamp() * 1000)), *told)


def _among(table: Any, key: str, values: Collection[str]) -> Any:
    import pyarrow
    import pyarrow.compute as compute

    return compute.is_in(table[key], value_set=pyarrow.array(list(values), pyarrow.string()))


def _last(table: Any, keys: list[str]) -> Any:
    """Keep the last row of all that have the same keys, sorted by the keys."""
    import pyarrow

    place = pyarrow.array(range(table.num_rows), pyarrow.int64())
    places = table.select(keys).append_column("place", place)
    last = places.group_by(keys).aggregate([("place", "max")])
    last = last.sort_by([(name, "ascending") for name in keys])
    return table.take(last["place_max"])
