"""The batch engine: the same work, in the same order and with the same errors, in this process and on a Ray."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import empty_database
from own_texts import entry, own_world, store_state, take_in, take_stock

from include.cleaning import _cleaner
from include.documents import open_documents
from include.engine import do, run_batches
from include.engine_ray import connected
from include.settings import Settings

CLEAN = partial(_cleaner, {}, frozenset(), "a fingerprint")
RAY_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run one Ray for the tests of this file; what is said to its programs is taken back at the end."""
    with pytest.MonkeyPatch.context() as environment:
        for name in RAY_VARIABLES:
            environment.setenv(name, "")
        with connected(Settings(data_dir=tmp_path_factory.mktemp("ray"), ray_address="local")):
            yield


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of articles that nobody has cleaned yet."""
    return own_world(settings, tmp_path, *map(entry, range(9)))


def on_ray(world: Settings) -> Settings:
    return world.model_copy(update={"ray_address": "local"})


def shuffled_ids(world: Settings) -> list[str]:
    """Take the texts in; returns their ids in an order that is not that of ids."""
    take_stock(world)
    with open_documents(world) as documents:
        return [d.id for d in sorted(documents.active(), key=lambda d: d.title)]


def test_results_come_in_the_order_of_the_ids(world: Settings) -> None:
    ids = shuffled_ids(world)

    assert [c.id for c, _, _ in run_batches(world, CLEAN, ids, 4)] == ids != sorted(ids)


def test_without_ids_nothing_is_made_and_no_ray_is_asked() -> None:
    nowhere = Settings(ray_address="no-such-host:1")

    assert list(run_batches(nowhere, CLEAN, [], 4)) == []


def test_work_that_loses_a_result_is_refused() -> None:
    with pytest.raises(ValueError, match="3 ids gave 2 results"):
        do(lambda ids: ids[1:], ["a", "b", "c"])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "harbour"])
def test_a_ray_that_is_not_there_is_said_so_with_what_to_do(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RAY_VARIABLES:
        monkeypatch.setenv(name, "")
    nowhere = Settings(data_dir=tmp_path, ray_address=address)

    with pytest.raises(ConnectionError, match=f"No Ray at '{address}'.*TWIN_RAY_ADDRESS"):
        list(run_batches(nowhere, CLEAN, ["a"], 4))


@pytest.mark.services
def test_on_ray_results_keep_their_order_up_to_the_error_which_is_the_works_own(
    world: Settings, ray: None
) -> None:
    ids = shuffled_ids(world)
    done = run_batches(on_ray(world), CLEAN, [*ids, "nobody"], 4)

    assert [next(done)[0].id for _ in ids[:8]] == ids[:8]
    with pytest.raises(LookupError, match="documents holds no nobody any more") as raised:
        list(done)
    assert "On a Ray worker" in raised.value.__notes__[0]


@pytest.mark.services
def test_a_world_that_ray_cleans_embeds_and_measures_is_the_one_that_this_process_makes(
    world: Settings, ray: None, tmp_path: Path
) -> None:
    here = take_in(world), store_state(world)
    empty_database(world.mongo_url)
    other = {"vectors_url": f"lancedb://{tmp_path}/others", "data_dir": tmp_path / "other"}

    there = on_ray(world).model_copy(update=other)

    assert (take_in(there), store_state(there)) == here
