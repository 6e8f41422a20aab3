"""Whether a program of the platform is well, and restarting the one that is alive but unwell.

Dead processes are the supervisor's business; this is for those that still run and no longer work.
"""

import logging
import time
from collections.abc import Callable, Iterable

import httpx

from include.services import Service, port_is_open

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 10.0


def is_healthy(service: Service) -> bool:
    """Ask a program whether it is well; one that offers no such question is well while it listens."""
    if service.health:
        return _answers(service)
    return not service.port or port_is_open(service.port)


def _answers(service: Service) -> bool:
    try:
        # A proxy of the environment must not stand between this machine and itself.
        answer = httpx.get(service.health, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    if answer.status_code != httpx.codes.OK:
        return False
    if not service.component:
        return True
    return bool(answer.json().get(service.component, {}).get("status") == "healthy")


class Watch:
    """Remembers since when each program has been unwell, and says which has been so for too long."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.services = tuple(services)
        self.unwell_since: dict[str, float] = {}

    def overdue(self, now: float, check: Callable[[Service], bool] = is_healthy) -> list[Service]:
        """Look at every program once; name those whose patience has run out, and start counting anew."""
        found = []
        for service in self.services:
            if check(service):
                self.unwell_since.pop(service.name, None)
            elif now - self.unwell_since.setdefault(service.name, now) >= service.patience:
                found.append(service)
                del self.unwell_since[service.name]
        return _causes(found)


def _causes(overdue: list[Service]) -> list[Service]:
    """Leave out those that are only asked about at a program which is itself unwell."""
    silent = {s.health for s in overdue if not s.component}
    return [s for s in overdue if not s.component or s.health not in silent]


def watch(services: Iterable[Service], restart: Callable[[str], None]) -> None:
    """Look for ever, and restart what has been unwell for longer than its patience."""
    eye = Watch(s for s in services if s.health or s.port)
    while True:
        for service in eye.overdue(time.monotonic()):
            log.warning("%s was unwell for %.0f s: restarting it", service.name, service.patience)
            restart(service.name)
        time.sleep(LOOK_EVERY_SECONDS)
