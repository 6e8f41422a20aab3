"""Airflow as it is run here: on loopback, with secrets of its own, and MongoDB as a connection."""

import json
from pathlib import Path

import pytest

from include.airflow_services import airflow_environment, mongo_connection, prepare_airflow
from include.settings import ROOT, Settings

TRUE, FALSE = Path("/bin/true"), Path("/bin/false")


@pytest.fixture
def world(tmp_path):
    return Settings(data_dir=tmp_path)


def connection(url):
    return json.loads(mongo_connection(Settings(mongo_url=url)))


def test_it_listens_on_loopback_and_asks_for_a_password(world):
    told = airflow_environment(world)
    assert told["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert told["AIRFLOW__API__PORT"] == str(world.port("airflow"))
    users = told["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    passwords = json.loads(
        Path(told["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text()
    )
    assert users == "admin:admin"
    assert len(passwords["admin"]) >= 12


def test_its_secrets_stay_and_no_other_platform_has_them(world, tmp_path):
    names = ("CORE__FERNET_KEY", "API__SECRET_KEY", "API_AUTH__JWT_SECRET")
    first, again = airflow_environment(world), airflow_environment(world)
    other = airflow_environment(Settings(data_dir=tmp_path / "other"))
    for name in names:
        assert first[f"AIRFLOW__{name}"] == again[f"AIRFLOW__{name}"]
        assert first[f"AIRFLOW__{name}"] != other[f"AIRFLOW__{name}"]


def test_it_reads_our_dags_and_keeps_its_files_in_the_data_folder(world, tmp_path):
    told = airflow_environment(world)
    assert told["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")
    assert told["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/airflow/airflow.db"


def test_the_embedded_document_server_is_a_connection(world):
    found = json.loads(airflow_environment(world)["AIRFLOW_CONN_MONGO_DEFAULT"])
    assert found == {"conn_type": "mongo", "host": f"127.0.0.1:{world.port('mongo')}"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "mongodb://me:p%40ss@db:27018/?authSource=admin",
            {
                "host": "db:27018",
                "login": "me",
                "password": "p@ss",
                "extra": {"authSource": "admin"},
            },
        ),
        ("mongodb+srv://cluster.example/twin", {"schema": "twin", "extra": {"srv": True}}),
        ("mongodb://a:1,b:2/?replicaSet=r", {"host": "a:1,b:2", "extra": {"replicaSet": "r"}}),
    ],
)
def test_the_url_of_a_server_becomes_a_connection(url, expected):
    assert connection(url).items() >= expected.items()


def test_airflows_own_hook_puts_the_url_together_again():
    from airflow.providers.mongo.hooks.mongo import MongoHook
    from airflow.sdk import Connection

    url = "mongodb://me:p%40ss@db:27018/?authSource=admin"
    told = Connection.from_json(mongo_connection(Settings(mongo_url=url)), conn_id="mongo_default")

    class Hook(MongoHook):
        @classmethod
        def get_connection(cls, conn_id):
            return told

    assert Hook("mongo_default").uri.rstrip("/") == url.replace("/?authSource=admin", "")


@pytest.mark.parametrize("url", ["postgres://db", "db:27017", "mongodb://"])
def test_what_is_no_mongodb_url_is_refused_with_its_value(url):
    with pytest.raises(ValueError, match=f"TWIN_MONGO_URL is '{url}'.*mongodb://host:27017"):
        connection(url)


def test_the_tables_are_made_once(world, tmp_path):
    prepare_airflow(world, TRUE, {})
    (tmp_path / "airflow" / "airflow.db").touch()
    prepare_airflow(world, FALSE, {})


def test_tables_that_could_not_be_made_are_an_error_and_tried_again(world, tmp_path):
    with pytest.raises(OSError, match=f"prepare its tables in {tmp_path}/airflow"):
        prepare_airflow(world, FALSE, {})
    with pytest.raises(OSError, match="tables"):
        prepare_airflow(world, FALSE, {})
