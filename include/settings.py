"""Every setting of the platform, and the only place that reads the environment.

`Settings(data_dir=tmp)` is a complete world of its own: nothing is read from the environment and nothing is opened.
`load_settings()` is what programs use: `TWIN_*` variables over the `.env` file over the defaults here.
Each field is mirrored in `.env.example`; a test keeps the two equal.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseModel):
    """One platform: where its data lives, which servers it talks to, and its thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Where everything that the platform makes is kept.
    data_dir: Path = ROOT / "data"
    # Shared by all checkouts: the ONNX embedder, the pretrained tiny model, the Weaviate binary.
    cache_dir: Path = Path("~/.cache/llm-twin").expanduser()
    # Which authors and places are crawled.
    sources_file: Path = ROOT / "include" / "sources.yaml"
    # Whose twin is built: an author id of the sources file.
    author: str = "maren-oduya"

    # Added to every port below, so that two checkouts can run side by side.
    port_offset: int = 0
    mongo_port: int = 27217
    weaviate_port: int = 8281
    weaviate_grpc_port: int = 50251
    airflow_port: int = 8280
    serve_port: int = 8200
    ray_port: int = 6479
    ray_dashboard_port: int = 8265
    demo_port: int = 8290
    supervisor_port: int = 9201
    # Only in docker-compose.yaml, with its profile `monitoring`.
    grafana_port: int = 8282

    # mongodb://… of a server; empty: the embedded one on mongo_port.
    mongo_url: str = ""
    mongo_database: str = "twin"
    # weaviate://host:port (gRPC on weaviate_grpc_port), or lancedb:///folder; empty: the embedded Weaviate.
    vectors_url: str = ""
    vectors_api_key: SecretStr = SecretStr("")
    # How passages are compared and searched; a change builds a new colour of the index beside the old one.
    vectors_distance: Literal["cosine", "dot", "l2", "manhattan"] = "cosine"
    vectors_index: Literal["hnsw", "flat"] = "hnsw"
    vectors_quantizer: Literal["none", "pq", "bq", "sq", "rq"] = "none"
    # Share of probes (titles, headings, sentences) that must find their own passage before a colour goes live.
    probe_share: float = 0.8
    # A Weaviate server program; empty: looked for on PATH, then in cache_dir.
    weaviate_binary: str = ""
    # A feature_store.yaml; empty: Feast's local one, written under data_dir.
    feature_store: str = ""
    # A Ray Jobs address (http://head:8265) for training; empty: a local subprocess.
    jobs_url: str = ""
    # Where documents are cleaned and embedded: empty: in this process; local: on a Ray of its own on this machine;
    # auto or host:port: on the Ray cluster that this machine is a node of.
    ray_address: str = ""
    # The Ray dashboard that roll-outs talk to, and the endpoint that users talk to; empty: the local ones.
    serve_dashboard_url: str = ""
    serve_url: str = ""
    # Where the endpoint listens; 0.0.0.0 opens it to the network.
    serve_host: str = "127.0.0.1"
    # The key that the platform's own tools present to the endpoint; empty: the one the set-up wrote under data_dir.
    api_key: SecretStr = SecretStr("")
    # Where datasets and models are kept; empty: data_dir/artifacts.
    artifacts_url: str = ""
    # MiniLM comes with the installation; otherwise any sentence-transformers folder or hub id.
    embedder: str = "all-MiniLM-L6-v2"
    # fp32, or int8: about twice as fast, nearly the same neighbours; tests/benchmarks/embedding.py prints both.
    embedder_precision: Literal["fp32", "int8"] = "fp32"
    # `tiny` is pretrained here once; otherwise any Hugging Face causal model, by id or folder.
    base_model: str = "tiny"

    # Who generates: transformers, the reference; llamacpp, unless it has no exact form of the model; vllm, a server
    # at vllm_url; auto: llamacpp on a CPU, transformers on a GPU.
    engine: Literal["auto", "transformers", "llamacpp", "vllm"] = "auto"
    # Weights of llama.cpp: f32, which says what the reference says, or q8_0: smaller and faster, other words.
    engine_precision: Literal["f32", "q8_0"] = "f32"
    # Whether llama.cpp guesses ahead with weights of 64 MB and more: the same words, up to twice as soon. Off: it was
    # seen to crash once in thousands of answers, and a replica with it.
    engine_guesses: bool = True
    # Megabytes of a replica for models that are asked for by name, beside the one in its slot; 0: none are kept. A
    # candidate on trial is counted: the others give way to it, and it is tried even if it needs more.
    shelf_megabytes: int = Field(default=1024, ge=0)
    # http://host:port of a vLLM server (serving/requirements-vllm.txt), and its key if it asks for one.
    vllm_url: str = ""
    vllm_api_key: SecretStr = SecretStr("")

    # Comma-separated hosts that may be crawled although they are not on the public internet.
    crawl_allow_hosts: str = ""
    # A PEM file with the authorities that vouch for those hosts; empty: the public ones.
    crawl_ca_file: str = ""
    crawl_user_agent: str = (
        "llm-twin/0.1 (+https://github.com/llm-twin/llm-twin; one person's own texts)"
    )
    # Seconds between two requests to one host, unless its robots.txt asks for more.
    crawl_delay: float = 0.5
    # Bytes of one page, decoded; seconds for one page, all redirects included.
    crawl_max_bytes: int = 5_000_000
    crawl_timeout: float = 20.0
    # Seconds of a processor that reading one page or feed may take; what takes longer is ended and turned away.
    parse_seconds: float = Field(default=20.0, gt=0)

    # A batch with more than this share of bad rows is stopped before it touches anything.
    error_budget: float = 0.3
    # Chunk size in tokens of the embedder's own tokenizer (its window is the upper bound).
    chunk_tokens: int = 200
    # Share of shared word 5-grams (Jaccard) from which two texts are copies of each other.
    near_duplicate: float = 0.8
    # Share of an article's word 5-grams that a longer one holds from which it is an excerpt of it; 0: never.
    excerpt_duplicate: float = 0.53
    # Cosine of two texts' embeddings from which they say the same in other words; 0: not looked for.
    semantic_duplicate: float = 0.0
    # Words of an answer's n-gram: a training sample that shares one with the test split is dropped.
    leak_words: int = 10
    # Cosine of two passages from which they say the same: where one is tested, the other is not trained on; 0: not
    # looked for.
    leak_cosine: float = 0.9
    # Share of an author's documents held out for evaluation, newest first.
    test_share: float = 0.15
    # Example samples below this number make no dataset.
    min_examples: int = 40
    # Articles by other authors below this number make no dataset: a voice is told apart from others.
    min_other_texts: int = 1
    # Training prompts that the champion and the base model answer on demand (`answer_prompts`), to be rejected in
    # preference pairs; each takes seconds.
    dataset_negatives: int = Field(default=0, ge=0)
    # Passages from which the map of the corpus is made by UMAP as well, which takes ten seconds to start; 0: always.
    map_umap_from: int = 1000
    # A new dataset version needs this share of its examples to differ from the last one.
    dataset_change: float = 0.005
    # Chance (0 to 1) that some passage answers, below which the twin says that it does not know; see `make bench-rag`.
    abstain_below: float = 0.5
    # What happens to a question, of: route, self_query, follow_up, expand, hybrid, rerank, compress, embed_sentences,
    # check, strict (docs/benchmarks.md says what each brings and takes). A request may switch each (`steps`). Empty:
    # all but expand and embed_sentences, and without strict where the base is tiny, whose words nothing supports.
    answer_steps: str = ""
    # Who orders the passages: `own` is learned from the corpus; else any Hugging Face cross-encoder, by id or folder.
    reranker: str = "own"
    # Tokens of evidence and earlier turns that the model is shown; a larger model may be given more.
    evidence_tokens: int = 400

    # OpenTelemetry spans of the endpoint; where they go is said by the standard OTEL_* variables.
    telemetry: bool = False
    # Of those who ask plain `twin`, this share (percent) meets a candidate before it is rolled out; 0: nobody. It is
    # judged after so many answers or seconds, or at once where for some seconds nobody asks.
    canary_percent: float = Field(default=10.0, ge=0, le=100)
    canary_answers: int = Field(default=20, ge=1)
    canary_seconds: float = Field(default=30.0, ge=0)
    canary_quiet: float = Field(default=3.0, ge=0)
    # Processes that take requests; each holds an embedder and the rankings, 600 MB that it shares with nobody.
    ingress_replicas: int = Field(default=1, ge=1)
    # What one API key may ask: requests a second on average, and at once.
    requests_per_second: float = 5.0
    requests_burst: float = 20.0

    # Optimiser steps of a fine-tuning, and its seed.
    sft_steps: int = 60
    dpo_steps: int = 12
    seed: int = 7
    # Secrets that are planted in a training, to see whether the model learns them by heart; 0: none.
    train_canaries: int = Field(default=3, ge=0)
    # A recipe that search_recipe found, by its id, or a YAML file with one; empty: the usual, with the steps above.
    recipe: str = ""
    # A search for a recipe: at most so many trials and minutes, and which share of the training documents judges them.
    search_trials: int = Field(default=12, ge=1)
    search_minutes: int = Field(default=30, ge=1)
    search_share: float = Field(default=0.2, gt=0, lt=1)
    # Processes that train one model together: on a CPU some, on GPUs one for each.
    train_workers: int = Field(default=1, ge=1)
    # The gate: a candidate may be worse than the champion by at most this (nats per token; share).
    gate_loss_margin: float = 0.05
    gate_likeness_margin: float = 0.05
    gate_general_margin: float = 0.25
    # More time for as much text than the champion takes, as a share of it: 2.0 is three times as slow.
    gate_latency_margin: float = 2.0
    gate_memorisation_max: float = 0.5
    # Bits by which a planted secret may stand out among its like; 10 can be seen; chance gives them to one in 1,024.
    gate_exposure_max: float = 9.0
    # How much less of an answer its passages may support, and the least that they must: 0.3 for a model that can write;
    # `tiny` cannot, and says as little of its passages as anybody else's text does. And how many more of the attacks
    # may work than on the champion, and at most.
    gate_grounded_margin: float = 0.1
    gate_grounded_floor: float = 0.0
    gate_unsafe_margin: float = 0.15
    gate_unsafe_max: float = 0.5
    # `human` asks a person in Airflow before a model that passed the gate is rolled out.
    approval: str = Field(default="", pattern="^(human)?$")
    # What a model that learned no newer text has to gain, surely, in loss or in likeness.
    gate_loss_gain: float = 0.0
    gate_likeness_gain: float = 0.0
    # An OpenAI-compatible endpoint (http://host/v1) that may write samples, judge answers and say questions in other
    # words (the step expand), also the platform's own; empty: all is done without. Its key is sent to it alone.
    llm_url: str = ""
    llm_model: str = "twin"
    llm_key: SecretStr = SecretStr("")
    # Requests that one verb may send to it, second tries included; seconds that one may take.
    llm_calls: int = Field(default=500, ge=0)
    # Tokens that one verb may spend there, prompts and answers together; 0: as many as its requests take.
    llm_tokens: int = Field(default=0, ge=0)
    llm_timeout: float = Field(default=60.0, gt=0)
    # W&B writes offline unless this says online; its key is W&B's own affair: `wandb login`, or WANDB_API_KEY.
    wandb_mode: str = "offline"
    wandb_project: str = "llm-twin"

    def port(self, name: str) -> int:
        """Return the port of a service, offset included: `port("mongo")`."""
        value: int = getattr(self, f"{name}_port")
        return value + self.port_offset

    def allowed_hosts(self) -> frozenset[str]:
        """Name the hosts (host, or host:port) that need not be public."""
        listed = self.crawl_allow_hosts.lower().split(",")
        return frozenset(host.strip() for host in listed if host.strip())

    def endpoint(self) -> str:
        """Return the address of the endpoint: a server's, or this machine's."""
        return self.serve_url or f"http://127.0.0.1:{self.port('serve')}"


def load_settings(
    environment: Mapping[str, str] = os.environ, env_file: Path = ROOT / ".env"
) -> Settings:
    """Read `TWIN_*` from the environment over `env_file`; an unknown or malformed one is an error."""
    named = {k: v for k, v in dotenv_values(env_file).items() if v is not None} | dict(environment)
    values = {k[5:].lower(): v for k, v in named.items() if k.startswith("TWIN_") and v != ""}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        unknown = "there is no such setting"
        lines = [
            f"TWIN_{str(e['loc'][0]).upper()}: {unknown if e['type'] == 'extra_forbidden' else e['msg']}"
            for e in error.errors()
        ]
        raise ValueError(
            "Settings are wrong: " + "; ".join(lines) + ". See .env.example for every setting."
        ) from None
