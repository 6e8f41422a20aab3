"""Run one program for the length of a `with` block: for tests and one-off commands; `make up` uses a supervisor."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from include.services import Service, port_is_open


@contextmanager
def running(service: Service, folder: Path, *, seconds: float = 60.0) -> Iterator[None]:
    """Run a service for the length of a `with` block, its log in `folder`; it is ended by its own process id."""
    if port_is_open(service.port):
        raise OSError(f"Port {service.port} for {service.name} is taken. Set another one.")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{service.name}.log").open("ab") as log:
        process = subprocess.Popen(
            service.argv, env={**os.environ, **service.environment}, stdout=log, stderr=log
        )
        try:
            _await_port(service, process, folder, seconds)
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program; one that does not end by itself must not hide why it was ended."""
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_port(
    service: Service, process: subprocess.Popen[bytes], folder: Path, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while not (port_is_open(service.port) and _is_well(service)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(
                f"{service.name} did not come up on port {service.port}; see {folder / service.name}.log"
            )
        time.sleep(0.1)


def _is_well(service: Service) -> bool:
    """Ask a program for its health; some open their port long before they answer."""
    if not service.health:
        return True
    try:
        return httpx.get(service.health, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
