"""Do one journey through the platform and die by SIGKILL at one named write: what `test_kills.py` starts in processes.

Every write to MongoDB, the index and the feature store is counted, and every file that is put in its place. The
process kills itself just before the one that is asked for; if fewer are needed, it sends back the names of all.
"""

import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from own_texts import entry
from pymongo.collection import Collection

from include import cleaning, forgetting, indexing, ingestion, measuring, reconciling
from include.colours_lance import LanceColours
from include.features import Features
from include.settings import Settings
from include.vectors_lance import LanceVectors

Verbs = list[tuple[str, Callable[[], object]]]
DOORS = (
    *((Collection, "bulk_write"), (Collection, "delete_many")),
    *((LanceVectors, "upsert"), (LanceVectors, "delete"), (LanceVectors, "purge")),
    *((LanceColours, "note"), (LanceColours, "point"), (LanceColours, "drop")),
    *((Features, "store_rows"), (Features, "materialize")),
    *((Path, "replace"), (Path, "rename")),
)
# What takes long to import; LanceDB starts threads, which a fork would lose.
PRELOADED = ["great_expectations", "feast", "pandas", "pyarrow.parquet", "onnxruntime", "kill_at"]


def lap(world: Settings) -> Verbs:
    """List the verbs of a lap up to features, each ready to be called."""
    crawls = [
        ("crawl_source", lambda source=source: ingestion.crawl_source(world, source))
        for source in ingestion.list_sources(world)
    ]
    verbs = (
        ingestion.store_documents,
        cleaning.clean_documents,
        indexing.index_chunks,
        measuring.store_features,
        reconciling.reconcile_stores,
    )
    return [*crawls, *((v.__name__, lambda v=v: v(world)) for v in verbs)]


def erasure(world: Settings) -> Verbs:
    """Forget one document, then do a lap, which must not bring it back."""
    url = str(entry(1)["url"])
    forget = ("forget_document", lambda: forgetting.forget_document(world, url))
    return [forget, *lap(world)]


def migration(world: Settings) -> Verbs:
    """Do a lap with passages of another size: a new colour of the index is built and published."""
    return lap(world.model_copy(update={"chunk_tokens": 60}))


JOURNEYS = {j.__name__: j for j in (lap, erasure, migration)}


def main(world: Settings, journey: str, wanted: int, told: Connection) -> None:
    """Count the writes of a journey, and send their names back at its end."""
    seen: list[str] = []
    verbs = [""]

    def counted(door: type, name: str) -> Callable[..., object]:
        write = getattr(door, name)

        def call(self: object, *given: object, **named: object) -> object:
            if len(seen) == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append(f"{verbs[-1]}: {_what(self, door, name, given)}")
            return write(self, *given, **named)

        return call

    for door, name in DOORS:
        setattr(door, name, counted(door, name))
    for verb, call in JOURNEYS[journey](world):
        verbs.append(verb)
        call()
    told.send(seen)


def _what(self: object, door: type, name: str, given: tuple[object, ...]) -> str:
    """Name a write: what is done to what."""
    if isinstance(self, Collection):
        return f"{name} {self.name}"
    if isinstance(self, Path):
        target = Path(str(given[0]))
        return (
            f"{name} {target.name}" if len(target.stem) < 16 else f"{name} in {target.parent.name}"
        )
    return f"{door.__name__}.{name}"
