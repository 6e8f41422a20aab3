"""Every feature_store.yaml that is shipped is one that Feast reads; a warehouse asks for declarations of one's own."""

import ast
from pathlib import Path

import feast
import pytest
import yaml
from feast.errors import FeastModuleImportError
from feast.infra.online_stores.helpers import get_online_store_from_config
from feast.repo_config import OFFLINE_STORE_CLASS_FOR_TYPE, RepoConfig, load_repo_config

from include.feature_store import open_store
from include.features import FEATURE_SERVICE, open_features
from include.settings import ROOT, Settings
from ml.style import measure

FILES = sorted(
    p for room in ("docs", "feature_repo") for p in (ROOT / room).rglob("feature_store.yaml")
)
ONLINE = {
    "feature_repo": "SqliteOnlineStore",
    "mongodb": "MongoDBOnlineStore",
    "weaviate": "WeaviateOnlineStore",
}
FILLED_IN = {
    **{"FEATURES_WEAVIATE_HOST": "127.0.0.1", "FEATURES_WEAVIATE_PORT": "8080"},
    **{"FEATURES_WEAVIATE_GRPC_PORT": "50051", "FEATURES_MONGO_URL": "mongodb://127.0.0.1:27017"},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FILLED_IN.items():
        monkeypatch.setenv(name, value)


def test_there_is_one_for_every_store_that_is_promised():
    assert {p.parent.name for p in FILES} == {
        *("feature_repo", "redis", "mongodb", "weaviate"),
        *("snowflake", "bigquery", "spark"),
    }


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.parent.name)
def test_feast_reads_it(file: Path):
    try:
        config = load_repo_config(file.parent, file)
    except FeastModuleImportError:
        config = without_its_package(file)
    expected = ONLINE.get(file.parent.name, "RedisOnlineStore")
    assert type(get_online_store_from_config(config.online_store)).__name__ == expected
    assert config.entity_key_serialization_version == 3


def without_its_package(file: Path) -> RepoConfig:
    """Read the rest with Feast, and compare the offline store with the source of Feast's own settings.

    The connector is not installed here, and Feast does not import its store without it: fields are
    held against the declared ones, but nothing is connected to.
    """
    raw = yaml.safe_load(file.read_text())
    asked = dict(raw["offline_store"])
    module, _, name = OFFLINE_STORE_CLASS_FOR_TYPE[asked["type"]].rpartition(".")
    source = Path(feast.__file__).parent.parent / f"{module.replace('.', '/')}.py"
    tree = ast.parse(source.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    fields = [n for n in classes[f"{name}Config"].body if isinstance(n, ast.AnnAssign)]
    assert name in classes
    assert set(asked) <= {ast.unparse(n.target).rstrip("_") for n in fields}
    assert {ast.unparse(n.target) for n in fields if n.value is None} <= set(asked)
    return RepoConfig(**{**raw, "offline_store": {"type": "dask"}})


@pytest.mark.parametrize("kind", ["redis", "mongodb", "weaviate"])
def test_an_online_store_by_name_gets_the_platforms_declarations(kind, tmp_path, monkeypatch):
    (file,) = (p for p in FILES if p.parent.name == kind)
    config = yaml.safe_load(file.read_text())
    own = yaml.safe_load((ROOT / "feature_repo" / "feature_store.yaml").read_text())
    assert {k: v for k, v in config.items() if k != "online_store"} == {
        k: v for k, v in own.items() if k != "online_store"
    }


def test_a_warehouse_is_refused_for_declarations_that_read_files(tmp_path):
    store = tmp_path / "mine" / "feature_store.yaml"
    store.parent.mkdir()
    text = (ROOT / "feature_repo" / "feature_store.yaml").read_text()
    store.write_text(
        text.replace(
            "type: dask", "type: hybrid\n  offline_stores:\n    - {type: dask, conf: {type: dask}}"
        )
    )
    world = Settings(data_dir=tmp_path / "data", feature_store=str(store))
    with pytest.raises(ValueError, match="read Parquet files, which the offline store hybrid"):
        open_store(world)


def test_the_platform_keeps_its_features_in_weaviate(tmp_path, monkeypatch, weaviate_server):
    from builders import MOMENT, cleaned

    port, grpc_port = weaviate_server
    monkeypatch.setenv("FEATURES_WEAVIATE_PORT", str(port))
    monkeypatch.setenv("FEATURES_WEAVIATE_GRPC_PORT", str(grpc_port))
    store = ROOT / "docs" / "feature_stores" / "weaviate" / "feature_store.yaml"
    world = Settings(data_dir=tmp_path / "data", feature_store=str(store))
    row = measure(cleaned(), MOMENT)
    with open_features(world) as features:
        features.store_rows([row], [])
        assert features.materialize(MOMENT) == 2
        assert features.materialize(MOMENT) == 0
        found = features.document_features(FEATURE_SERVICE, [row.document_id])[row.document_id]
        assert (found["words"], found["mtld"]) == (row.words, row.mtld)
        assert found["heading_buckets"] == list(row.heading_buckets)
        features.store_rows([], [row.document_id])
        assert features.document_features(FEATURE_SERVICE, [row.document_id]) == {}
    opened = open_store(world)
    opened.teardown()
