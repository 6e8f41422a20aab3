"""Questions to a feature view's collection: by meaning, by words, or by both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast import RepoConfig
from feast.protos.feast.types.Value_pb2 import Value
from weaviate.classes.query import Filter, HybridFusion, MetadataQuery

from .search import L2, VectorField, metric_of, vector_field, wordy

RETURNED = ["entity_key", "layers"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: a vector, words, or both, among the objects that a filter lets through."""

    embedding: Sequence[float] | None
    words: str | None
    field: VectorField | None
    properties: list[str]
    alpha: float
    among: Any = None

    def ask(
        self, collection: Any, limit: int
    ) -> Iterator[tuple[Mapping[str, Any], dict[str, Value]]]:
        """Yield properties and scores of what is found, best first."""
        if self.words is None:
            for o in self._nearest(collection, limit, self.among).objects:
                yield o.properties, {"distance": self._distance(o)}
            return
        hits = self._by_words(collection, limit).objects
        distances = dict[Any, Value]()
        if self.embedding is not None and hits:
            these = Filter.by_id().contains_any([o.uuid for o in hits])
            near = self._nearest(collection, len(hits), these).objects
            distances = {o.uuid: self._distance(o) for o in near}
        for o in hits:
            scores = {"text_rank": Value(float_val=o.metadata.score)}
            if o.uuid in distances:
                scores["distance"] = distances[o.uuid]
            yield o.properties, scores

    def _nearest(self, collection: Any, limit: int, among: Any) -> Any:
        assert self.field is not None
        return collection.query.near_vector(
            list(self.embedding or ()),
            target_vector=self.field.name,
            limit=limit,
            filters=among,
            return_metadata=MetadataQuery(distance=True),
            return_properties=RETURNED,
        )

    def _by_words(self, collection: Any, limit: int) -> Any:
        asked: dict[str, Any] = {
            "query_properties": self.properties,
            "limit": limit,
            "filters": self.among,
            "return_metadata": MetadataQuery(score=True),
            "return_properties": RETURNED,
        }
        if self.embedding is None:
            return collection.query.bm25(self.words, **asked)
        assert self.field is not None
        return collection.query.hybrid(
            self.words,
            vector=list(self.embedding),
            target_vector=self.field.name,
            alpha=self.alpha,
            fusion_type=HybridFusion.RELATIVE_SCORE,
            **asked,
        )

    def _distance(self, found: Any) -> Value:
        """Return the distance as its name says: Weaviate's L2 is the square."""
        distance = float(found.metadata.distance)
        squared = self.field is not None and self.field.metric == L2
        return Value(float_val=math.sqrt(max(distance, 0.0)) if squared else distance)


def question_of(
    config: RepoConfig,
    table: Any,
    embedding: Sequence[float] | None,
    words: str | None,
    metric: str | None,
    among: Any,
) -> Question:
    """Check what is asked against what the view has. ValueError says what is missing, and where to say so."""
    field, strings = vector_field(config, table), wordy(config, table)
    if embedding is None and words is None:
        raise ValueError("Give an embedding, a query_string, or both.")
    if words is not None and not strings:
        raise ValueError(
            f"No words of {table.name} are indexed: set `text_search_enabled: true` in online_store, "
            f"have a String feature, then apply and materialize."
        )
    if embedding is not None:
        _check_vector(table, embedding, field, metric)
    alpha = config.online_store.hybrid_alpha
    return Question(embedding, words, field, [*strings.values()], alpha, among)


def _check_vector(
    table: Any, embedding: Sequence[float], field: VectorField | None, metric: str | None
) -> None:
    if field is None:
        raise ValueError(
            f"No vectors of {table.name} are indexed: set `vector_enabled: true` in online_store, give one "
            f"field vector_index=True, then apply and materialize."
        )
    if field.length and len(embedding) != field.length:
        raise ValueError(
            f"The embedding has {len(embedding)} numbers; {field.feature} holds {field.length}."
        )
    if metric and metric_of(metric) != field.metric:
        raise ValueError(
            f"{field.feature} of {table.name} is indexed by {field.metric}, and {metric} was asked for (Feast "
            f"asks for L2 unless told otherwise): give its Field a vector_search_metric, or pass "
            f"distance_metric={field.metric!r}."
        )
