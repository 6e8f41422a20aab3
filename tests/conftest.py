"""What every test shares: a world of its own in a temporary folder, servers once per session, no network."""

import atexit
import os
import random
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pymongo
import pytest
from scheduling import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler
from web_site import Site, in_thread, site_running

from demo.site import import_history, serve
from include.documents import Documents, open_documents
from include.running import running
from include.services import mongo_service, weaviate_binary, weaviate_service
from include.settings import Settings
from ml.tiny import TinySize, pretrain_tiny

if TYPE_CHECKING:
    from serving_world import Answering, Deployed

# A base model that knows next to nothing, but is there in seconds.
SMALLEST = TinySize(
    vocabulary=1024,
    hidden=64,
    inner=128,
    layers=2,
    heads=4,
    tokens=1024,
    steps=40,
    long_steps=5,
    characters=150_000,
)
# Airflow makes a folder in the user's home when it is imported and nobody names another.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
# The first to ask the endpoint also sees what it says before it has a champion.
LONGEST = ("test_app", "test_deploy", "test_dags", "test_story", "test_features", "test_platform")
# Where workers share the cores, a model's threads would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
LOOPBACK = ("127.", "::1", "localhost")


def free_port() -> int:
    """Ask the system for a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_range(count: int) -> int:
    """Find a port with `count` free ones from it on, below those that the system gives away.

    Every process begins somewhere else, so that two test runs do not meet on the same ports.
    """
    starts = list(range(12_000, 30_000, count))
    random.Random(os.getpid()).shuffle(starts)
    for start in starts:
        if all(_is_free(port) for port in range(start, start + count)):
            return start
    raise OSError(f"No {count} free ports in a row.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def empty_database(url: str) -> None:
    """Drop every collection; the embedded server keeps those of all databases together."""
    with pymongo.MongoClient(url) as client:
        database = client["any"]
        for name in database.list_collection_names():
            database.drop_collection(name)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host and not str(host).startswith(LOOPBACK):
            raise OSError(f"A test tried to reach {host}; tests may only use loopback.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one embedded MongoDB-protocol server for the session."""
    folder = tmp_path_factory.mktemp("mongo")
    service = mongo_service(Settings(data_dir=folder, mongo_port=free_port()))
    with running(service, folder):
        yield f"mongodb://127.0.0.1:{service.port}"


@pytest.fixture(scope="session")
def weaviate_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Run one real Weaviate for the session; yields its HTTP and gRPC ports."""
    folder = tmp_path_factory.mktemp("weaviate")
    # The server takes the ports after its own as well.
    port = free_range(6)
    world = Settings(data_dir=folder, weaviate_port=port, weaviate_grpc_port=port + 5)
    if weaviate_binary(world) is None:
        pytest.skip("no Weaviate server program on this machine; `make setup` gets one")
    with running(weaviate_service(world), folder):
        yield world.weaviate_port, world.weaviate_grpc_port


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pretrain a very small base model for the session; its folder can be a world's `base_model`."""
    return pretrain_tiny(tmp_path_factory.mktemp("cache"), size=SMALLEST)


@pytest.fixture
def settings(tmp_path: Path, mongo_url: str) -> Settings:
    """Make a fresh world: its own folder, an empty database, LanceDB for vectors."""
    empty_database(mongo_url)
    return Settings(
        data_dir=tmp_path / "data",
        mongo_url=mongo_url,
        mongo_database=f"t{uuid.uuid4().hex[:12]}",
        vectors_url=f"lancedb://{tmp_path}/vectors",
    )


@pytest.fixture
def demo(settings: Settings) -> Iterator[Settings]:
    """Serve the demo's site, with its git history imported, as the default sources file expects it."""
    port = free_port()
    changes = {"demo_port": port, "crawl_allow_hosts": f"127.0.0.1:{port}", "crawl_delay": 0.0}
    world = settings.model_copy(update=changes)
    import_history(world)
    with in_thread(serve(world, port)):
        yield world


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve pages that a test writes and changes."""
    with site_running() as running_site:
        yield running_site


@pytest.fixture
def documents(settings: Settings) -> Iterator[Documents]:
    """Open the world's documents."""
    with open_documents(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> tuple[Settings, str]:
    """Train a model on samples without documents behind them, for tests that only look; yields its id too."""
    from search_world import taught_world

    return taught_world(tmp_path_factory.mktemp("taught"), tiny_base)


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path
) -> Iterator[tuple[Settings, str]]:
    """Build a world of its own for the session, up to a published model that is no champion yet."""
    from serving_world import published_world

    with published_world(tmp_path_factory.mktemp("served"), tiny_base) as world:
        yield world


@pytest.fixture(scope="session")
def answering(served: tuple[Settings, str]) -> "Iterator[Answering]":
    """Answer with that model in this process, for the session."""
    from serving_world import answering_world

    with answering_world(*served) as endpoint:
        yield endpoint


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left alone with one at the end."""
    places = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: compressed ones hold the time, and workers must collect the same names."""
    return argname if isinstance(val, bytes) else None


def _part(name: str) -> Callable[..., object]:
    @pytest.fixture(name=name)
    def part(answering: "Answering") -> object:
        return getattr(answering, name)

    return part


# What a test asks of that endpoint; files that ask another one have fixtures of their own by these names.
twin, slot, url, stock, http = map(_part, ("twin", "slot", "url", "stock", "http"))


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, served: tuple[Settings, str]
) -> "Iterator[Deployed]":
    """Serve that world with one real Ray for a file, its model rolled out: idle, it takes a tenth of the machine."""
    from serving_world import ray_world

    with ray_world(*served, tmp_path_factory.mktemp("ray")) as running_world:
        yield running_world
