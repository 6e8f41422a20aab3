"""A platform of its own that is cheap to start: the document server, and the demo's site when it is asked for."""

from pathlib import Path

from conftest import free_port

from include.processes import find_ours
from include.services import demo_service, mongo_service
from include.settings import Settings


def small_world(folder: Path, **changes) -> Settings:
    """Make settings whose every port is free now."""
    ports = {name: free_port() for name in ("mongo_port", "demo_port", "supervisor_port")}
    return Settings(
        data_dir=folder / "data", vectors_url=f"lancedb://{folder}/v", **ports | changes
    )


def small_services(settings: Settings):
    """List the cheap ones of the platform's programs."""
    return mongo_service(settings), demo_service(settings)


def pids(settings: Settings) -> set[int]:
    """Find every live process of a world."""
    return {ours.process.pid for ours in find_ours(settings.data_dir)}
