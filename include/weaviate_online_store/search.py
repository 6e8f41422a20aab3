"""What of a feature view can be searched: its vectors, words and filters in Weaviate's terms, and questions.

Properties and vectors are named after the feature and how it is kept, so that a feature that changes
its type, metric or length gets another one instead of an error.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feast import RepoConfig, ValueType
from feast.filter_models import ComparisonFilter, CompoundFilter, FilterTranslator, FilterType
from feast.protos.feast.types.Value_pb2 import Value
from weaviate.classes import config as schema
from weaviate.classes.query import Filter

from .rows import legible

COSINE, DOT, L2, L1 = "cosine", "dot", "l2-squared", "manhattan"
METRICS = {
    "cosine": COSINE,
    **dict.fromkeys(("dot", "dot_product", "ip", "inner_product"), DOT),
    **dict.fromkeys(("l2", "l2_norm", "l2-squared", "euclidean"), L2),
    **dict.fromkeys(("l1", "manhattan"), L1),
}
# Types that a filter can compare, as Weaviate calls them.
KINDS = {
    **dict.fromkeys((ValueType.STRING, ValueType.UUID, ValueType.TIME_UUID), "text"),
    **dict.fromkeys((ValueType.INT32, ValueType.INT64, ValueType.UNIX_TIMESTAMP), "int"),
    **dict.fromkeys((ValueType.FLOAT, ValueType.DOUBLE), "number"),
    ValueType.BOOL: "bool",
}
TYPES = {
    "text": schema.DataType.TEXT,
    "int": schema.DataType.INT,
    "number": schema.DataType.NUMBER,
    "bool": schema.DataType.BOOL,
}
COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater_than",
    "gte": "greater_or_equal",
    "lt": "less_than",
    "lte": "less_or_equal",
}


@dataclass(frozen=True, slots=True)
class VectorField:
    """The field of a view that is indexed, the name of its vector in Weaviate and how it is compared."""

    feature: str
    name: str
    metric: str
    length: int


def vector_field(config: RepoConfig, table: Any) -> VectorField | None:
    """Find the field with `vector_index=True`; None where there is none or vectors are switched off."""
    fields = [f for f in table.features if f.vector_index]
    if not config.online_store.vector_enabled or not fields:
        return None
    if len(fields) > 1:
        raise ValueError(f"Feature view {table.name} has several vector fields; Feast allows one.")
    (field,) = fields
    metric = metric_of(field.vector_search_metric or config.online_store.similarity or COSINE)
    name = f"v_{legible(field.name)}_{metric.replace('-', '_')}_{field.vector_length or 'any'}"
    return VectorField(field.name, name, metric, field.vector_length)


def metric_of(name: str) -> str:
    """Return Weaviate's name of a metric; ValueError for one that it does not have."""
    if name.lower() not in METRICS:
        raise ValueError(f"Weaviate has no metric {name}; use one of {', '.join(METRICS)}.")
    return METRICS[name.lower()]


def filterable(config: RepoConfig, table: Any) -> dict[str, tuple[str, str]]:
    """Name the fields that a filter may compare: their property and its kind."""
    online = config.online_store
    if not (online.text_search_enabled or vector_field(config, table)):
        return {}
    kinds = {
        f.name: KINDS.get(f.dtype.to_value_type()) for f in [*table.entity_columns, *table.features]
    }
    return {name: (f"f_{legible(name)}_{kind}", kind) for name, kind in kinds.items() if kind}


def wordy(config: RepoConfig, table: Any) -> dict[str, str]:
    """Name the string features that are searched by words, and their properties."""
    if not config.online_store.text_search_enabled:
        return {}
    strings = [f.name for f in table.features if f.dtype.to_value_type() is ValueType.STRING]
    return {name: f"f_{legible(name)}_words" for name in strings}


def properties(config: RepoConfig, table: Any) -> Iterator[schema.Property]:
    """Describe what a collection keeps. Whole fields are compared: words would match loosely."""
    for name in ("entity_key", "layers"):
        yield schema.Property(name=name, data_type=schema.DataType.BLOB)
    yield schema.Property(name="event_ts", data_type=schema.DataType.DATE)
    for name, kind in filterable(config, table).values():
        yield schema.Property(
            name=name,
            data_type=TYPES[kind],
            tokenization=schema.Tokenization.FIELD if kind == "text" else None,
            index_searchable=False if kind == "text" else None,
            index_filterable=True,
        )
    for name in wordy(config, table).values():
        yield schema.Property(
            name=name,
            data_type=schema.DataType.TEXT,
            tokenization=schema.Tokenization.WORD,
            index_searchable=True,
            index_filterable=False,
        )


def native(config: RepoConfig, table: Any, values: Mapping[str, Value]) -> dict[str, Any]:
    """Return what can be searched of a row in Weaviate's types; what is not set or no number is left out."""
    words, found = wordy(config, table), dict[str, Any]()
    names = [*((n, p) for n, (p, _) in filterable(config, table).items()), *words.items()]
    for name, property_name in names:
        value = values.get(name, Value())
        if (which := value.WhichOneof("val")) and which != "null_val":
            plain = getattr(value, which)
            if not isinstance(plain, float) or math.isfinite(plain):
                found[property_name] = plain
    return found


def vector_of(field: VectorField, values: Mapping[str, Value]) -> dict[str, list[float]]:
    """Return a row's vector by its name; nothing where it is not set. ValueError for a wrong length."""
    value = values.get(field.feature, Value())
    which = value.WhichOneof("val")
    if not which or which == "null_val":
        return {}
    vector = [float(x) for x in getattr(value, which).val]
    if field.length and len(vector) != field.length:
        raise ValueError(
            f"A vector of {field.feature} has {len(vector)} numbers; its field declares {field.length}."
        )
    return {field.name: vector} if vector else {}


class WeaviateFilterTranslator(FilterTranslator):
    """Translate Feast's filters; what has no value matches no comparison, as in SQL."""

    def __init__(self, columns: Mapping[str, tuple[str, str]]) -> None:
        self._columns = columns

    def translate(self, filters: FilterType) -> Any:
        """Return Weaviate's filter; None asks nothing."""
        return None if filters is None else self._dispatch(filters)

    def translate_compound(self, f: CompoundFilter) -> Any:
        """Translate `and` and `or`; an empty one asks nothing."""
        parts = [part for part in map(self._dispatch, f.filters) if part is not None]
        return (
            (Filter.all_of(parts) if f.type == "and" else Filter.any_of(parts)) if parts else None
        )

    def translate_comparison(self, f: ComparisonFilter) -> Any:
        """Translate one comparison. ValueError for a field or value that cannot be compared."""
        if f.key not in self._columns:
            raise ValueError(
                f"Nothing can be filtered by {f.key}; what can: {', '.join(self._columns) or 'nothing'}."
            )
        name, kind = self._columns[f.key]
        if f.type in COMPARISONS:
            return self._compare(name, f.type, _plain(f.key, kind, f.value))
        if not isinstance(f.value, list):
            raise ValueError(f"The filter {f.type} on {f.key} needs a list, not {f.value!r}.")
        each = "eq" if f.type == "in" else "ne"
        parts = [self._compare(name, each, _plain(f.key, kind, value)) for value in f.value]
        there = Filter.by_property(name).is_none(False)
        if not parts:
            return there & Filter.by_property(name).is_none(True) if f.type == "in" else there
        return Filter.any_of(parts) if f.type == "in" else Filter.all_of(parts)

    @staticmethod
    def _compare(name: str, comparison: str, value: Any) -> Any:
        asked = getattr(Filter.by_property(name), COMPARISONS[comparison])(value)
        # Weaviate's `not equal` is true of what is not there.
        return asked & Filter.by_property(name).is_none(False) if comparison == "ne" else asked


def _plain(key: str, kind: str, value: Any) -> Any:
    """Return a filter's value as the kind that is stored; ValueError where that changes it."""
    if isinstance(value, datetime) and kind == "int":
        return int((value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp())
    fits = {
        "text": isinstance(value, str),
        "bool": isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "int": isinstance(value, int | float)
        and not isinstance(value, bool)
        and value == int(value),
    }
    if not fits[kind]:
        raise ValueError(f"{key} is kept as {kind} and cannot be compared with {value!r}.")
    return {"number": float, "int": int}.get(kind, lambda same: same)(value)
