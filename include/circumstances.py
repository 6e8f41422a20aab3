"""Under which circumstances something was made: enough to make it again. No secrets, no paths."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from include.settings import ROOT

# What decides how a training comes out, beside the code.
PACKAGES = ("torch", "transformers", "trl", "peft", "tokenizers", "datasets", "numpy")


def circumstances() -> dict[str, object]:
    """Name the commit, the Python, the machine's sort and the packages in use."""
    return {
        "code": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: _installed(name) for name in PACKAGES},
    }


def _commit() -> str:
    """Return the checked-out commit; empty in a copy without history."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    """Name the sort of processor: another one may add numbers up in another order."""
    file = Path("/proc/cpuinfo")
    said = file.read_text(encoding="utf-8") if file.exists() else ""
    names = [line.partition(":")[2] for line in said.splitlines() if line.startswith("model name")]
    return (names or [platform.processor()])[0].strip().replace("/", " ")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
