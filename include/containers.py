"""What the containers of docker-compose.yaml run: `python -m include.containers airflow …|ray-head|ray-worker`.

The same programs as `make up` runs, with the same settings; but each in a container of its own, so
they listen on the containers' network, and Airflow's tables are where `AIRFLOW__…` says.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.airflow_services import airflow_environment
from include.services import OBJECT_STORE_BYTES, child_environment
from include.settings import ROOT, Settings, load_settings

RAY_PORT = 6379
# Where a Ray node tells whether it is well.
RAY_AGENT_PORT = 52365
# Only for a Ray that has this machine to itself and no other nodes.
LONE_RAY = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER",)


def command(
    settings: Settings, role: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the program of a container and its whole environment; what is given there wins over our own."""
    ours = {k: v for k, v in child_environment(settings).items() if k not in LONE_RAY}
    if role == "airflow":
        given = {k: v for k, v in environment.items() if k.startswith("AIRFLOW_")}
        return ("airflow", *arguments), ours | airflow_environment(settings) | given
    if role in ("ray-head", "ray-worker"):
        return _ray_command(settings, role, environment), ours
    raise ValueError(
        f"No container has the role {role!r}; there are airflow, ray-head, ray-worker."
    )


def _ray_command(settings: Settings, role: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    where: tuple[str, ...] = ("--address", f"{environment.get('RAY_HEAD', 'ray-head')}:{RAY_PORT}")
    if role == "ray-head":
        dashboard = ("--dashboard-port", str(settings.port("ray_dashboard")))
        where = ("--head", "--port", str(RAY_PORT), "--dashboard-host", "0.0.0.0", *dashboard)
    store = ("--object-store-memory", str(OBJECT_STORE_BYTES))
    agent = ("--dashboard-agent-listen-port", str(RAY_AGENT_PORT))
    return ("ray", "start", "--block", "--disable-usage-stats", *where, *store, *agent)


def main(arguments: Sequence[str]) -> int:
    """Become the program of the role that is named first; a wrong setting is one sentence."""
    try:
        settings = load_settings()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        role = next(iter(arguments), "")
        argv, environment = command(settings, role, arguments[1:], os.environ)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    os.chdir(ROOT)
    os.execve(str(Path(sys.executable).parent / argv[0]), argv, environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
