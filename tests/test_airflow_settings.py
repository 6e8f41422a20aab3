"""Settings inside Airflow: what a connection says wins over the platform's own settings."""

import json

import pytest
from airflow_world import enter
from pymongo.uri_parser import parse_uri
from twin_airflow.settings import platform_settings

from include.airflow_services import mongo_connection
from include.documents import open_documents
from include.settings import Settings, load_settings

NOBODY = "mongodb://127.0.0.1:9"


@pytest.fixture
def world(tmp_path, monkeypatch):
    return enter(monkeypatch, Settings(data_dir=tmp_path / "data", mongo_url=NOBODY))


def connect(monkeypatch, name, **fields):
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))


def test_without_connections_the_platforms_own_settings_hold(world, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_MONGO_DEFAULT")

    assert platform_settings() == load_settings()
    assert platform_settings().data_dir == world.data_dir


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://db.example:27018",
        "mongodb://me:p%40s%2Fs@db.example:27018/?authSource=admin",
        "mongodb://me:pw@db.example/twin?authSource=other&tls=true",
        "mongodb://a.example:1,b.example:2/?replicaSet=rs0&retryWrites=false",
    ],
)
def test_mongo_default_names_the_server_with_its_login_and_all_its_options(world, monkeypatch, url):
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", mongo_connection(Settings(mongo_url=url)))

    assert parse_uri(platform_settings().mongo_url) == parse_uri(url)


def test_a_mongo_connection_may_forgo_checking_the_certificate(world, monkeypatch):
    extra = {"ssl": True, "allow_insecure": True}
    connect(monkeypatch, "mongo_default", conn_type="mongo", host="db.example", extra=extra)

    options = parse_uri(platform_settings().mongo_url)["options"]
    assert (options["tls"], options["tlsAllowInvalidCertificates"]) == (True, True)


def test_a_task_reaches_the_server_of_the_connection_and_not_that_of_the_settings(
    settings, monkeypatch
):
    enter(monkeypatch, settings.model_copy(update={"mongo_url": NOBODY}))
    monkeypatch.setenv("AIRFLOW_CONN_MONGO_DEFAULT", mongo_connection(settings))

    with open_documents(platform_settings()) as documents:
        assert documents.active() == []


def test_weaviate_default_names_the_server(world, monkeypatch):
    connect(monkeypatch, "weaviate_default", conn_type="weaviate", host="index.example", port=81)
    assert platform_settings().vectors_url == "weaviate://index.example:81"

    connect(monkeypatch, "weaviate_default", conn_type="weaviate", host="index.example")
    changed = platform_settings()
    assert changed.vectors_url == "weaviate://index.example:8080"
    assert changed.weaviate_grpc_port == world.weaviate_grpc_port
    assert changed.vectors_api_key == world.vectors_api_key


@pytest.mark.parametrize("name", ["token", "api_key"])
def test_weaviate_default_brings_its_key_and_the_port_of_grpc(world, monkeypatch, name):
    enter(monkeypatch, world.model_copy(update={"port_offset": 100}))
    extra = {name: "s3cret", "grpc_port": 50051}
    connect(monkeypatch, "weaviate_default", conn_type="weaviate", host="w", extra=extra)

    changed = platform_settings()
    assert changed.vectors_api_key.get_secret_value() == "s3cret"
    assert changed.port("weaviate_grpc") == 50051
    assert "s3cret" not in repr(changed)
