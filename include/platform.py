"""Run the whole platform on this machine: `python -m include.platform up|down|status|logs|check-ports|clean`.

What runs is in `include/services.py`, who keeps it running in `include/supervision.py`; here is
what people see of it. `launch` and `watch` are what the supervisor itself runs.
"""

import fcntl
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from include import health, supervision
from include.keys import airflow_login as airflow_login
from include.keys import api_key, run_folder
from include.processes import (
    SERVICE_MARK,
    end_processes,
    end_world,
    find_ours,
    memory_by_service,
    taken_ports,
)
from include.services import (
    Service,
    child_environment,
    platform_services,
    prepare,
    remove_ray_folder,
)
from include.settings import ROOT, Settings, load_settings
from include.supervision import last_lines, log_file

log = logging.getLogger(__name__)

# Everything is up in 30 to 90 s on two idle cores.
UP_SECONDS = 300.0


def up(settings: Settings, console: Console | None = None) -> None:
    """Start everything that does not run yet and wait until it is well; a second time this changes nothing."""
    console = console or Console(stderr=True)
    services = platform_services(settings)
    api_key(settings)
    with _alone(settings):
        if supervision.is_supervised(settings):
            _bring_up_to_date(settings, services, console)
        else:
            _start(settings, services, console)
        _await_healthy(settings, [s for s in services if s.starts], console)


def _start(settings: Settings, services: Sequence[Service], console: Console) -> None:
    if left := end_world(settings.data_dir):
        console.print(f"ended {left} processes of a platform whose supervisor was killed")
    check_ports(settings)
    for service in services:
        prepare(service, settings)
    supervision.start_supervisor(settings, services)


def _bring_up_to_date(settings: Settings, services: Sequence[Service], console: Console) -> None:
    """Start what was stopped; start all anew if the settings have changed since."""
    now = supervision.state_of_settings(settings, services)
    if supervision.started_with(settings) != now:
        console.print("the settings have changed: starting everything anew")
        _stop(settings)
        _start(settings, services, console)
        return
    states = supervision.programs(settings)
    for service in services:
        if service.starts and states[service.name].state in ("STOPPED", "EXITED", "FATAL"):
            supervision.start_program(settings, service.name)


def start_program(settings: Settings, name: str) -> None:
    """Start a program that `up` leaves alone, such as the demo's site, and wait until it is well."""
    service = _find(platform_services(settings), name)
    if supervision.programs(settings)[name].state != "RUNNING":
        if taken := taken_ports(settings, [service]):
            raise OSError("\n".join(taken))
        supervision.start_program(settings, name)
    _await_healthy(settings, [service], Console(stderr=True))


def check_ports(settings: Settings) -> None:
    """Raise an error that names every port which somebody else holds, before anything is started."""
    services = platform_services(settings)
    own = Service("supervisor", (), settings.port("supervisor"))
    ports = {p: s.name for s in (*services, own) for p in (s.port, *s.more_ports)}
    if wrong := [f"{name} {port}" for port, name in ports.items() if not 0 <= port < 65536]:
        raise ValueError(
            f"Ports end at 65535, but {', '.join(wrong)}: TWIN_PORT_OFFSET is {settings.port_offset}, too large."
        )
    if taken := taken_ports(settings, (*services, own)):
        raise OSError("\n".join(taken))


def _await_healthy(settings: Settings, services: Sequence[Service], console: Console) -> None:
    """Wait for every program, saying which is up as it comes; fail with the log of the one that does not."""
    started, waiting = time.monotonic(), list(services)
    with console.status("starting") as line:
        while waiting:
            for service in [s for s in waiting if _is_up(settings, s)]:
                waiting.remove(service)
                seconds = time.monotonic() - started
                console.print(f"[green]✓[/green] {service.name:<24}{seconds:5.1f} s")
            names = ", ".join(s.name for s in waiting)
            line.update(f"{time.monotonic() - started:.0f} s · waiting for {names}")
            if waiting:
                _give_up(settings, waiting, time.monotonic() - started)
                time.sleep(0.5)


def _is_up(settings: Settings, service: Service) -> bool:
    state = supervision.programs(settings)[service.name].state
    return state == "RUNNING" and health.is_healthy(service)


def _give_up(settings: Settings, waiting: Sequence[Service], seconds: float) -> None:
    states = supervision.programs(settings)
    failed = [s for s in waiting if states[s.name].state == "FATAL"]
    if seconds > UP_SECONDS:
        failed = list(waiting)
    if failed:
        file = log_file(settings, failed[0].name)
        raise OSError(
            f"{failed[0].name} did not come up in {seconds:.0f} s. Its log ends:\n{last_lines(file, 20)}\n"
            f"The whole of it is {file}. What did come up still runs: `make status`, `make down`."
        )


def down(settings: Settings) -> int:
    """End every process of this platform; returns how many the supervisor had left."""
    with _alone(settings):
        return _stop(settings)


def _stop(settings: Settings) -> int:
    if supervision.is_supervised(settings):
        supervision.stop_supervisor(settings)
    return end_world(settings.data_dir)


def clean(settings: Settings) -> None:
    """End everything and remove what lies outside the data folder."""
    down(settings)
    remove_ray_folder(settings)


def status(settings: Settings, console: Console) -> bool:
    """Print every program's state, health and memory, and where to look; returns whether all is well."""
    if not supervision.is_supervised(settings):
        console.print("The platform is not running. Start it: make up")
        return False
    services, well = platform_services(settings), True
    states, memory = supervision.programs(settings), memory_by_service(settings.data_dir)
    table = Table("program", "state", "well", "port", "pid", "up", "memory", box=None)
    for service in services:
        program = states[service.name]
        fine = program.state == "RUNNING" and health.is_healthy(service)
        well = well and (fine or not service.starts)
        used = _megabytes(memory.pop(service.name, 0))
        since, port = f"{program.seconds:.0f} s" if program.pid else "", str(service.port or "")
        pid = str(program.pid or "")
        table.add_row(service.name, program.state, "yes" if fine else "no", port, pid, since, used)
    for name, used_bytes in memory.items():
        table.add_row(name, "", "", "", "", "", _megabytes(used_bytes))
    console.print(table)
    for line in where_to_look(settings):
        console.print(line, soft_wrap=True, highlight=False)
    return well


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size else ""


def where_to_look(settings: Settings) -> list[str]:
    """Say where people find each part, and where its password is."""
    run, user = run_folder(settings), airflow_login(settings)[0]

    def at(name: str) -> str:
        return f"http://127.0.0.1:{settings.port(name)}"

    return [
        f"Airflow         {at('airflow')}  (user {user}, password in {run / 'airflow_password.json'})",
        f"Chat page, API  {at('serve')}  (key in {run / 'api_key'})",
        f"Ray dashboard   {at('ray_dashboard')}  (token in {run / 'ray_token'})",
        f"Logs            {run.parent / 'logs'}  (make logs)",
    ]


def logs(settings: Settings, names: Sequence[str]) -> None:
    """Become `tail` over the programs' logs: all of them, or those that are named."""
    folder = log_file(settings, "x").parent
    files = [log_file(settings, n) for n in names] or sorted(folder.glob("*.log"))
    missing = ", ".join(f.stem for f in files if not f.exists())
    if missing or not files:
        known = ", ".join(f.stem for f in sorted(folder.glob("*.log"))) or "none; run `make up`"
        raise FileNotFoundError(
            f"No log of {missing or 'a program'} in {folder}; there is {known}."
        )
    follow = ["-F"] if sys.stdout.isatty() else []
    os.execvp("tail", ["tail", "-n", "30", *follow, *map(str, files)])


def launch(settings: Settings, name: str) -> None:
    """Become a program: end what a killed predecessor left, prepare, and hand over this process.

    Jobs that the predecessor started go on: whoever asks for the same job again joins it.
    """
    service = _find(platform_services(settings), name)
    ours = find_ours(settings.data_dir)
    end_processes(o.process for o in ours if o.service == name and not o.job)
    prepare(service, settings)
    environment = child_environment(settings) | dict(service.environment) | {SERVICE_MARK: name}
    os.chdir(ROOT)
    os.execve(service.argv[0], service.argv, environment)


def _find(services: Sequence[Service], name: str) -> Service:
    for service in services:
        if service.name == name:
            return service
    names = ", ".join(s.name for s in services)
    raise ValueError(f"No program is called {name!r}; there are {names}.")


def watch(settings: Settings) -> None:
    """Restart, for ever, what is alive but unwell."""
    started = [s for s in platform_services(settings) if s.starts and s.name != "watch"]
    health.watch(started, lambda name: supervision.restart_program(settings, name))


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let only one `up` or `down` of this platform happen at a time."""
    with (run_folder(settings) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Run the verb that is named first; an expected failure is one sentence, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # httpx tells every question it asks.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    console, verb, rest = Console(), next(iter(arguments), ""), arguments[1:]
    try:
        return _run(load_settings(), verb, rest, console)
    except (OSError, ValueError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False, soft_wrap=True)
        return 1


def _run(settings: Settings, verb: str, rest: Sequence[str], console: Console) -> int:
    verbs: dict[str, Callable[[], object]] = {
        "up": lambda: up(settings, console),
        "down": lambda: _say_down(down(settings), console),
        "clean": lambda: clean(settings),
        "status": lambda: status(settings, console),
        "logs": lambda: logs(settings, rest),
        "check-ports": lambda: check_ports(settings),
        "launch": lambda: launch(settings, rest[0]),
        "watch": lambda: watch(settings),
    }
    if verb not in verbs:
        raise ValueError(f"Say one of: {', '.join(verbs)}.")
    return int(verbs[verb]() is False)


def _say_down(left: int, console: Console) -> None:
    console.print(f"everything has ended ({left} left over)" if left else "everything has ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
