"""Deploy over HTTP: keep the application running, roll a model out, roll it back.

A roll-out states a wish, waits until every replica has the model, asks a question, and only then
moves the champion. Whatever fails before, the old wish is restored first; a kill in between is
repaired by `keep`, which wishes for the champion.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

import httpx
import yaml

from include import registry
from include.documents import open_documents
from include.indexing import model_index
from include.keys import api_key, ray_token_file
from include.settings import Settings, load_settings
from include.withdrawals import stale

log = logging.getLogger(__name__)

CONFIG = Path(__file__).parent / "serve.yaml"
GOLDEN_QUESTION = "What have you written about?"
LOAD_SECONDS = 120.0
RESTORE_SECONDS = 10.0
ALIVE = timedelta(seconds=8)
# How long `keep` leaves a wish alone that is not the champion: a roll-out may be under way.
ROLL_OUT_SECONDS = LOAD_SECONDS + 60.0


class DeployFailed(RuntimeError):
    """Raised after a failed roll-out, with the old model serving again."""


def roll_out(settings: Settings, model_id: str) -> dict[str, object]:
    """Bring a model to every replica, verify it over HTTP, and make it the champion."""
    started, before = time.monotonic(), registry.champion(settings) or ""
    model_index(settings, registry.read_model(settings, model_id))
    try:
        deploy(settings, model_id)
        replicas = await_model(settings, model_id, LOAD_SECONDS)
        _ask_golden_question(settings, model_id)
    except (DeployFailed, OSError, httpx.HTTPError) as error:
        _restore(settings, before)
        raise DeployFailed(
            f"Model {model_id} was not rolled out: {error} The endpoint is back on {before or 'no model'}."
        ) from error
    if before != model_id:
        registry.move_champion(settings, model_id)
    return {"model_id": model_id, "seconds": time.monotonic() - started, "replicas": replicas}


def roll_back(settings: Settings) -> dict[str, object]:
    """Bring the previous champion back; the model that is left is not promoted again by itself."""
    previous, left = registry.previous(settings), registry.champion(settings)
    if not previous or not left:
        raise LookupError("There is no previous champion to go back to.")
    if learned := stale(settings, previous):
        raise PermissionError(
            f"{previous} learned what was forgotten since ({len(learned)} documents), so it does not come back; "
            "a model of the next dataset takes the champion's place."
        )
    # First of all: a kill after the roll-out would leave it to the next loop to undo it.
    verdict = {"promote": False, "reasons": [f"It was rolled back to {previous} by hand."]}
    registry.write_verdict(settings, left, registry.read_verdict(settings, left) | verdict)
    return roll_out(settings, previous)


def deploy(settings: Settings, model_id: str) -> None:
    """State the whole application's configuration with a wish; Ray Serve changes only what differs."""
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"] |= {"host": settings.serve_host, "port": settings.port("serve")}
    (app,) = config["applications"]
    for deployment in app["deployments"]:
        if "user_config" in deployment:
            deployment["user_config"] = {"model_id": model_id}
    answer = _rest(settings, "PUT", config)
    if answer.status_code != 200:
        raise DeployFailed(f"Ray Serve refused the configuration: {answer.text[:500]}")


def await_model(settings: Settings, model_id: str, seconds: float) -> int:
    """Wait until every living replica has a model; returns their number. The heartbeats tell."""
    deadline = time.monotonic() + seconds
    while True:
        replicas = _replicas(settings)
        if replicas and all(r["model_id"] == model_id and r["status"] == "ready" for r in replicas):
            return len(replicas)
        # A heart that has not heard of this wish yet still tells of the last one.
        if broken := [r for r in replicas if (r.get("wish"), r["status"]) == (model_id, "failed")]:
            raise DeployFailed(f"A replica could not load it: {broken[0]['error']}")
        if time.monotonic() > deadline:
            raise DeployFailed(f"After {seconds:.0f} s the replicas say: {replicas or 'nothing'}.")
        time.sleep(0.5)


def keep(settings: Settings) -> None:
    """Deploy the application, then watch it: one that vanished, or left the champion, is put back."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    astray = 0.0
    while not stop.wait(3.0):
        try:
            wish, champion = _current_wish(settings), registry.champion(settings) or ""
        except httpx.HTTPError as error:
            log.info("Ray does not answer yet: %s", error)
            continue
        left = bool(champion) and wish not in (None, champion)
        astray = astray or time.monotonic() if left else 0.0
        if wish is None or (astray and time.monotonic() - astray > ROLL_OUT_SECONDS):
            log.info("deploying with model %s", champion or "(none yet)")
            deploy(settings, champion)


def status(settings: Settings) -> dict[str, object]:
    """Say what Ray Serve runs and what the replicas report."""
    answer = _rest(settings, "GET")
    apps = {n: a["status"] for n, a in answer.json()["applications"].items()}
    return {"applications": apps, "replicas": _replicas(settings)}


def _current_wish(settings: Settings) -> str | None:
    """Return the wish that Ray Serve holds, or None where the application does not run."""
    answer = _rest(settings, "GET")
    answer.raise_for_status()
    app = answer.json()["applications"].get("twin")
    if not app or app["status"] in ("DEPLOY_FAILED", "NOT_STARTED", "DELETING"):
        return None
    for deployment in (app.get("deployed_app_config") or {}).get("deployments", []):
        if deployment["name"] == "Generator":
            return str((deployment.get("user_config") or {}).get("model_id", ""))
    return None


def _replicas(settings: Settings) -> list[dict[str, str]]:
    with open_documents(settings) as documents:
        return documents.replicas(datetime.now(UTC) - ALIVE)


def _ask_golden_question(settings: Settings, model_id: str) -> None:
    answer = httpx.post(
        f"{settings.endpoint()}/v1/chat/completions",
        json={
            "model": "twin",
            "messages": [{"role": "user", "content": GOLDEN_QUESTION}],
            "max_tokens": 8,
            "temperature": 0,
        },
        headers={"Authorization": f"Bearer {api_key(settings)}"},
        timeout=60,
        trust_env=False,
    )
    if answer.status_code != 200:
        raise DeployFailed(f"It answered {answer.status_code}: {answer.text[:300]}")
    if answer.json()["model_version"] != model_id:
        raise DeployFailed(f"Another model answered: {answer.json()['model_version']}")


def _restore(settings: Settings, model_id: str) -> None:
    """Wish for the old model again and wait for it; what fails here is repaired by `keep`."""
    try:
        deploy(settings, model_id)
        if model_id:
            await_model(settings, model_id, RESTORE_SECONDS)
    except (DeployFailed, OSError, httpx.HTTPError) as error:
        log.error("the old model %s is not back yet: %s", model_id, error)


def _rest(settings: Settings, method: str, body: object = None) -> httpx.Response:
    """Talk to the dashboard's Serve API, with Ray's token where there is one."""
    local = f"http://127.0.0.1:{settings.port('ray_dashboard')}"
    url = (settings.serve_dashboard_url or local) + "/api/serve/applications/"
    token = ray_token_file(settings).read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, url, json=body, headers=headers, timeout=60, trust_env=False)


def main(arguments: list[str]) -> int:
    """Run `keep`, `roll_out MODEL`, `roll_back` or `status`."""
    verbs: dict[str, Callable[..., object]] = {
        "keep": keep,
        "roll_out": roll_out,
        "roll_back": roll_back,
        "status": status,
    }
    if not arguments or arguments[0] not in verbs:
        sys.stderr.write(f"use one of: {', '.join(verbs)}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    result = verbs[arguments[0]](load_settings(), *arguments[1:])
    if result is not None:
        sys.stdout.write(f"{result}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
