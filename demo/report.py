"""What `make demo` says at the end of a lap: counts, evidence, one real answer, and where to look next."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from demo.airflow import Airflow, Run
from demo.site import deleted_article
from include import registry
from include.documents import open_documents
from include.drawing import corpus_map
from include.embedding_cache import cache_size
from include.feature_store import prepare_repo
from include.keys import airflow_login, ray_token_file
from include.settings import ROOT, Settings
from include.validation import data_docs
from include.vectors import open_vectors
from serving.ask import name_documents
from serving.keys import ensure_key

QUESTIONS = {
    1: "How did you find out that fsync was not durable?",
    2: "How did you limit the rate of the nightly export?",
}


@dataclass(frozen=True, slots=True)
class Lap:
    """One way round the loop: its number, its seconds, and the runs of each stage, oldest first."""

    number: int
    seconds: float
    runs: dict[str, list[Run]]

    def latest(self) -> dict[str, Run]:
        """Return the newest run of each stage that has begun."""
        return {dag_id: runs[-1] for dag_id, runs in self.runs.items() if runs}


@dataclass(frozen=True, slots=True)
class Work:
    """What a lap did, summed over its runs, by their own results."""

    fetched: int
    unchanged: int
    gone: int
    cleaned: int
    copies: int
    embedded: int
    reused: int
    taken_out: int
    datasets: int
    trainings: int


def print_lap(settings: Settings, airflow: Airflow, lap: Lap, console: Console) -> None:
    """Print the summary table of a lap."""
    title = f"Lap {lap.number}: {lap.seconds:.0f} s"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    work = _work(airflow, lap)
    for name, value in [*_work_facts(work), *_stored_facts(settings), *_model_facts(settings)]:
        table.add_row(name, value)
    seconds = [f"{d}: {sum(r.seconds for r in runs):.0f}" for d, runs in lap.runs.items() if runs]
    table.add_row("seconds by stage", "\n".join(seconds))
    console.print(table)
    if not (work.embedded or work.datasets or work.trainings):
        console.print(
            f"[bold]Nothing had changed[/bold]: {work.unchanged} texts asked about, {work.embedded} "
            f"embeddings computed, {work.datasets} datasets made, {work.trainings} models trained."
        )


def _work(airflow: Airflow, lap: Lap) -> Work:
    """Add up what the tasks of a lap gave back."""

    def results(dag_id: str, task: str) -> list[dict[str, int]]:
        return [
            airflow.result(run, task, t.map_index) or {}
            for run in lap.runs[dag_id]
            for t in run.tasks
            if t.name == task
        ]

    def total(given: list[dict[str, int]], key: str) -> int:
        return sum(int(g.get(key, 0)) for g in given)

    crawled = results("ingest_documents", "crawl_source")
    cleaned = results("build_features", "clean_documents")
    indexed = results("build_features", "index_chunks")
    return Work(
        fetched=total(crawled, "fetched"),
        unchanged=total(crawled, "unchanged"),
        gone=total(crawled, "gone"),
        cleaned=total(cleaned, "cleaned"),
        # Unlike the others this counts all that there are, so the last run's is it.
        copies=total(cleaned[-1:], "duplicates"),
        embedded=total(indexed, "embedded"),
        reused=total(indexed, "reused"),
        taken_out=total(indexed, "deleted"),
        datasets=total(results("build_dataset", "build_dataset"), "created"),
        trainings=len(lap.runs["finetune_model"]),
    )


def _work_facts(work: Work) -> list[tuple[str, str]]:
    fetched = f"{work.fetched} fetched, {work.unchanged} unchanged, {work.gone} gone"
    indexed = f"{work.embedded} chunks embedded, {work.reused} known, {work.taken_out} taken out"
    return [
        ("documents in", fetched),
        ("cleaned", f"{work.cleaned} documents; {work.copies} copies of others are set aside"),
        ("indexed", indexed),
        ("learned", f"{work.datasets} new datasets, {work.trainings} trainings"),
    ]


def _stored_facts(settings: Settings) -> list[tuple[str, str]]:
    with open_documents(settings) as documents, open_vectors(settings) as vectors:
        kinds = Counter(d.kind for d in documents.active())
        refused = Counter(f"{r.stage}: {r.reason}" for r in documents.rejected())
        chunks = vectors.count()
    cache = cache_size(settings)
    kept = f"{cache['embeddings']} embeddings, {cache['bytes'] / 1e6:.1f} MB"
    return [
        ("documents stored", ", ".join(f"{n} × {k}" for k, n in sorted(kinds.items()))),
        ("rejected, by reason", "\n".join(f"{n} × {why}" for why, n in refused.most_common())),
        ("chunks in the index", str(chunks)),
        ("embedding cache", kept),
    ]


def _model_facts(settings: Settings) -> list[tuple[str, str]]:
    models = registry.list_models(settings)
    if not models:
        return []
    newest = registry.read_model(settings, models[-1])
    verdict = registry.read_verdict(settings, newest.id) or {"reasons": ["no verdict yet"]}
    counts = registry.read_dataset(settings, newest.dataset_id).counts
    return [
        ("newest dataset", "\n".join([newest.dataset_id, *_samples(counts)])),
        ("newest model", f"{newest.id} on {newest.base_model}"),
        ("loss, before → after", "\n".join(_losses(newest.metrics))),
        ("gate", "\n".join(verdict["reasons"])),
        ("champion", registry.champion(settings) or "none"),
    ]


def _samples(counts: Mapping[str, int]) -> Iterator[str]:
    """Say how many samples of each task a dataset has, split by split."""
    for split in ("train", "test"):
        of = {
            k.removeprefix(f"{split}/"): n for k, n in counts.items() if k.startswith(f"{split}/")
        }
        yield f"{split}: " + ", ".join(f"{n} {task}" for task, n in of.items())


def _losses(metrics: Mapping[str, float | str]) -> Iterator[str]:
    """Say what a training did to each loss that it measured."""
    curves = {
        "supervised": ("sft_loss_first", "sft_loss_last"),
        "preference": ("dpo_loss_first", "dpo_loss_last"),
        "held out": ("heldout_loss_before", "heldout_loss_after"),
    }
    for name, (before, after) in curves.items():
        if before in metrics and after in metrics:
            yield f"{name}: {metrics[before]:.3f} → {metrics[after]:.3f}"


def ask(settings: Settings, console: Console) -> None:
    """Ask the endpoint over HTTP and show its answer with the sources; then look for what was deleted."""
    laps = [n for n in (1, 2) if (settings.data_dir / "demo" / f"lap-{n}.done").exists()]
    lap = max(laps, default=1)
    body = _post(settings, "/v1/chat/completions", _chat(QUESTIONS[lap]))
    said = escape(body["choices"][0]["message"]["content"])
    shown = "\n".join([said, "", *name_documents(body["sources"])])
    console.print(Panel(shown, title=QUESTIONS[lap], title_align="left"))
    if lap == 2:
        console.print(_say_deleted(settings))
    if settings.base_model == "tiny":
        console.print(
            "The tiny base model cannot write well: what it generates shows that the loop works, not a voice. "
            "Set TWIN_BASE_MODEL to a real model for a real twin; the quoted evidence is real either way."
        )


def _say_deleted(settings: Settings) -> str:
    """Search for the article that lap 2 deleted, and say whether it is found."""
    article = deleted_article()
    hits = _post(settings, "/v1/retrieve", {"query": article.title, "limit": 20})["data"]
    found = sum(article.path in h["url"] for h in hits)
    return f"Deleted in lap 2: “{article.title}”. {found} of {len(hits)} passages found for its title come from it."


def _chat(question: str) -> dict[str, object]:
    return {"model": "twin", "messages": [{"role": "user", "content": question}]}


def _post(settings: Settings, path: str, body: dict[str, object]) -> dict[str, Any]:
    answer = httpx.post(
        settings.endpoint() + path,
        json=body,
        headers={"Authorization": f"Bearer {ensure_key(settings)}"},
        timeout=120,
        trust_env=False,
    )
    answer.raise_for_status()
    return answer.json()


def print_farewell(settings: Settings, console: Console) -> None:
    """Say where to look next."""
    user, password = airflow_login(settings)
    token = ray_token_file(settings).read_text().strip()
    rows = [
        ("Airflow UI", f"http://127.0.0.1:{settings.port('airflow')}  ({user} / {password})"),
        ("chat page", f"{settings.endpoint()}/  (key: {ensure_key(settings)})"),
        ("Ray dashboard", f"http://127.0.0.1:{settings.port('ray_dashboard')}  (token: {token})"),
        ("Data Docs", (data_docs(settings) / "overview.html").as_uri()),
        ("corpus picture", corpus_map(settings)[0].as_uri()),
        ("W&B runs", f".venv/bin/wandb leet {_short(settings.data_dir / 'wandb' / 'wandb')}"),
        ("Feast", f".venv/bin/feast -c {_short(prepare_repo(settings))} ui --host 127.0.0.1"),
        ("ask again", 'make ask Q="…"'),
        ("stop", "make down"),
    ]
    console.print("\n[bold]Where to look next[/bold]")
    for name, where in rows:
        # Unbroken lines, which can be copied.
        console.print(f"{name:<16}{where}", soft_wrap=True, highlight=False, markup=False)


def _short(folder: Path) -> str:
    """Name a folder as seen from the repository, where people type commands."""
    return str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder)
