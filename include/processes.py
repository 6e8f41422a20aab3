"""Processes of this machine: which of them are this platform's, who holds a port, how much memory they take.

A process is ours when it carries our mark in its environment, which children inherit. Nothing is
found by its name.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from include.services import Service
from include.settings import Settings

log = logging.getLogger(__name__)

# The world a process belongs to (its data folder), and the service or the job that it was started for.
WORLD_MARK = "LLM_TWIN_WORLD"
SERVICE_MARK = "LLM_TWIN_SERVICE"
JOB_MARK = "LLM_TWIN_JOB"


@dataclass(frozen=True, slots=True)
class Ours:
    """A process of this platform; `job` names the one that it belongs to, "-" a verb that somebody typed."""

    process: psutil.Process
    service: str
    job: str


def find_ours(data_dir: Path) -> Iterator[Ours]:
    """Yield every live process of the platform over a data folder, but not the one that asks."""
    world = str(data_dir.resolve())
    for process in psutil.process_iter():
        try:
            marks = process.environ()
            if marks.get(WORLD_MARK) != world or process.status() == psutil.STATUS_ZOMBIE:
                continue
            typed = "include" in process.cmdline()[1:3]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid():
            job = marks.get(JOB_MARK) or ("-" if typed else "")
            yield Ours(process, marks.get(SERVICE_MARK, ""), job)


def end_processes(processes: Iterable[psutil.Process], *, seconds: float = 8.0) -> int:
    """Ask processes to end, then make them; returns how many there were."""
    chosen = list(processes)
    for process in chosen:
        _signal(process, "terminate")
    for process in _still_alive(chosen, seconds):
        _signal(process, "kill")
    if alive := _still_alive(chosen, seconds):
        raise OSError(
            f"Processes {[p.pid for p in alive]} did not end. End them yourself: kill -9 PID."
        )
    return len(chosen)


def _still_alive(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes to end; returns those that did not. A zombie has ended: only its parent can take it away."""
    deadline = time.monotonic() + seconds
    while (alive := [p for p in processes if _lives(p)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, verb: str) -> None:
    try:
        getattr(process, verb)()
    except psutil.NoSuchProcess:
        log.debug("process %d had ended already", process.pid)


def end_world(data_dir: Path) -> int:
    """End every process of a platform that its supervisor left; returns how many there were."""
    ended, deadline = 0, time.monotonic() + 30
    # A process may start another while we look, so look until there is none.
    while (found := [ours.process for ours in find_ours(data_dir)]) and time.monotonic() < deadline:
        ended += end_processes(found)
    return ended


def memory_by_service(data_dir: Path) -> dict[str, int]:
    """Sum the memory in bytes, shared pages divided among their users, of each service and of the jobs."""
    sums: dict[str, int] = {}
    for ours in find_ours(data_dir):
        name = "jobs" if ours.job else ours.service or "supervisor"
        try:
            sums[name] = sums.get(name, 0) + ours.process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sums


def taken_ports(settings: Settings, services: Iterable[Service]) -> list[str]:
    """Say, one sentence per port, which ports of these services somebody else holds."""
    holders = _listeners()
    return [
        _complain(settings, service, port, holders[port])
        for service in services
        for port in (service.port, *service.more_ports)
        if port in holders
    ]


def _listeners() -> dict[int, int | None]:
    """Map every loopback port that is listened on to the process behind it (None: another user's)."""
    found: dict[int, int | None] = {}
    for connection in psutil.net_connections(kind="tcp"):
        address = connection.laddr
        if connection.status != psutil.CONN_LISTEN or not address:
            continue
        if address.ip in ("0.0.0.0", "::") or address.ip.startswith(("127.", "::ffff:127.")):
            found[address.port] = connection.pid or found.get(address.port)
    return found


def _complain(settings: Settings, service: Service, port: int, pid: int | None) -> str:
    who = f"pid {pid}" if pid else "of another user"
    if pid and psutil.pid_exists(pid):
        who = f"{who}, {psutil.Process(pid).name()}"
    return (
        f"Port {port} for {service.name} is taken by another program ({who}). "
        f"Set TWIN_{port_setting(settings, service, port).upper()} or TWIN_PORT_OFFSET."
    )


def port_setting(settings: Settings, service: Service, port: int) -> str:
    """Name the setting that moves a port: its own, or the one that it is counted from."""
    names = [n.removesuffix("_port") for n in Settings.model_fields if n.endswith("_port")]
    exact = (n for n in names if settings.port(n) == port)
    return next(exact, service.name.split("-")[0]) + "_port"
