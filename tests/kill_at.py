"""Take in what the sources hold and die by SIGKILL at one named write: a program for `test_kills.py`.

`python tests/kill_at.py [WRITE]` counts every write to MongoDB, the index and the feature store, from 0,
and kills itself just before the one that is asked for. Without a number, or when fewer writes are needed,
it prints the names of all of them, as JSON on the last line.
"""

import json
import os
import signal
import sys
from collections.abc import Callable

from include import cleaning, indexing, ingestion, measuring, reconciling
from include.collections import Collections
from include.colours_lance import LanceColours
from include.features import Features
from include.settings import Settings, load_settings
from include.vectors_lance import LanceVectors

DOORS = (
    *((Collections, "_replace"), (Collections, "_delete")),
    *((LanceVectors, "upsert"), (LanceVectors, "delete")),
    *((LanceColours, "note"), (LanceColours, "point"), (LanceColours, "drop")),
    *((Features, "store_rows"), (Features, "materialize")),
)


def main(wanted: int) -> None:
    """Count the writes of one lap."""
    seen: list[str] = []
    verbs = [""]

    def counted(name: str, write: Callable[..., object]) -> Callable[..., object]:
        def call(self: object, *given: object, **named: object) -> object:
            where = str(given[0]) if name.startswith("_") else ""
            if len(seen) == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append(f"{verbs[-1]}: {name.strip('_')} {where}".strip())
            return write(self, *given, **named)

        return call

    for door, name in DOORS:
        setattr(door, name, counted(name, getattr(door, name)))
    for verb, call in lap(load_settings()):
        verbs.append(verb)
        call()
    sys.stdout.write("\n" + json.dumps(seen) + "\n")


def lap(world: Settings) -> list[tuple[str, Callable[[], object]]]:
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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else -1)
