"""API keys: made once, kept hashed, compared in constant time, and each with its own budget of requests."""

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path

from include.keys import api_key, run_folder
from include.settings import Settings

CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was recognised: what it is called and what it may do."""

    name: str
    scopes: tuple[str, ...]


def ensure_key(settings: Settings) -> str:
    """Return the key of the platform's own tools, and let it in."""
    key = api_key(settings)
    if not settings.api_key.get_secret_value():
        allow_key(settings, key, "platform", (CHAT,))
    return key


def allow_key(settings: Settings, key: str, name: str, scopes: tuple[str, ...]) -> None:
    """Let a key in; only its hash is kept."""
    known = _read(settings)
    entry: dict[str, str | list[str]] = {"name": name, "scopes": list(scopes)}
    if known.get(_hash(key)) != entry:
        known[_hash(key)] = entry
        _write_private(run_folder(settings) / "keys.json", json.dumps(known, indent=1))


def recognise(settings: Settings, presented: str) -> Key | None:
    """Return who a presented key belongs to, or None."""
    known = _read(settings)
    if given := settings.api_key.get_secret_value():
        known[_hash(given)] = {"name": "platform", "scopes": [CHAT]}
    hashed = _hash(presented)
    found = [
        entry for known_hash, entry in known.items() if hmac.compare_digest(known_hash, hashed)
    ]
    return Key(str(found[0]["name"]), tuple(found[0]["scopes"])) if found else None


class Buckets:
    """A token bucket for each key: `rate` requests a second on average, `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now: float) -> float:
        """Take one request; returns 0, or the seconds to wait until there is one."""
        level, then = self._level.get(name, (self.burst, now))
        level = min(self.burst, level + (now - then) * self.rate)
        if level < 1.0:
            self._level[name] = (level, now)
            return (1.0 - level) / self.rate
        self._level[name] = (level - 1.0, now)
        return 0.0


def _read(settings: Settings) -> dict[str, dict[str, str | list[str]]]:
    file = settings.data_dir / "run" / "keys.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _write_private(file: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only from its first byte on."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    temporary.replace(file)
