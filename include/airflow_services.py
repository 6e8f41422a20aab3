"""Airflow as this platform runs it: its settings as environment variables, and the tables it needs.

Airflow itself is never imported here; the DAGs are in `dags/`, what they share in
`plugins/twin_airflow`.
"""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from include.keys import airflow_login, fernet_key, run_folder, secret
from include.settings import ROOT, Settings

# Tasks that run at once: this is for two cores, and training runs outside Airflow's workers.
PARALLEL_TASKS = 4


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Return Airflow's settings: loopback only, SQLite, secrets of this platform's own, paused DAGs."""
    options = {
        "core": _core_options(settings),
        "database": {"sql_alchemy_conn": f"sqlite:///{_home(settings) / 'airflow.db'}"},
        "api": _api_options(settings),
        "api_auth": {"jwt_secret": secret(settings, "airflow_jwt", fernet_key)},
        # A changed file is parsed at the next look, however long the interval; the rest costs 1 s of CPU per DAG.
        "dag_processor": {"refresh_interval": "5", "min_file_process_interval": "30"},
        # Two triggers that share a stream: without this the later one misses the first event.
        # A worker that was killed is noticed after this many seconds, and its task tried again.
        "scheduler": {"task_instance_heartbeat_timeout": "60"},
        "triggerer": {"shared_stream_cohort_grace_period": "5"},
        "logging": {"base_log_folder": str(_home(settings) / "logs")},
        "usage_data_collection": {"enabled": "False"},
    }
    named = {
        f"AIRFLOW__{section}__{name}".upper(): value
        for section, values in options.items()
        for name, value in values.items()
    }
    return named | {
        "AIRFLOW_HOME": str(_home(settings)),
        "AIRFLOW_CONN_MONGO_DEFAULT": mongo_connection(settings),
    }


def _core_options(settings: Settings) -> dict[str, str]:
    return {
        "dags_folder": str(ROOT / "dags"),
        "plugins_folder": str(ROOT / "plugins"),
        "load_examples": "False",
        "executor": "LocalExecutor",
        "parallelism": str(PARALLEL_TASKS),
        "dags_are_paused_at_creation": "True",
        "fernet_key": secret(settings, "airflow_fernet", fernet_key),
        "execution_api_server_url": f"http://127.0.0.1:{settings.port('airflow')}/execution/",
        "simple_auth_manager_users": f"{airflow_login(settings)[0]}:admin",
        "simple_auth_manager_passwords_file": str(run_folder(settings) / "airflow_password.json"),
    }


def _api_options(settings: Settings) -> dict[str, str]:
    port = settings.port("airflow")
    return {
        "host": "127.0.0.1",
        "port": str(port),
        "base_url": f"http://127.0.0.1:{port}",
        "workers": "1",
        "secret_key": secret(settings, "airflow_secret", fernet_key),
        "expose_config": "False",
    }


def mongo_connection(settings: Settings) -> str:
    """Write where MongoDB is as an Airflow connection, in its JSON form: `MongoHook` knows no URL."""
    url = settings.mongo_url or f"mongodb://127.0.0.1:{settings.port('mongo')}"
    parts = urlsplit(url)
    if parts.scheme not in ("mongodb", "mongodb+srv") or not parts.netloc:
        raise ValueError(
            f"TWIN_MONGO_URL is {url!r}; it has to look like mongodb://host:27017 or mongodb+srv://host."
        )
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    connection: dict[str, object] = {
        "conn_type": "mongo",
        # Several hosts and their ports stay together; the hook puts them back as they are.
        "host": hosts,
        "login": unquote(user) or None,
        "password": unquote(password) or None,
        "schema": parts.path.strip("/") or None,
        "extra": dict(parse_qsl(parts.query)) | ({"srv": True} if "+srv" in parts.scheme else {}),
    }
    return json.dumps({k: v for k, v in connection.items() if v})


def prepare_airflow(settings: Settings, program: Path, environment: dict[str, str]) -> None:
    """Make Airflow's tables, once per version of Airflow: that takes many seconds."""
    home = _home(settings)
    done = home / f".migrated-{version('apache-airflow-core')}"
    if done.exists() and (home / "airflow.db").exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run(
        [str(program), "db", "migrate"],
        env=environment | airflow_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise OSError(f"Airflow could not prepare its tables in {home}: {ran.stderr[-2000:]}")
    done.touch()


def _home(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "airflow"
