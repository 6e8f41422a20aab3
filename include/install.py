"""Install the locked requirements into `.venv`: what `make setup` runs first, with nothing but Python's own library.

It must run on the Python of the machine, before anything is installed: no import of ours or of
anybody else here. `TORCH_INDEX` in the environment names a package index with CPU builds of torch,
which saves 4 GB.
"""

import hashlib
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"
# Package mirrors were seen to deny for a second or two that a version exists.
ATTEMPTS = 4
PAUSE_SECONDS = 3.0
# Builds of torch for the CPU need none of these.
CUDA_ONLY = re.compile(r"^(nvidia-|triton|cuda-)")


def install(root: Path = ROOT, torch_index: str = "") -> bool:
    """Bring `.venv` up to `requirements.txt`; returns False if it was there already."""
    requirements, venv = root / "requirements.txt", root / ".venv"
    mark = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    stamp = venv / f".installed-{mark}"
    if stamp.exists():
        return False
    started = time.monotonic()
    if not (venv / "bin" / "pip").exists():
        _run([sys.executable, "-m", "venv", str(venv)])
    python = str(venv / "bin" / "python")
    if torch_index:
        requirements = _without_torch(requirements, venv / "requirements-cpu.txt")
        _insist(lambda again: torch_command(python, root, torch_index))
    _insist(lambda again: install_command(python, requirements, again, bool(torch_index)))
    for old in venv.glob(".installed-*"):
        old.unlink()
    stamp.touch()
    log.info("installed the requirements in %.0f s", time.monotonic() - started)
    return True


def install_command(python: str, requirements: Path, attempt: int, alone: bool) -> list[str]:
    """Choose uv, and pip for the last attempt; a later attempt asks the index anew."""
    words = ["--require-hashes", "-r", str(requirements), *(["--no-deps"] if alone else [])]
    uv = Path(python).parent / "uv"
    if attempt == ATTEMPTS or not _has_uv(python, uv):
        return [python, "-m", "pip", "install", "--compile", *words]
    refresh = ["--refresh"] if attempt > 1 else []
    return [str(uv), "pip", "install", "--python", python, "--compile-bytecode", *refresh, *words]


def torch_command(python: str, root: Path, torch_index: str) -> list[str]:
    """Install torch at the locked version from an index of the user's choice."""
    version = locked_version(root / "requirements.txt", "torch")
    words = ["--no-deps", "--index-url", torch_index, f"torch=={version}"]
    return [python, "-m", "pip", "install", "--compile", *words]


def locked_version(requirements: Path, name: str) -> str:
    """Read which version of a package the lock holds."""
    found = re.search(rf"^{re.escape(name)}==(\S+)", requirements.read_text(), re.MULTILINE)
    if not found:
        raise ValueError(f"{requirements} does not pin {name}. Run `make lock`.")
    return found[1]


def _without_torch(requirements: Path, target: Path) -> Path:
    """Copy the lock without torch and what only its CUDA build needs."""
    entries = re.split(r"^(?=[A-Za-z0-9])", requirements.read_text(), flags=re.MULTILINE)
    kept = [e for e in entries if not (e.startswith("torch==") or CUDA_ONLY.match(e))]
    target.write_text("".join(kept))
    return target


def _has_uv(python: str, uv: Path) -> bool:
    """Put uv beside the Python of the environment, unless it is there."""
    if not uv.exists():
        _try([python, "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"])
    return uv.exists()


def _insist(command: Callable[[int], Sequence[str]]) -> None:
    """Run a command until it succeeds, a few times."""
    for attempt in range(1, ATTEMPTS + 1):
        if _try(command(attempt)):
            return
        if attempt < ATTEMPTS:
            log.warning("attempt %d of %d failed; trying again", attempt, ATTEMPTS)
            time.sleep(PAUSE_SECONDS * attempt)
    raise OSError(
        f"The requirements could not be installed in {ATTEMPTS} attempts; the reason is above. "
        "Can this machine reach a package index (see `pip config list`)?"
    )


def _run(command: Sequence[str]) -> None:
    if not _try(command):
        raise OSError(
            f"{' '.join(command)} failed; the reason is above. On Debian: apt install python3-venv"
        )


def _try(command: Sequence[str]) -> bool:
    # Without byte code Great Expectations alone takes 25 s to import.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        install(torch_index=os.environ.get("TORCH_INDEX", ""))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
