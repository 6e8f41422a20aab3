"""Write variables into `.env`; as a program, fill in fresh secrets for docker-compose: `python3 -m include.env_file`.

Python's own library only: whoever has nothing but Docker runs this on the Python of the machine.
"""

import logging
import secrets
import sys
from pathlib import Path

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
# What docker-compose.yaml cannot do without.
SECRETS = (
    "MONGO_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GRAFANA_PASSWORD",
    "TWIN_VECTORS_API_KEY",
    "TWIN_API_KEY",
)


def read_env(file: Path) -> dict[str, str]:
    """Read the plain `NAME=value` lines of a `.env` file."""
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, value in pairs}


def write_env(file: Path, values: dict[str, str]) -> None:
    """Set variables in a `.env` file and leave every other line as it is."""
    lines = file.read_text().splitlines() if file.exists() else []
    for name, value in values.items():
        line = f"{name}={value}"
        places = [i for i, old in enumerate(lines) if old.split("=")[0].strip() == name]
        if places:
            lines[places[-1]] = line
        else:
            lines.append(line)
    # It holds keys: for its owner only, from the first byte on.
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text("\n".join(lines) + "\n")


def fill_in_secrets(file: Path) -> list[str]:
    """Make every secret that the file lacks; returns their names. Those that are there stay."""
    known = read_env(file)
    missing = [name for name in SECRETS if not known.get(name)]
    # Hexadecimal: they stand in URLs, where other characters would have to be escaped.
    write_env(file, {name: secrets.token_hex(24) for name in missing})
    return missing


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    made = fill_in_secrets(ROOT / ".env")
    log.info("%s now holds %s", ROOT / ".env", ", ".join(made) or "what it held")
    sys.exit(0)
