"""Milliseconds from a question to the first token, without generation, by step; and what HTTP and Ray Serve add.

Asks the running platform: `make up`, then `python tests/benchmarks/answering.py`.
"""

import json
import time
from statistics import quantiles

import httpx
from rich.console import Console
from rich.table import Table

from include.keys import api_key
from include.settings import ROOT, load_settings

ASKED = 60
# Stays below the requests a second that a key may make.
PAUSE = 0.25


def main() -> None:
    """Ask the demo's questions for their passages over HTTP, and the same path in this process."""
    from ml.answer import Ask
    from serving.twin import Twin

    settings, console = load_settings(), Console()
    listed = json.loads((ROOT / "demo" / "questions.json").read_text(encoding="utf-8"))
    questions = [q["question"] for q in listed][:ASKED]
    spent: dict[str, list[float]] = {"retrieve, in process": [], "retrieve, over HTTP": []}
    twin = Twin(settings)
    headers = {"Authorization": f"Bearer {api_key(settings)}"}
    with httpx.Client(
        base_url=settings.endpoint(), headers=headers, timeout=30, trust_env=False
    ) as http:
        try:
            for number, question in enumerate(questions[:5] + questions):
                times = [
                    timed(twin.retrieve, Ask(question, settings.author)),
                    timed(retrieve, http, question),
                ]
                for row, milliseconds in zip(spent.values(), times, strict=True):
                    row += [milliseconds] * (number >= 5)  # the first five warm up
                time.sleep(PAUSE)
        except (httpx.HTTPError, ConnectionError) as error:
            console.print(f"Left out: {error} Start the platform with `make up`.", markup=False)
            return
    twin.close()
    table = Table("path", "p50 ms", "p95 ms", "ratio", title=f"{len(questions)} questions")
    base = quantiles(spent["retrieve, in process"], n=20)[9]
    for name, row in spent.items():
        cuts = quantiles(row, n=20)
        table.add_row(name, f"{cuts[9]:.1f}", f"{cuts[18]:.1f}", f"{cuts[9] / base:.2f}")
    console.print(table)


def retrieve(http: httpx.Client, question: str) -> None:
    """Search over HTTP."""
    http.post("/v1/retrieve", json={"query": question}).raise_for_status()


def timed(call, *arguments) -> float:
    """Time one call, in milliseconds."""
    started = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
