"""The process supervisor: its configuration, starting and ending it, and asking it to start or stop programs.

What runs is decided in `include/services.py`; how people see it is in `include/platform.py`.
"""

import http.client
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from xmlrpc.client import Error, Fault, ServerProxy

from include.keys import run_folder, secret
from include.processes import WORLD_MARK
from include.services import Service, child_environment, settings_environment
from include.settings import ROOT, Settings
from ml.types import digest

# supervisor's own fault numbers: such a program is running already; it is not running.
ALREADY_STARTED, NOT_RUNNING = 60, 70

PROGRAM = """
[program:{name}]
command={command}
directory={root}
autostart={starts}
autorestart=true
startsecs=3
startretries=6
stopwaitsecs=10
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""

DAEMON = """; Written by `make up`; a change here is lost.
[supervisord]
logfile={logs}/supervisord.log
pidfile={run}/supervisord.pid
nodaemon=true
silent=true
directory={root}
umask=077

[inet_http_server]
port=127.0.0.1:{port}
username=twin
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=http://127.0.0.1:{port}
username=twin
password={password}
"""


@dataclass(frozen=True, slots=True)
class Program:
    """What the supervisor says of a program: its state in its own words, and its process id (0: none)."""

    name: str
    state: str
    pid: int
    seconds: float


def log_file(settings: Settings, name: str) -> Path:
    """Name the file that a program's output goes to."""
    return settings.data_dir.resolve() / "logs" / f"{name}.log"


def configuration(settings: Settings, services: Iterable[Service]) -> str:
    """Write supervisord.conf; each program is started through `include.platform launch`."""
    daemon = {
        "logs": log_file(settings, "x").parent,
        "run": run_folder(settings),
        "root": ROOT,
        "port": settings.port("supervisor"),
        "password": _password(settings),
    }
    sections = [DAEMON.format(**{k: _escape(str(v)) for k, v in daemon.items()})]
    for service in services:
        command = shlex.join([sys.executable, "-m", "include.platform", "launch", service.name])
        values = {
            "name": service.name,
            "command": command,
            "root": str(ROOT),
            "starts": str(service.starts).lower(),
            # Of all values, supervisor fills in the name of a log twice.
            "log": _escape(str(log_file(settings, service.name))),
        }
        sections.append(PROGRAM.format(**{k: _escape(v) for k, v in values.items()}))
    return "".join(sections)


def _escape(value: str) -> str:
    return value.replace("%", "%%")


def _password(settings: Settings) -> str:
    return secret(settings, "supervisor_password", lambda: secrets.token_hex(16))


def state_of_settings(settings: Settings, services: Iterable[Service]) -> str:
    """Hash what the running programs were started with, to see when it has changed."""
    told = [asdict(s) for s in services]
    return digest(json.dumps([told, settings_environment(settings)], default=str, sort_keys=True))


def start_supervisor(settings: Settings, services: Iterable[Service]) -> None:
    """Start the supervisor in a session of its own, so that closing the terminal ends nothing."""
    services = tuple(services)
    run = run_folder(settings)
    log_file(settings, "x").parent.mkdir(parents=True, exist_ok=True)
    file = run / "supervisord.conf"
    file.touch(mode=0o600)
    file.write_text(configuration(settings, services))
    environment = child_environment(settings) | {WORLD_MARK: str(settings.data_dir.resolve())}
    supervisord = str(Path(sys.executable).parent / "supervisord")
    with log_file(settings, "supervisord").open("ab") as log:
        process = subprocess.Popen(
            [supervisord, "-c", str(file)],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _await_supervisor(settings, process)
    (run / "state").write_text(state_of_settings(settings, services))


def _await_supervisor(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not is_supervised(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            file = log_file(settings, "supervisord")
            raise OSError(f"The supervisor did not start:\n{last_lines(file, 15)}\nSee {file}.")
        time.sleep(0.1)


def started_with(settings: Settings) -> str:
    """Return the hash of what the running programs were started with."""
    file = run_folder(settings) / "state"
    return file.read_text() if file.exists() else ""


def is_supervised(settings: Settings) -> bool:
    """Tell whether this platform's supervisor runs; somebody else's does not know our password."""
    try:
        _call(settings).supervisor.getPID()
    except (OSError, http.client.HTTPException, Error):
        return False
    return True


def _call(settings: Settings) -> ServerProxy:
    password = _password(settings)
    return ServerProxy(f"http://twin:{password}@127.0.0.1:{settings.port('supervisor')}/RPC2")


def programs(settings: Settings) -> dict[str, Program]:
    """List what the supervisor runs."""
    found = _call(settings).supervisor.getAllProcessInfo()
    if not isinstance(found, list):
        raise OSError(f"The supervisor answered {found!r} to the question for its programs.")
    return {
        p["name"]: Program(p["name"], p["statename"], p["pid"], max(0.0, p["now"] - p["start"]))
        for p in found
    }


def start_program(settings: Settings, name: str) -> None:
    """Start one program; one that runs already is left alone."""
    try:
        _call(settings).supervisor.startProcess(name, False)
    except Fault as fault:
        if fault.faultCode != ALREADY_STARTED:
            raise


def restart_program(settings: Settings, name: str) -> None:
    """Stop one program with all its children, and start it anew."""
    try:
        _call(settings).supervisor.stopProcess(name, True)
    except Fault as fault:
        if fault.faultCode != NOT_RUNNING:
            raise
    start_program(settings, name)


def stop_supervisor(settings: Settings) -> None:
    """End the supervisor and the programs that it runs; they get 10 s to end by themselves."""
    pid = int(str(_call(settings).supervisor.getPID()))
    # All at once; on its own it would end one program after the other.
    _call(settings).supervisor.stopAllProcesses(True)
    _call(settings).supervisor.shutdown()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        _reap(pid)
        time.sleep(0.2)


def _reap(pid: int) -> None:
    """Take leave of the supervisor, if this very process has started it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def last_lines(file: Path, count: int) -> str:
    """Return the last lines of a log, or nothing if there is none."""
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 20_000))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-count:])
