"""API keys: kept hashed, compared in constant time; each has scopes, a rate, and a budget of tokens a day.

python -m serving.keys allow NAME [--scopes chat,search] [--rate 1] [--burst 5] [--tokens 20000]
python -m serving.keys list | revoke NAME
"""

import argparse
import hashlib
import hmac
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from include.keys import api_key, run_folder
from include.settings import Settings, load_settings
from ml.files import locked, read_json, write_json

# What a key may do: ask; search and embed; judge answers; read traces, lineage and counters; let what it says of
# answers be learned from, which is for the author, and given only where it is asked for.
SCOPES = ("chat", "search", "feedback", "watch", "teach")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was recognised; a rate, burst or budget of 0 means: what the settings say.

    `rate` are requests a second on average, `burst` those at once, `tokens` those of a day in UTC.
    """

    name: str
    scopes: tuple[str, ...] = SCOPES
    rate: float = 0.0
    burst: float = 0.0
    tokens: int = 0


def ensure_key(settings: Settings) -> str:
    """Return the key of the platform's own tools, and let it in."""
    key = api_key(settings)
    if not settings.api_key.get_secret_value():
        allow_key(settings, key, Key("platform"))
    return key


def allow_key(settings: Settings, key: str, its: Key) -> None:
    """Let a key in, or change what it may do; only its hash is kept."""
    if unknown := sorted(set(its.scopes) - set(SCOPES)):
        raise ValueError(f"There is no scope {unknown[0]!r}; there are: {', '.join(SCOPES)}.")
    file = _file(settings)
    with locked(file.with_suffix(".lock")):
        known = _read(file)
        if known.get(_hash(key)) != its:
            _write(file, {**known, _hash(key): its})


def revoke_key(settings: Settings, name: str) -> int:
    """Shut out every key of a name, from the next request on; returns how many there were."""
    file = _file(settings)
    with locked(file.with_suffix(".lock")):
        known = _read(file)
        left = {hashed: key for hashed, key in known.items() if key.name != name}
        _write(file, left)
    return len(known) - len(left)


def list_keys(settings: Settings) -> list[Key]:
    """List the keys that are let in, by name."""
    return sorted(_read(_file(settings)).values(), key=lambda k: k.name)


def recognise(settings: Settings, presented: str) -> Key | None:
    """Return who a presented key belongs to, or None."""
    known = _read(_file(settings))
    if given := settings.api_key.get_secret_value():
        known[_hash(given)] = Key("platform")
    hashed = _hash(presented)
    found = [key for each, key in known.items() if hmac.compare_digest(each, hashed)]
    return found[0] if found else None


class Buckets:
    """A token bucket for each key: `rate` requests a second on average, `burst` at once.

    Where several processes take requests, each gives its share of both, so that they do not add up to more;
    one request at once is the least.
    """

    def __init__(self, rate: float, burst: float, processes: int = 1) -> None:
        self.rate, self.burst, self._processes = rate, burst, processes
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, key: Key, now: float) -> float:
        """Take one request; returns 0, or the seconds to wait until there is one."""
        rate = (key.rate or self.rate) / self._processes
        burst = max((key.burst or self.burst) / self._processes, 1.0)
        level, then = self._level.get(key.name, (burst, now))
        level = min(burst, level + (now - then) * rate)
        if level < 1.0:
            self._level[key.name] = (level, now)
            return (1.0 - level) / rate
        self._level[key.name] = (level - 1.0, now)
        return 0.0


def _file(settings: Settings) -> Path:
    return run_folder(settings) / "keys.json"


def _read(file: Path) -> dict[str, Key]:
    return {
        hashed: Key(**{**entry, "scopes": tuple(entry["scopes"])})
        for hashed, entry in read_json(file).items()
    }


def _write(file: Path, keys: dict[str, Key]) -> None:
    """Replace the file as a whole; it is readable by its owner only, as every temporary file is made."""
    write_json(file, {hashed: asdict(key) for hashed, key in keys.items()})


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Allow, list or revoke keys from the command line; a new key is shown once and never again."""
    parser = argparse.ArgumentParser(prog="python -m serving.keys")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    verbs.add_parser("revoke").add_argument("name")
    allow = verbs.add_parser("allow")
    allow.add_argument("name")
    allow.add_argument("--scopes", default=",".join(s for s in SCOPES if s != "teach"))
    allow.add_argument("--rate", type=float, default=0.0)
    allow.add_argument("--burst", type=float, default=0.0)
    allow.add_argument("--tokens", type=int, default=0)
    given, settings = parser.parse_args(arguments), load_settings()
    match given.verb:
        case "allow":
            key = f"twin-{secrets.token_urlsafe(24)}"
            scopes = tuple(s.strip() for s in given.scopes.split(","))
            allow_key(settings, key, Key(given.name, scopes, given.rate, given.burst, given.tokens))
            sys.stdout.write(f"{key}\n")
        case "revoke":
            sys.stdout.write(f"{revoke_key(settings, given.name)} keys of {given.name} revoked\n")
        case _:
            for known in list_keys(settings):
                sys.stdout.write(f"{known}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
