"""Deploy over HTTP: keep the application running, roll a model out, roll it back.

A roll-out loads the candidate beside the champion on every replica, asks it golden questions, lets a
part of the callers meet it, states the wish for it, waits until every replica has it, asks again, and
only then moves the champion. Whatever fails before, the old wish is restored first; a kill in between
is repaired by `keep`, which wishes for the champion. A model that failed by its own fault is turned down for
good; where Ray, MongoDB or the endpoint was away, it is tried again.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import yaml

from include import registry
from include.documents import open_documents
from include.indexing import model_index
from include.keys import ray_token_file
from include.settings import Settings, load_settings
from include.withdrawals import stale
from serving.proving import DeployFailed as DeployFailed
from serving.proving import Unfit as Unfit
from serving.proving import ask_golden_questions, watch_trial

log = logging.getLogger(__name__)

CONFIG = Path(__file__).parent / "serve.yaml"
LOAD_SECONDS = 120.0
RESTORE_SECONDS = 10.0
ALIVE = timedelta(seconds=8)
# How long an ingress remembers which model is in the slot.
STATE_SECONDS = 0.5
# How long a roll-out takes at most, its trial not counted.
ROLL_OUT_SECONDS = 2 * LOAD_SECONDS + 60.0


def roll_out(settings: Settings, model_id: str, proven: bool = False) -> dict[str, object]:
    """Prove a model beside the champion, bring it to every replica, verify it, and make it the champion.

    One that is `proven`, because it was the champion, is not put on trial again.
    """
    started, before = time.monotonic(), registry.champion(settings) or ""
    model_index(settings, registry.read_model(settings, model_id))
    seen = "There was no other model to compare it with."
    try:
        if before not in ("", model_id) and not proven:
            seen = _prove(settings, before, model_id)
        deploy(settings, model_id)
        replicas = await_model(settings, model_id, LOAD_SECONDS)
        ask_golden_questions(settings, "twin", model_id)
    except (DeployFailed, OSError, httpx.HTTPError) as error:
        kind = Unfit if isinstance(error, Unfit) else DeployFailed
        if kind is Unfit:
            registry.amend_verdict(settings, model_id, False, f"It was not rolled out: {error}")
        spent = _restore(settings, before)
        raise kind(
            f"Model {model_id} was not rolled out: {error} The endpoint is back on {before or 'no model'} "
            f"after {spent:.1f} s."
        ) from error
    if before != model_id:
        registry.move_champion(settings, model_id)
    if registry.why_turned_down(settings, model_id):
        registry.amend_verdict(settings, model_id, True, "It was rolled out by hand after that.")
    log.info("%s is the champion. %s", model_id, seen)
    seconds = time.monotonic() - started
    return {"model_id": model_id, "seconds": seconds, "replicas": replicas, "canary": seen}


def _prove(settings: Settings, champion: str, candidate: str) -> str:
    """Load a candidate beside the champion, question it, and let a part of the callers meet it."""
    deploy(settings, champion, candidate)
    await_model(settings, champion, LOAD_SECONDS, candidate)
    ask_golden_questions(settings, f"twin@{candidate}", candidate)
    if not settings.canary_percent:
        return "No caller met it before (TWIN_CANARY_PERCENT=0): its golden questions alone count."
    with open_documents(settings) as documents:
        documents.begin_trial(candidate)
    deploy(settings, champion, candidate, settings.canary_percent)
    return watch_trial(settings, candidate, champion)


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
    if reason := registry.why_turned_down(settings, previous):
        raise PermissionError(
            f"{previous} was turned down ({reason.rstrip('.')}), so it does not come back by itself. "
            f"`python -m serving.deploy roll_out {previous}` lets it prove itself once more."
        )
    # First of all: a kill after the roll-out would leave it to the next loop to undo it.
    registry.amend_verdict(settings, left, False, f"It was rolled back to {previous} by hand.")
    return roll_out(settings, previous, proven=True)


def deploy(settings: Settings, model_id: str, canary: str = "", percent: float = 0.0) -> None:
    """State the whole application's configuration with a wish; Ray Serve changes only what differs.

    A `canary` is loaded beside the model, and answers `percent` of those who name no version.
    """
    config = yaml.safe_load(CONFIG.read_text())
    config["http_options"] |= {"host": settings.serve_host, "port": settings.port("serve")}
    (app,) = config["applications"]
    for deployment in app["deployments"]:
        if deployment["name"] == "Generator":
            deployment["user_config"] = {"model_id": model_id, "canary": canary}
        else:
            deployment["user_config"] = {"canary": canary, "percent": percent}
            deployment["num_replicas"] = settings.ingress_replicas
    answer = _rest(settings, "PUT", config)
    if answer.status_code != 200:
        raise DeployFailed(f"Ray Serve refused the configuration: {answer.text[:500]}")


def await_model(settings: Settings, model_id: str, seconds: float, canary: str = "") -> int:
    """Wait until every living replica has a model, and a canary beside it; returns their number. Heartbeats tell.

    A replica that Ray Serve runs, and whose heart nobody hears, may have anything: it is waited for.
    """
    deadline, silent = time.monotonic() + seconds, set[str]()
    while True:
        # A heart that has not heard of this wish yet still tells of the last one.
        replicas = _replicas(settings)
        heard = [r for r in replicas if (r.get("wish"), r.get("canary", "")) == (model_id, canary)]
        if broken := [r for r in heard if r["status"] == "failed"]:
            kind = Unfit if any(r.get("unfit") for r in broken) else DeployFailed
            raise kind(f"A replica could not load it: {broken[0]['error']}")
        ready = {r["_id"] for r in heard if r["status"] == "ready"}
        if (
            replicas
            and len(ready) == len(replicas)
            and not (silent := _run(_applications(settings)) - ready)
        ):
            time.sleep(STATE_SECONDS)
            return len(replicas)
        if time.monotonic() > deadline:
            unheard = f" Ray Serve runs others that are silent: {sorted(silent)}." if silent else ""
            raise DeployFailed(
                f"After {seconds:.0f} s the replicas say: {replicas or 'nothing'}.{unheard}"
            )
        time.sleep(0.25)


def keep(settings: Settings) -> None:
    """Deploy the application, then watch it: one that vanished, or left the champion, is put back."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    # A wish for another model, or a canary, is left alone while a roll-out may be under way.
    astray, patience = 0.0, ROLL_OUT_SECONDS + settings.canary_seconds
    while not stop.wait(3.0):
        try:
            wish, champion = _current_wish(settings), registry.champion(settings) or ""
        except httpx.HTTPError as error:
            log.info("Ray does not answer yet: %s", error)
            continue
        left = bool(champion) and wish not in (None, (champion, ""))
        astray = astray or time.monotonic() if left else 0.0
        if wish is None or (astray and time.monotonic() - astray > patience):
            log.info("deploying with model %s", champion or "(none yet)")
            deploy(settings, champion)


def status(settings: Settings) -> dict[str, object]:
    """Say what Ray Serve runs and what the replicas report."""
    told = _applications(settings)
    apps = {n: a["status"] for n, a in told.items()}
    running = sorted(_run(told))
    return {"applications": apps, "running": running, "replicas": _replicas(settings)}


def _current_wish(settings: Settings) -> tuple[str, str] | None:
    """Return the model and the canary that Ray Serve is asked for, or None where the application does not run."""
    app = _applications(settings).get("twin")
    if not app or app["status"] in ("DEPLOY_FAILED", "NOT_STARTED", "DELETING"):
        return None
    for deployment in (app.get("deployed_app_config") or {}).get("deployments", []):
        if deployment["name"] == "Generator":
            wished = deployment.get("user_config") or {}
            return str(wished.get("model_id", "")), str(wished.get("canary", ""))
    return None


def _run(applications: Mapping[str, Any]) -> set[str]:
    """Name the replicas with a model that Ray Serve sends questions to, as their hearts name themselves."""
    app = applications.get("twin") or {}
    its = app.get("deployments", {}).get("Generator", {}).get("replicas", [])
    return {str(r["replica_id"]) for r in its if r["state"] == "RUNNING"}


def _replicas(settings: Settings) -> list[dict[str, str]]:
    with open_documents(settings) as documents:
        return documents.replicas(datetime.now(UTC) - ALIVE)


def _restore(settings: Settings, model_id: str) -> float:
    """Wish for the old model again and wait for it; returns the seconds. What fails here is repaired by `keep`."""
    started = time.monotonic()
    try:
        deploy(settings, model_id)
        if model_id:
            await_model(settings, model_id, RESTORE_SECONDS)
    except (DeployFailed, OSError, httpx.HTTPError) as error:
        log.error("the old model %s is not back yet: %s", model_id, error)
    return time.monotonic() - started


def _applications(settings: Settings) -> dict[str, Any]:
    """Ask Ray Serve what it runs."""
    answer = _rest(settings, "GET")
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()["applications"]
    return told


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
