"""A small complete world for the serving room: real articles of two authors, and a model that nobody serves yet."""

import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
import yaml
from conftest import free_port, free_range
from fastapi import FastAPI
from openai import APIError, BadRequestError, OpenAI

from include import cleaning, indexing, ingestion, measuring, registry
from include.datasets import build_dataset
from include.keys import api_key
from include.learning import train_model
from include.running import running
from include.services import (
    RAY_WORKER_PORTS,
    Service,
    child_environment,
    mongo_service,
    ray_service,
    remove_ray_folder,
    serve_service,
)
from include.settings import ROOT, Settings
from serving.api import build_api
from serving.canary import Trial
from serving.slot import Slot
from serving.twin import LocalSpeaker, Speaker, Twin

ARTICLES = {
    "maren-oduya": (
        "why-does-fsync-lie",
        "backups-nobody-restored",
        "idempotency-keys",
        "sizing-the-connection-pool",
        "the-cache-that-lied",
        "reading-flame-graphs",
        "on-call-handover",
        "feature-flags-that-rot",
    ),
    "tobias-reck": (
        "your-makefile-lies",
        "one-led-is-a-debugger",
        "what-the-recall-taught-me",
        "deleting-forty-thousand-lines",
    ),
}
# A question that an article of the world answers, where that was published, and one that nothing answers.
QUESTION = "Why does fsync lie?"
SOURCE_URL = "https://notes.example/maren-oduya/why-does-fsync-lie/"
UNKNOWN = "What is the best recipe for strawberry jam?"
# How to ask the smallest of models, which would rather say nothing.
HOT = {"temperature": 2.0, "top_p": 1.0, "max_tokens": 24}
# The one text of the world that is no article.
POST = {
    "url": "https://posts.example/maren/1",
    "title": "",
    "kind": "post",
    "published_at": "2025-06-02T08:00:00Z",
    "text": (
        "The pager woke me at four because a certificate had expired; it had been renewed in March, and nobody "
        "had reloaded the proxy that was meant to read it. We now page on the certificate that is served, "
        "which is the only one that a visitor ever sees."
    ),
}


def serving_settings(folder: Path, base: Path, **changes: object) -> Settings:
    """Make the settings of a world that learns little and quickly, but for some changes."""
    usual = {
        "data_dir": folder / "data",
        "sources_file": _sources(folder),
        "vectors_url": f"lancedb://{folder}/vectors",
        "base_model": str(base),
        "mongo_port": free_port(),
        "serve_port": free_port(),
        "ray_port": free_range(11 + RAY_WORKER_PORTS),
        "ray_dashboard_port": free_port(),
        "min_examples": 10,
        "sft_steps": 3,
        "dpo_steps": 2,
        "requests_per_second": 500,
        "requests_burst": 500,
        "canary_quiet": 0.2,
    }
    return Settings(**{**usual, **changes})


@contextmanager
def published_world(folder: Path, base: Path, **changes: object) -> Iterator[tuple[Settings, str]]:
    """Run a world's own document server, and the story up to a published model; yields its id too."""
    world = serving_settings(folder, base, **changes)
    world.data_dir.mkdir(exist_ok=True)
    _add_post(world, folder / "posts.jsonl")
    with running(mongo_service(world), folder):
        for source in ingestion.list_sources(world):
            ingestion.crawl_source(world, source)
        for verb in (
            ingestion.store_documents,
            cleaning.clean_documents,
            indexing.index_chunks,
            measuring.store_features,
        ):
            verb(world)
        dataset = build_dataset(world)
        yield world, str(train_model(world, str(dataset["dataset_id"]))["model_id"])


@dataclass(frozen=True)
class Answering:
    """An endpoint in this process: its parts, the stock client and a plain one."""

    world: Settings
    twin: Twin
    slot: Slot
    url: str
    stock: OpenAI
    http: httpx.Client


@contextmanager
def answering_world(world: Settings, model_id: str) -> Iterator[Answering]:
    """Answer with a model of a world, in this process."""
    twin, slot = Twin(world), ready_slot(world, model_id)
    with endpoint(world, LocalSpeaker(slot), twin) as url, call(world, url) as http:
        yield Answering(world, twin, slot, url, client(world, url), http)
    twin.close()


@dataclass(frozen=True)
class Deployed:
    """A world that Ray serves: its first model, and what was answered before there was one."""

    world: Settings
    model_id: str
    url: str
    before: httpx.Response


@contextmanager
def ray_world(world: Settings, model_id: str, folder: Path) -> Iterator[Deployed]:
    """Run a Ray of a world's own and the program that keeps the endpoint deployed, then roll its model out."""
    from serving.deploy import roll_out

    url = f"http://127.0.0.1:{world.port('serve')}"
    try:
        with (
            _program(world, ray_service(world), folder),
            _program(world, serve_service(world), folder),
        ):
            asked = {"messages": [{"role": "user", "content": QUESTION}]}
            before = call(world, url).post("/v1/chat/completions", json=asked)
            roll_out(world, model_id)
            yield Deployed(world, model_id, url, before)
    finally:
        remove_ray_folder(world)


def ray_processes(world: Settings, name: str) -> list[psutil.Process]:
    """Find the living processes of a world's Ray by the name that Ray gave them."""
    folder, found = str(world.data_dir.resolve()), []
    for process in psutil.process_iter(["cmdline", "environ"]):
        its = process.info
        if name in " ".join(its["cmdline"] or ()) and its["environ"]:
            found += [process] if its["environ"].get("TWIN_DATA_DIR") == folder else []
    return found


def _program(world: Settings, service: Service, folder: Path) -> AbstractContextManager[None]:
    """Run a program that sees the settings of this very world."""
    environment = child_environment(world) | dict(service.environment) | {"OMP_NUM_THREADS": "2"}
    return running(replace(service, environment=environment), folder, seconds=150)


@contextmanager
def endpoint(
    world: Settings, speaker: Speaker, twin: Twin | None = None, trial: Trial | None = None
) -> Iterator[str]:
    """Run the API in a thread of this process; yields its address."""
    with serving(build_api(twin or Twin(world), speaker, world, trial)) as url:
        yield url


@contextmanager
def serving(api: FastAPI) -> Iterator[str]:
    """Run an application in a thread of this process; yields its address."""
    server = uvicorn.Server(uvicorn.Config(api, log_level="error", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def client(world: Settings, url: str) -> OpenAI:
    """Open the stock client with the platform's own key; what fails is not tried again."""
    return OpenAI(base_url=f"{url}/v1", api_key=api_key(world), max_retries=0, timeout=60)


def ask(stock: OpenAI, question: str = QUESTION, **options: object) -> Any:
    """Ask through the stock client."""
    asked = [{"role": "user", "content": question}]
    return stock.chat.completions.create(**{"model": "twin", "messages": asked, **HOT, **options})


def refuses_a_long_question(stock: OpenAI) -> None:
    """Check that a question longer than the model reads is refused in words, streamed or not."""
    long = (QUESTION + " ") * 400

    with pytest.raises(BadRequestError, match="Ask something shorter"):
        ask(stock, long)
    with (
        pytest.raises(APIError, match="Ask something shorter"),
        ask(stock, long, stream=True) as stream,
    ):
        list(stream)


def wordy_seed(stock: OpenAI, tokens: int) -> int:
    """Find a seed with which the model says a number of tokens at least; it may end an answer at any of them."""
    for seed in range(200):
        if ask(stock, seed=seed, max_tokens=tokens).usage.completion_tokens >= tokens * 0.8:
            return seed
    raise AssertionError("The model never says much.")


def call(world: Settings, url: str) -> httpx.Client:
    """Open a plain HTTP client with the platform's own key."""
    headers = {"Authorization": f"Bearer {api_key(world)}"}
    return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)


def settled(slot: Slot, *, seconds: float = 60.0) -> Slot:
    """Wait until a slot has done what was wished, or given up."""
    deadline = time.monotonic() + seconds
    while slot.state().status == "loading":
        assert time.monotonic() < deadline, "the model is still being loaded"
        time.sleep(0.02)
    return slot


def ready_slot(world: Settings, model_id: str) -> Slot:
    """Load a model into a slot of its own."""
    slot = Slot(world, lambda state: None)
    slot.wish(model_id)
    return settled(slot)


def publish_copy(
    world: Settings, model_id: str, name: str, *, truncate: bool = False, **changes: object
) -> str:
    """Publish a copy of a model under another id; a truncated one has right hashes of half its weights."""
    version = replace(registry.read_model(world, model_id), id=name, files={}, **changes)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / name
        shutil.copytree(registry.model_folder(world, model_id), copy)
        weights = copy / "adapter_model.safetensors"
        if truncate:
            weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        registry.publish_model(world, copy, replace(version, created_at=datetime.now(UTC)))
    return name


TOO_LONG = "{% if messages[0].content | length > 20 %}{{ raise_exception('too long') }}{% endif %}"


def publish_broken(world: Settings, model_id: str, name: str) -> str:
    """Publish a copy of a model whose chat template takes no long texts: it loads, greets, and fails its callers."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / name
        shutil.copytree(registry.model_folder(world, model_id), copy)
        template = copy / "chat_template.jinja"
        template.write_text(f"{TOO_LONG}{template.read_text()}")
        version = replace(registry.read_model(world, model_id), id=name, files={})
        registry.publish_model(world, copy, replace(version, created_at=datetime.now(UTC)))
    return name


def _sources(folder: Path) -> Path:
    for author, names in ARTICLES.items():
        (folder / author).mkdir()
        for name in names:
            shutil.copy(ROOT / "demo" / "articles" / author / f"{name}.md", folder / author)
    listed = {
        "authors": [{"id": a, "name": a.replace("-", " ").title(), "emails": []} for a in ARTICLES],
        "sources": [
            {
                "id": f"{a}-notes",
                "author": a,
                "kind": "folder",
                "where": str(folder / a),
                "consent": "written for tests, 2026-01-05",
                "options": {"web_url": f"https://notes.example/{a}"},
            }
            for a in ARTICLES
        ],
    }
    file = folder / "sources.yaml"
    file.write_text(yaml.safe_dump(listed))
    return file


def _add_post(world: Settings, file: Path) -> None:
    """Let a world follow one more source, with one post in it."""
    file.write_text(json.dumps(POST))
    listed = yaml.safe_load(world.sources_file.read_text())
    post = {"id": "posts", "kind": "jsonl", "where": str(file), "options": {}}
    listed["sources"].append({**listed["sources"][0], **post})
    world.sources_file.write_text(yaml.safe_dump(listed))
