"""Finding copies: ours against datasketch (near copies) and semhash (semantic ones), and how it grows.

`python tests/benchmarks/dedup.py [DOCUMENTS]` · `… dedup.py handbook DIR` for the articles of a data set in DIR.
Every peer does the same task in the same run, from the texts (or vectors) to the verified pairs.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from cleaning import read_pages
from peers import run_peer

from include.settings import Settings
from ml.boilerplate import NOTHING, host_of, learn_boilerplate
from ml.dedup import Limits, find_pairs, mark_duplicates
from ml.semantic import same_meaning
from ml.text import clean
from ml.types import CleanDocument

THRESHOLD, COSINE = 0.8, 0.9
WORDS, VOCABULARY = 250, 20_000
VECTORS, DIMENSIONS = 10_000, 384
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 3

Pairs = set[tuple[int, int]]
# Seconds on the clock, seconds of all processors (what counts on a busy machine), and what was found.
Run = tuple[float, float, Pairs]


def planted(count: int) -> list[str]:
    """Make random texts; every tenth is a copy of the one before, with one to nine words changed."""
    chance = np.random.default_rng(7)
    texts: list[str] = []
    for number in range(count):
        if number % 10 == 9:
            words = texts[-1].split()
            for place in chance.choice(WORDS, chance.integers(1, 10), replace=False):
                words[place] = f"w{chance.integers(VOCABULARY)}"
        else:
            words = [f"w{w}" for w in chance.integers(0, VOCABULARY, WORDS).tolist()]
        texts.append(" ".join(words))
    return texts


def truth(texts: list[str]) -> Pairs:
    """Compare all texts that share any 5-gram, in plain Python; the others have a similarity of 0."""
    rows, holders = [], defaultdict(list)
    for number, text in enumerate(texts):
        words = text.split()
        rows.append({tuple(words[i : i + 5]) for i in range(len(words) - 4)})
        for one in rows[-1]:
            holders[one].append(number)
    candidates = {pair for held in holders.values() for pair in combinations(held, 2)}
    return {
        (a, b)
        for a, b in candidates
        if len(rows[a] & rows[b]) / len(rows[a] | rows[b]) >= THRESHOLD
    }


def documents(texts: list[str]) -> list[CleanDocument]:
    """Wrap texts in documents."""
    return [
        CleanDocument(str(i), "r", f"https://x/{i}", "article", "a", "", t, "en", None)
        for i, t in enumerate(texts)
    ]


def our_near(texts: list[str]) -> Pairs:
    """Find near copies as the platform does, all other levels left out."""
    found = find_pairs(documents(texts), Limits(THRESHOLD))
    return {tuple(sorted((int(p.left), int(p.right)))) for p in found}


def timed(call: Callable[[], Pairs]) -> Run:
    """Return the medians of some rounds, and what was found."""
    walls, cpus, found = [], [], set()
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        found = call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return median(walls), median(cpus), found


def asked(name: str, **given: object) -> Run:
    """Let a peer do its task."""
    result = run_peer(name, {"threshold": THRESHOLD, **given})
    return result["seconds"], result["cpu_seconds"], {tuple(pair) for pair in result["pairs"]}


def show(title: str, count: int, rows: dict[str, Run], wanted: Pairs) -> None:
    """Print one line for each way: how fast, how many times slower than ours, how right."""
    columns = (
        "method",
        "seconds",
        "× ours",
        "CPU seconds",
        "× ours",
        "a second",
        "recall",
        "precision",
    )
    table = Table(*columns, title=title)
    ours, our_cpu, _ = next(iter(rows.values()))
    for name, (seconds, cpu, found) in rows.items():
        right = len(found & wanted)
        times = (f"{seconds:.3f}", f"{seconds / ours:.1f}", f"{cpu:.3f}", f"{cpu / our_cpu:.1f}")
        quality = (f"{right / max(len(wanted), 1):.4f}", f"{right / max(len(found), 1):.4f}")
        table.add_row(name, *times, f"{count / seconds:,.0f}", *quality)
    Console(width=120).print(table)


def near(count: int) -> None:
    """Compare the finding of near copies with datasketch."""
    texts = planted(count)
    our_near(texts[:50])
    rows = {
        "ours": timed(lambda: our_near(texts)),
        "datasketch, update() as in its guide": asked("datasketch", texts=texts),
        "datasketch, update_batch()": asked("datasketch_batch", texts=texts),
    }
    title = f"Near copies among {count:,} texts of {WORDS} words (Jaccard ≥ {THRESHOLD}); promised: 35 × ours"
    show(title, count, rows, truth(texts))


def semantic() -> None:
    """Compare the finding of semantic copies with semhash, on the same vectors."""
    chance = np.random.default_rng(7)
    vectors = chance.normal(size=(VECTORS, DIMENSIONS)).astype(np.float32)
    vectors[9::10] = vectors[8::10] + 0.3 * vectors[9::10]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/vectors.npy"
        np.save(file, vectors)
        rows = {
            "ours": timed(lambda: set(map(tuple, same_meaning(vectors, COSINE)[0].tolist()))),
            "semhash, by default": asked("semhash", vectors=file, threshold=COSINE),
            "semhash, exact index": asked("semhash_exact", vectors=file, threshold=COSINE),
        }
    whole = np.argwhere(np.triu(vectors @ vectors.T >= COSINE, 1)).tolist()
    title = f"Semantic copies among {VECTORS:,} vectors (cosine ≥ {COSINE}); promised: 7 × ours"
    show(title, VECTORS, rows, set(map(tuple, whole)))


def growth() -> None:
    """Show time and memory of all levels of words, from texts to canonical documents."""
    columns = ("documents", "seconds", "CPU seconds", "CPU µs each", "copies", "MB above the texts")
    table = Table(*columns, title="Growth, all levels of words")
    for size in SIZES:
        said = subprocess.run(
            [sys.executable, __file__, "alone", str(size)],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds, cpu, copies, memory = json.loads(said.stdout)
        table.add_row(
            f"{size:,}",
            f"{seconds:.2f}",
            f"{cpu:.2f}",
            f"{cpu / size * 1e6:.0f}",
            f"{copies:,}",
            f"{memory:,.0f}",
        )
    Console().print(table)


def alone(count: int) -> None:
    """Mark the copies among so many documents, in a process of its own."""
    given = documents(planted(count))
    mark_duplicates(given[:50], Limits(THRESHOLD, 0.53))
    before = peak_memory()
    started, cpu = time.perf_counter(), time.process_time()
    copies = sum(bool(d.duplicate_of) for d in mark_duplicates(given, Limits(THRESHOLD, 0.53)))
    spent = (time.perf_counter() - started, time.process_time() - cpu)
    print(json.dumps([*spent, copies, peak_memory() - before]))  # noqa: T201


def peak_memory() -> float:
    """Return the most memory that this process ever held, in MB; unlike getrusage's, its parent's does not count."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def handbook(folder: Path) -> None:
    """Clean the articles of `ArticleDocument.json` in a folder and list the copies among them."""
    given, settings = read_pages(folder / "ArticleDocument.json"), Settings()
    hosts = learn_boilerplate(given)
    cleaned = [clean(d, hosts.get(host_of(d.url), NOTHING)) for d in given]
    kept = [c for c in cleaned if isinstance(c, CleanDocument)]
    by_id = {c.id: c for c in kept}
    marked = mark_duplicates(kept, Limits(settings.near_duplicate, settings.excerpt_duplicate))
    table = Table("copy", "canonical", "how", "similarity", title=f"{len(kept)} articles")
    for copy in (d for d in marked if d.duplicate_of):
        sides = (f"{d.title}\n{d.url}" for d in (copy, by_id[copy.duplicate_of]))
        table.add_row(*sides, copy.duplicate_how, f"{copy.duplicate_similarity:.2f}")
    Console().print(table)
    found = find_pairs(kept, Limits(settings.near_duplicate, 0.2))
    others = [p.similarity for p in found if p.how == "excerpt"]
    below = max((s for s in others if s < settings.excerpt_duplicate), default=0.0)
    Console().print(f"The next pair that is no copy: {below:.2f} of {settings.excerpt_duplicate}.")


def main(arguments: list[str]) -> None:
    """Do what the arguments say."""
    match arguments:
        case ["alone", count]:
            alone(int(count))
        case ["handbook", folder]:
            handbook(Path(folder))
        case _:
            try:
                near(int(arguments[0]) if arguments else 3_000)
                semantic()
            except ConnectionError as error:
                Console().print(f"Left out: {error}", markup=False)
            growth()


if __name__ == "__main__":
    main(sys.argv[1:])
