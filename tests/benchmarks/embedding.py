"""Embedding: ours (ONNX Runtime, fp32 and int8) against sentence-transformers, in turns; then the memory of each.

`python tests/benchmarks/embedding.py [FOLDER]`: passages are the paragraphs of the demo's articles, or of the
Markdown files below a folder. CPU seconds are what a busy machine does not distort. Memory is measured in a
process of its own for each row: the peak beyond what the loaded model takes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from include.settings import ROOT, load_settings
from ml.embed import _installed_minilm, load_embedder

ROUNDS = 3
NEIGHBOURS = 10
MEMORY_OF = (1_000, 5_000)
# How many times faster than the peer the platform has to be.
PROMISED = {"ours, fp32": "1.35", "ours, int8": "2"}
PEER = "sentence-transformers"

Encode = Callable[[list[str]], NDArray[np.float32]]


def passages(folder: Path) -> list[str]:
    """Read the paragraphs of the Markdown files that are long enough to be passages."""
    files = sorted(folder.rglob("*.md"))
    paragraphs = [p for f in files for p in f.read_text(encoding="utf-8").split("\n\n")]
    return list(dict.fromkeys(p for p in paragraphs if len(p.split()) >= 20))


def embedders() -> dict[str, Encode]:
    """Load ours and the peer."""
    from sentence_transformers import SentenceTransformer

    settings = load_settings()
    theirs = SentenceTransformer(str(_installed_minilm()), device="cpu")

    def peer(texts: list[str]) -> NDArray[np.float32]:
        return theirs.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    ours = {p: load_embedder(settings.embedder, settings.cache_dir, p) for p in ("fp32", "int8")}
    return {PEER: peer} | {f"ours, {p}": e.encode for p, e in ours.items()}


def main(folder: Path) -> None:
    """Print speed, and how far the vectors and their neighbours agree with the peer's; then memory."""
    texts, encoders = passages(folder), embedders()
    vectors = {name: encode(texts) for name, encode in encoders.items()}
    wall: dict[str, list[float]] = {name: [] for name in encoders}
    cpu: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(ROUNDS):
        for name, encode in encoders.items():
            started, worked = time.perf_counter(), time.process_time()
            encode(texts)
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - worked)
    speed = ("passages/s", "ratio", "promised", "CPU s", "ratio")
    columns = ("embedder", *speed, "cosine, mean", "lowest")
    table = Table(*columns, f"same {NEIGHBOURS} nearest", title=f"{len(texts)} passages")
    for name in encoders:
        spent, worked = float(np.median(wall[name])), float(np.median(cpu[name]))
        cosines = (vectors[name] * vectors[PEER]).sum(axis=1)
        table.add_row(
            name,
            f"{len(texts) / spent:.1f}",
            f"{np.median(wall[PEER]) / spent:.2f}",
            PROMISED.get(name, ""),
            f"{worked:.1f}",
            f"{np.median(cpu[PEER]) / worked:.2f}",
            f"{cosines.mean():.6f}",
            f"{cosines.min():.6f}",
            f"{recall(vectors[PEER], vectors[name]):.4f}",
        )
    Console(width=110).print(table)
    print_memory()


def recall(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the share of each passage's nearest ones that are its nearest ones by the other vectors, too."""
    near, also = nearest(wanted), nearest(found)
    return float(
        np.mean([len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(near, also, strict=True)])
    )


def nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find each row's nearest other rows."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    return np.argsort(-likeness, axis=1)[:, :NEIGHBOURS]


def print_memory() -> None:
    """Print the peak memory of embedding few and many short passages."""
    table = Table("embedder", *(f"{n:,} passages" for n in MEMORY_OF), "growth", title="peak, MB")
    for name in (PEER, "ours, encode", "ours, stream"):
        peaks = [json.loads(_in_process_of_its_own(name, n)) for n in MEMORY_OF]
        shown = [f"{p / 1e6:.0f}" for p in peaks]
        table.add_row(name, *shown, f"{(peaks[-1] - peaks[0]) / 1e6:.0f}")
    Console(width=110).print(table)


def _in_process_of_its_own(name: str, count: int) -> str:
    command = [sys.executable, __file__, "--memory", name, str(count)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def measure_memory(name: str, count: int) -> None:
    """Embed so many short passages and say how far this process's memory rose above where it was before."""
    embed = _embedding(name)
    embed(short_passages(300))
    # Linux: lets the peak begin anew, so that loading the model does not hide what follows.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    embed(short_passages(count))
    sys.stdout.write(str((_status("VmHWM") - before) * 1024))


def _embedding(name: str) -> Callable[[Iterator[str]], object]:
    if name == PEER:
        peer = embedders()[PEER]
        return lambda texts: peer(list(texts))
    settings = load_settings()
    ours = load_embedder(settings.embedder, settings.cache_dir)
    if name == "ours, encode":
        return lambda texts: ours.encode(list(texts))
    return lambda texts: sum(len(block) for block in ours.stream(texts))


def _status(field: str) -> int:
    """Read a line of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def short_passages(count: int) -> Iterator[str]:
    """Make passages of 24 words, each another one."""
    words = (
        "rope harbour tide replica lantern ledger queue anchor signal window pilot cargo".split()
    )
    pairs = list(combinations(words, 2))
    for number in range(count):
        said = [" ".join(pairs[(number * k) % len(pairs)]) for k in range(1, 12)]
        yield f"{number} " + " ".join(said)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        measure_memory(sys.argv[2], int(sys.argv[3]))
    else:
        main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "demo" / "articles")
