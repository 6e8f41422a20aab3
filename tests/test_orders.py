"""Events are hints: lost, doubled, late or in any order, they leave the same documents, index and features.

Hypothesis draws how the last state of a source was reached: which versions were seen in between, which
verbs ran after each, and which ran twice. Whatever the way, the stores end as if only the end had been seen.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import pytest
from builders import document
from conftest import empty_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_texts import entry, own_world, prose, store_state, take_stock, write_entries

from include import cleaning, indexing, measuring, reconciling
from include.documents import open_documents
from include.settings import Settings

# Enough to meet every pair of events; each example runs the verbs a dozen times.
WAYS = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ADDRESSES = range(4)
# Each text is one of two of its own, a text that several share, or not there at all.
VERSIONS = st.lists(st.sampled_from(["first", "second", "copy", "gone"]), min_size=4, max_size=4)
VERBS = {
    "crawl": take_stock,
    "clean": cleaning.clean_documents,
    "index": indexing.index_chunks,
    "measure": measuring.store_features,
    "reconcile": reconciling.reconcile_stores,
}
STEPS = st.tuples(VERSIONS, st.lists(st.sampled_from(sorted(VERBS)), max_size=4))
# Another text is always there: a source that holds nothing at all is an error, not an end.
LAST = ["first", "second", "copy", "copy"]


def entries(versions: list[str]) -> Iterator[dict[str, object]]:
    """Write what the source holds when its texts are in these versions."""
    texts = {
        "first": lambda n: prose(n),
        "second": lambda n: prose(100 + n),
        "copy": lambda n: prose(7),
    }
    yield entry(50)
    for number, version in zip(ADDRESSES, versions, strict=True):
        if version != "gone":
            yield entry(number, texts[version](number))


def run_all(world: Settings) -> None:
    for verb in VERBS.values():
        verb(world)


@pytest.fixture
def straight(settings: Settings, tmp_path: Path) -> tuple[Settings, tuple[object, ...]]:
    """Make a world that saw the last state only; returns it, to be emptied, with what it ended as."""
    world = own_world(settings, tmp_path, *entries(LAST))
    run_all(world)
    return world, store_state(world)


@pytest.mark.timeout(900)
@WAYS
@given(way=st.lists(STEPS, max_size=3))
def test_whatever_happened_before_the_stores_end_the_same(
    straight, mongo_url: str, way: list
) -> None:
    world, expected = straight
    empty_database(mongo_url)
    shutil.rmtree(world.data_dir)
    shutil.rmtree(world.vectors_url.removeprefix("lancedb://"))
    for versions, verbs in way:
        write_entries(world, *entries(versions))
        take_stock(world)
        for name in verbs:
            VERBS[name](world)

    write_entries(world, *entries(LAST))
    run_all(world)

    assert store_state(world) == expected
    assert reconciling.reconcile_stores(world)["missing"] == 0


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_looks_at_one_page_may_arrive_in_any_order(
    settings: Settings, order: tuple[int, ...]
) -> None:
    first = document("the first text of a page", url="https://x.example/1")
    looks = [
        replace(
            first,
            text=f"look number {n} of a page",
            fetched_at=first.fetched_at + timedelta(days=n),
        )
        for n in range(3)
    ]
    with open_documents(settings) as documents:
        for place in order:
            documents.put([looks[place], looks[place]])

        (kept,) = documents.active()
        assert kept == looks[2]
