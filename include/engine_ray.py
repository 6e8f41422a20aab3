"""The batch engine on Ray Data: the other half of `include/engine.py`, for installations that name a Ray.

An own Ray (`local`) lives as long as one piece of work, on loopback, guarded by a token, and takes
nobody's port. A cluster is joined and left; the code travels to it, and so do the settings, but none
that is a secret. A Ray that this process is connected to already is used and left as it is.
"""

import logging
import os
import socket
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from include.engine import Make, Result, do
from include.jobs_ray import LEFT_BEHIND, travelling, without_secrets
from include.keys import ray_token_file
from include.services import child_environment
from include.settings import ROOT, Settings, load_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOCAL = "local"
# Of an own Ray: at most this many workers, and this much shared memory for what they pass on.
LOCAL_CPUS = 4
LOCAL_STORE_BYTES = 256 * 2**20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CONNECT_SECONDS = 5.0


def run_on_ray(
    settings: Settings, make: Make[Result], ids: Sequence[str], size: int
) -> Iterator[Result]:
    """Yield one result for each id, in order, while Ray's workers are ahead by a few batches."""
    with connected(settings):
        import ray
        from ray.data import ActorPoolStrategy

        workers = min(int(ray.cluster_resources().get("CPU", 1)), -(-len(ids) // size))
        rows = ray.data.from_items([{"id": i} for i in ids])
        rows.context.execution_options.preserve_order = True
        rows.context.enable_progress_bars = False
        done = rows.map_batches(
            _worker(make),
            batch_size=size,
            compute=ActorPoolStrategy(min_size=1, max_size=max(workers, 1)),
            runtime_env={"env_vars": _worker_environment(settings)},
        )
        for batch in done.iter_batches(batch_size=None, batch_format="numpy"):
            for result in batch["result"]:
                if isinstance(result, _Raised):
                    raise result.error
                yield result


@contextmanager
def connected(settings: Settings) -> Iterator[None]:
    """Connect to the Ray that TWIN_RAY_ADDRESS names, and leave it; a connection that exists is used and kept."""
    _prepare(settings)
    import ray

    if ray.is_initialized():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="twin-", dir="/tmp", ignore_cleanup_errors=True) as own:
        try:
            _knock(settings.ray_address)
            _read_token()
            ray.init(**_where(settings, own), log_to_driver=False, logging_level=logging.WARNING)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConnectionError(
                f"No Ray at {settings.ray_address!r} ({error}). Set TWIN_RAY_ADDRESS to local, auto or the host:port "
                "of a cluster that this machine is a node of, or leave it empty to work in this process."
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise at once where no Ray can be; Ray itself would try for minutes."""
    if address in (LOCAL, "auto"):
        return
    host, port = _host_and_port(address)
    if "://" in address or not (host and port):
        raise ValueError("that is no host:port; Ray's client cannot run batches")
    socket.create_connection((host, port), CONNECT_SECONDS).close()


def _host_and_port(address: str) -> tuple[str, int]:
    """Read host:port; words such as `auto` have no port."""
    parts = urlsplit(f"//{address}")
    return parts.hostname or "", parts.port or 0


class _Raised:
    """What the work raised: Ray would pass on its own error, with the work's as text."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        # Where it happened is lost on the way, unless it is written down.
        error.add_note("On a Ray worker:\n" + "".join(traceback.format_exception(error)))


def _worker(make: Make[Any]) -> type:
    """Define the class that one worker of Ray makes one object of."""

    class Worker:
        def __init__(self) -> None:
            # A future keeps what was raised, to be looked at instead of caught.
            self._thread = ThreadPoolExecutor(1)
            self._made = self._thread.submit(lambda: make(load_settings()))

        def __call__(
            self, batch: "dict[str, NDArray[np.str_]]"
        ) -> "dict[str, NDArray[np.object_]]":
            ids = [str(i) for i in batch["id"]]
            done = self._thread.submit(lambda: do(self._made.result(), ids))
            error = done.exception()
            return {"result": _column([_Raised(error)] if error else done.result())}

    return Worker


def _column(values: Sequence[object]) -> "NDArray[np.object_]":
    """Put any values into a column as they are, sequences too."""
    import numpy as np

    column = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        column[place] = value
    return column


def _prepare(settings: Settings) -> None:
    """Say before Ray is imported how it is guarded, and that it is to be quiet."""
    theirs = child_environment(settings)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_USAGE_STATS_ENABLED"):
        os.environ.setdefault(name, theirs[name])
    if settings.ray_address == LOCAL:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(ray_token_file(settings))
        os.environ["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] = "0"
    if settings.ray_address == LOCAL or _host_and_port(settings.ray_address)[0] in LOOPBACK:
        # Otherwise Ray replaces 127.0.0.1 by an address that others can reach.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _read_token() -> None:
    """Let Ray read its token from the environment again: it remembers the first one that a process saw."""
    # mypy sees nothing of this module, which is compiled.
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _where(settings: Settings, folder: str) -> dict[str, Any]:
    """Say which Ray to start or to join."""
    if settings.ray_address == LOCAL:
        return {
            "address": LOCAL,
            "num_cpus": min(os.cpu_count() or 1, LOCAL_CPUS),
            "object_store_memory": LOCAL_STORE_BYTES,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": folder,
        }
    code = {"working_dir": str(ROOT), "excludes": LEFT_BEHIND}
    return {"address": settings.ray_address, "runtime_env": code}


def _worker_environment(settings: Settings) -> dict[str, str]:
    """Return what a worker is told: this very world on this machine, what may travel on others."""
    if settings.ray_address == LOCAL:
        return {"PYTHONPATH": str(ROOT), **without_secrets(settings)}
    return travelling(settings)
