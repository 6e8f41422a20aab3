"""Load on the endpoint, open-loop: seconds of an answer against what is offered, and replicas that come and go.

`python tests/benchmarks/serving_load.py [RATE …]`, `make bench-serve`: a small world and a Ray of its own, for some
minutes; it ends by itself. Requests leave on time whether answers come or not. Draws docs/pictures/serving.png.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import httpx
import yaml
from rich.console import Console
from rich.table import Table

from include.documents import open_documents
from include.settings import ROOT, Settings
from ml.tiny import pretrain_tiny
from serving import deploy

sys.path.insert(0, str(ROOT / "tests"))
from conftest import SMALLEST
from serving_world import QUESTION, call, published_world, ray_world

# The last one is more than two cores can do: there some are told to come back later.
RATES = (1.0, 2.0, 4.0, 6.0, 8.0, 16.0)
SECONDS, TOKENS = 20.0, 192
PICTURE = ROOT / "docs" / "pictures" / "serving.png"
# Sooner than in production, so that a bench need not wait minutes.
SOONER = {"upscale_delay_s": 2, "downscale_delay_s": 10, "target_ongoing_requests": 1}


@dataclass
class Load:
    """What happened at one rate."""

    rate: float
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    replicas: list[int] = field(default_factory=list)

    def cuts(self) -> tuple[float, float, float]:
        """Return p50, p95 and p99 in seconds."""
        cuts = quantiles(self.seconds or [0.0, 0.0], n=100, method="inclusive")
        return cuts[49], cuts[94], cuts[98]


def main(rates: list[float]) -> None:
    """Offer each rate, then none until there is one replica again."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="serve-") as name:
        folder = Path(name)
        deploy.CONFIG = sooner(folder)
        base = pretrain_tiny(folder / "cache", size=SMALLEST)
        (folder / "world").mkdir()
        with (
            published_world(folder / "world", base) as (world, model_id),
            ray_world(world, model_id, folder) as deployed,
            caller(world, deployed.url) as http,
        ):
            share = own_share(http)
            loads = [offer(world, http, rate) for rate in rates]
            loads.append(calm(world))
    console.print(table(loads))
    console.print(f"Ray Serve's own share (a route that does nothing): p50 {share:.1f} ms")
    draw(loads[:-1])


def caller(world: Settings, url: str) -> httpx.Client:
    """Open a client that waits as long as it takes, with as many connections as there are requests."""
    http = call(world, url)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.Client(
        base_url=url, headers=http.headers, timeout=180, trust_env=False, limits=limits
    )


def sooner(folder: Path) -> Path:
    """Write serve.yaml with shorter delays."""
    told = yaml.safe_load(deploy.CONFIG.read_text())
    for deployment in told["applications"][0]["deployments"]:
        deployment.get("autoscaling_config", {}).update(
            SOONER if "autoscaling_config" in deployment else {}
        )
    file = folder / "serve.yaml"
    file.write_text(yaml.safe_dump(told))
    return file


def own_share(http: httpx.Client) -> float:
    """Return the median milliseconds of a route that does nothing."""
    spent = []
    for _ in range(60):
        started = time.perf_counter()
        http.get("/healthz").raise_for_status()
        spent.append((time.perf_counter() - started) * 1000)
    return sorted(spent)[len(spent) // 2]


def offer(world: Settings, http: httpx.Client, rate: float) -> Load:
    """Send requests at their times, and wait for all answers."""
    load, started, threads = Load(rate), time.perf_counter(), []
    for number in range(int(rate * SECONDS)):
        time.sleep(max(0.0, started + number / rate - time.perf_counter()))
        thread = threading.Thread(target=ask, args=(http, load, number))
        thread.start()
        threads.append(thread)
        if number % max(int(rate), 1) == 0:
            load.replicas.append(replicas(world))
    for thread in threads:
        thread.join(timeout=120)
    load.replicas.append(replicas(world))
    return load


def ask(http: httpx.Client, load: Load, number: int) -> None:
    """Ask one question and note how it went."""
    started = time.perf_counter()
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": TOKENS,
        "temperature": 2.0,
        "seed": number,
    }
    try:
        answer = http.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        load.statuses[type(error).__name__] += 1
        return
    told = str(answer.status_code)
    if told == "429" and "retry-after" not in answer.headers:
        told = "429 without Retry-After"
    load.statuses[told] += 1
    if told == "200":  # a refusal is quick, and no answer
        load.seconds.append(time.perf_counter() - started)


def calm(world: Settings) -> Load:
    """Wait, bounded, until one replica is left."""
    load, deadline = Load(0.0), time.monotonic() + 90
    while time.monotonic() < deadline:
        load.replicas.append(replicas(world))
        if load.replicas[-1] == 1:
            break
        time.sleep(2)
    return load


def replicas(world: Settings) -> int:
    """Count the replicas that hold a model and whose heart beats."""
    with open_documents(world) as documents:
        return len(documents.replicas(datetime.now(UTC) - deploy.ALIVE))


def table(loads: list[Load]) -> Table:
    """Put the figures together."""
    shown = Table("offered/s", "p50 s", "p95 s", "p99 s", "answers", "replicas", title="Load")
    for load in loads:
        cuts = [f"{c:.2f}" for c in load.cuts()] if load.seconds else ["", "", ""]
        told = ", ".join(f"{n} × {s}" for s, n in sorted(load.statuses.items()))
        shown.add_row(
            f"{load.rate:g}", *cuts, told, f"{min(load.replicas)} to {max(load.replicas)}"
        )
    return shown


def draw(loads: list[Load]) -> None:
    """Draw seconds against what was offered."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, place in (("p50", 0), ("p95", 1), ("p99", 2)):
        axes.plot([x.rate for x in loads], [x.cuts()[place] for x in loads], marker="o", label=name)
    axes.set(xlabel="offered requests a second", ylabel="seconds of a whole answer")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(PICTURE, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main([float(r) for r in sys.argv[1:]] or list(RATES))
