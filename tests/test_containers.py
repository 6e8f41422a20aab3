"""What a container runs: the programs of `make up`, but for a network of containers."""

import pytest

from include.containers import command
from include.settings import ROOT, Settings


def test_airflow_in_a_container_keeps_its_tables_where_compose_says(tmp_path):
    given = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg://elsewhere/airflow"}
    argv, environment = command(Settings(data_dir=tmp_path), "airflow", ["scheduler"], given)
    assert argv == ("airflow", "scheduler")
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith("elsewhere/airflow")
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "dags")


def test_ray_in_containers_shares_one_token_and_listens_for_others(tmp_path):
    world = Settings(data_dir=tmp_path)
    head, environment = command(world, "ray-head", [], {})
    worker, same = command(world, "ray-worker", [], {})
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == same["RAY_AUTH_TOKEN_PATH"]
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in environment
    assert "0.0.0.0" in head
    assert worker[worker.index("--address") + 1] == "ray-head:6379"


def test_a_role_that_no_container_has_is_named(tmp_path):
    with pytest.raises(ValueError, match="'celery'.*airflow, ray-head, ray-worker"):
        command(Settings(data_dir=tmp_path), "celery", [], {})
