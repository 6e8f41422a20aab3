"""Secrets that the platform makes for itself: one file each under `data_dir/run`, readable by its owner only.

Keys that people bring (W&B, an LLM endpoint) are settings or environment variables, never files
here.
"""

import base64
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from include.settings import Settings


def run_folder(settings: Settings) -> Path:
    """Return the folder of what belongs to the running platform, closed to other users."""
    folder = settings.data_dir.resolve() / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def api_key(settings: Settings) -> str:
    """Return the key that the platform's own tools present to the endpoint; made on first use."""
    given = settings.api_key.get_secret_value()
    return given or secret(settings, "api_key", lambda: "twin-" + secrets.token_urlsafe(24))


def ray_token_file(settings: Settings) -> Path:
    """Return the file with the token that guards Ray; made on first use."""
    secret(settings, "ray_token", lambda: secrets.token_hex(32))
    return run_folder(settings) / "ray_token"


def fernet_key() -> str:
    """Make a key in the form that Airflow encrypts connections with."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def airflow_login(settings: Settings) -> tuple[str, str]:
    """Return the user and password of the Airflow UI; made on first use."""
    text = secret(
        settings, "airflow_password.json", lambda: json.dumps({"admin": secrets.token_urlsafe(12)})
    )
    return "admin", str(json.loads(text)["admin"])


def secret(settings: Settings, name: str, make: Callable[[], str]) -> str:
    """Read a secret of this platform; the first caller makes it, also when two come at once."""
    file = run_folder(settings) / name
    if not file.exists():
        _write_once(file, make())
    return file.read_text().strip()


def _write_once(file: Path, text: str) -> None:
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    # A link appears whole or not at all, and never replaces the one that somebody else made.
    with suppress(FileExistsError):
        os.link(fresh, file)
    fresh.unlink()
