"""Which programs the platform runs on this machine: command line, environment, ports and health check of each.

No process is started here but by `running`, which tests and one-off commands use; `make up` hands
the same programs to a supervisor (see `include/platform.py`). Airflow's own are in
`include/airflow_services.py`.
"""

import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.airflow_services import airflow_environment, prepare_airflow
from include.keys import ray_token_file
from include.settings import ROOT, Settings

WEAVIATE_VERSION = "1.39.0"
# Ray's own minimum is 75 MB; what is larger spills to disk.
OBJECT_STORE_BYTES = 300_000_000
# A lone node has nobody to hand its work over to when it ends; it would wait half a minute for that.
RAY_ENDS_AT_ONCE = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
# Ports for Ray's workers, from ray_port + 11 on.
RAY_WORKER_PORTS = 100


@dataclass(frozen=True, slots=True)
class Service:
    """A program. `port` is where it listens once it is up (0: nowhere); `more_ports` are its others.

    `health` is a URL that answers 200 when it is well, and `component` the part of that answer to look at.
    `patience`: for how many seconds it may be unwell before it is restarted. `starts`: whether `make up` starts it.
    """

    name: str
    argv: tuple[str, ...]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    more_ports: tuple[int, ...] = ()
    health: str = ""
    component: str = ""
    patience: float = 150.0
    starts: bool = True


def platform_services(settings: Settings) -> tuple[Service, ...]:
    """List the programs of this platform, in the order in which they are started."""
    stores = [] if settings.mongo_url else [mongo_service(settings)]
    if not settings.vectors_url:
        stores.append(weaviate_service(settings))
    rest = (ray_service(settings), serve_service(settings), demo_service(settings), watch_service())
    return (*stores, *_airflow_services(settings), *rest)


def mongo_service(settings: Settings) -> Service:
    """Describe the embedded MongoDB-protocol server over `data_dir/mongo.db`."""
    port = settings.port("mongo")
    program, data = str(_program("nx-27017")), settings.data_dir
    # Its own defaults for these two are files under /tmp that all checkouts would share.
    # It logs what it does to its output as well, where it is kept within limits.
    own = ("--log-file", os.devnull, "--pid-file", str(data / "mongo.pid"))
    where = ("--db", str(data / "mongo.db"), "--host", "127.0.0.1", "--port", str(port))
    return Service("mongo", (program, *where, *own), port)


def weaviate_binary(settings: Settings) -> Path | None:
    """Find the Weaviate server program: the setting, PATH, then the platform's cache."""
    cached = settings.cache_dir / "bin" / f"weaviate-server-{WEAVIATE_VERSION}"
    for candidate in (settings.weaviate_binary, shutil.which("weaviate-server"), cached):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def weaviate_service(settings: Settings) -> Service:
    """Describe a single-node Weaviate on loopback over `data_dir/weaviate`."""
    binary, port = weaviate_binary(settings), settings.port("weaviate")
    if binary is None:
        raise FileNotFoundError(
            "No Weaviate server program was found. Run `make setup` to get one, or set TWIN_WEAVIATE_BINARY, "
            "or set TWIN_VECTORS_URL=lancedb:///some/folder to do without."
        )
    environment = {
        "PERSISTENCE_DATA_PATH": str(settings.data_dir / "weaviate"),
        "DEFAULT_VECTORIZER_MODULE": "none",
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
        "CLUSTER_BIND_ADDR": "127.0.0.1",
        "CLUSTER_GOSSIP_BIND_PORT": str(port + 1),
        "CLUSTER_DATA_BIND_PORT": str(port + 2),
        "RAFT_PORT": str(port + 3),
        "RAFT_INTERNAL_RPC_PORT": str(port + 4),
        "GO_PROFILING_DISABLE": "true",
        "GRPC_PORT": str(settings.port("weaviate_grpc")),
        "DISABLE_TELEMETRY": "true",
        "LIMIT_RESOURCES": "true",
        "LOG_LEVEL": "warning",
    }
    environment |= _weaviate_login(settings)
    argv = (str(binary), "--host", "127.0.0.1", "--port", str(port), "--scheme", "http")
    others = (settings.port("weaviate_grpc"), *range(port + 1, port + 5))
    health = f"http://127.0.0.1:{port}/v1/.well-known/ready"
    return Service("weaviate", argv, port, environment, others, health)


def _weaviate_login(settings: Settings) -> dict[str, str]:
    """Ask for a key where there is one: Weaviate offers gRPC to the whole network, whatever its host is."""
    key = settings.vectors_api_key.get_secret_value()
    if not key:
        return {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"}
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
        "AUTHENTICATION_APIKEY_USERS": "twin",
        "CLUSTER_BASIC_AUTH_USERNAME": "twin",
        "CLUSTER_BASIC_AUTH_PASSWORD": key,
    }


def _airflow_services(settings: Settings) -> tuple[Service, ...]:
    """Describe Airflow's four processes; all are asked for their health at the API server."""
    port, environment = settings.port("airflow"), airflow_environment(settings)
    health = f"http://127.0.0.1:{port}/api/v2/monitor/health"
    airflow = str(_program("airflow"))
    services = [
        Service("airflow-api-server", (airflow, "api-server"), port, environment, (), health)
    ]
    for name in ("scheduler", "triggerer", "dag-processor"):
        # The API server reads the logs as files, so nobody has to serve them.
        quiet = () if name == "dag-processor" else ("--skip-serve-logs",)
        argv, component = (airflow, name, *quiet), name.replace("-", "_")
        services.append(Service(f"airflow-{name}", argv, 0, environment, (), health, component))
    return tuple(services)


def ray_folder(settings: Settings) -> Path:
    """Name Ray's folder: short, because the path of a socket may have 107 characters only.

    Ray opens it to everybody, so it lies in one that is closed.
    """
    mark = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:10]
    return Path("/tmp") / f"twin-{mark}" / "ray"


def ray_service(settings: Settings) -> Service:
    """Describe a Ray head of this platform's own: every port is named, so that two may run side by side."""
    base, dashboard = settings.port("ray"), settings.port("ray_dashboard")
    ports = {
        "port": base,
        "dashboard-port": dashboard,
        "node-manager-port": base + 1,
        "object-manager-port": base + 2,
        "runtime-env-agent-port": base + 3,
        "dashboard-agent-grpc-port": base + 4,
        "dashboard-agent-listen-port": base + 5,
        "metrics-export-port": base + 6,
        "ray-client-server-port": base + 7,
        "min-worker-port": base + 11,
        "max-worker-port": base + 10 + RAY_WORKER_PORTS,
    }
    argv = (
        *(str(_program("ray")), "start", "--head", "--block", "--disable-usage-stats"),
        *("--node-ip-address", "127.0.0.1", "--dashboard-host", "127.0.0.1"),
        *("--temp-dir", str(ray_folder(settings))),
        *("--object-store-memory", str(OBJECT_STORE_BYTES)),
        # No autoscaler, and nobody to print the workers' output to: two processes less.
        *("--no-monitor", "--include-log-monitor", "false"),
        *(word for name, port in ports.items() for word in (f"--{name}", str(port))),
    )
    others = (dashboard, *range(base + 1, base + 9))
    health = f"http://127.0.0.1:{dashboard}/api/gcs_healthz"
    # Its own default is one fixed port for all Rays of a machine.
    environment = {"DASHBOARD_METRIC_PORT": str(base + 8), **RAY_ENDS_AT_ONCE}
    return Service("ray", argv, base, environment, others, health)


def serve_service(settings: Settings) -> Service:
    """Describe the program that deploys the endpoint to Ray and keeps it deployed."""
    port = settings.port("serve")
    argv = (sys.executable, "-m", "serving.deploy", "keep")
    return Service("serve", argv, port, {}, (), f"http://127.0.0.1:{port}/healthz", patience=240)


def demo_service(settings: Settings) -> Service:
    """Describe the site of the demo's invented authors; only `make demo` starts it."""
    port = settings.port("demo")
    return Service("demo-site", (sys.executable, "-m", "demo.site"), port, starts=False)


def watch_service() -> Service:
    """Describe the program that restarts what is alive but unwell."""
    return Service("watch", (sys.executable, "-m", "include.platform", "watch"), 0)


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of every program: this one's, with all settings in effect spelled out."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    local = ",".join(filter(None, (os.environ.get("NO_PROXY", ""), "127.0.0.1,localhost")))
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ours = {
        "PATH": search,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": local,
        "no_proxy": local,
        # Programs that rename themselves would wipe the marks by which `make down` finds them.
        "SPT_NOENV": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(ray_token_file(settings)),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray replaces 127.0.0.1 by an address that others can reach, unless it is told that it has no other nodes.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # A dead HTTP proxy is replaced after 7 s instead of 24 s.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "2",
    }
    return inherited | ours | settings_environment(settings)


def settings_environment(settings: Settings) -> dict[str, str]:
    """Spell out every setting as a `TWIN_` variable, paths absolute, so that a child sees this very world."""
    named = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            value = value.expanduser().resolve()
        elif hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        named[f"TWIN_{name.upper()}"] = str(value)
    return named


def prepare(service: Service, settings: Settings) -> None:
    """Do what has to be done before a program is started: folders, Airflow's tables."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if service.name.startswith("airflow-"):
        prepare_airflow(settings, _program("airflow"), child_environment(settings))
    if service.name == "ray":
        clear_ray_folder(settings)


def clear_ray_folder(settings: Settings) -> None:
    """Remove the logs and sockets of the last Ray: they are never read again and grow for ever."""
    folder = ray_folder(settings).parent
    if folder.exists() and folder.lstat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user. Ask its owner to remove it.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def remove_ray_folder(settings: Settings) -> None:
    """Remove what Ray kept, once it has ended."""
    clear_ray_folder(settings)
    ray_folder(settings).parent.rmdir()


def _program(name: str) -> Path:
    """Find a program that the set-up installed beside this Python."""
    return Path(sys.executable).parent / name


def port_is_open(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
