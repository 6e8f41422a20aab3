"""Programs to compare ours with, in an environment of their own: they are no dependencies of the platform.

`python tests/benchmarks/peers.py` makes the environment, once, in the platform's cache. A benchmark asks
`run_peer(name, …)`: the peer reads its input from a file, does its task as its own guide shows it, and says
how long the task took, on the clock and of all processors, its imports and the reading left out.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PINNED = ("datasketch==2.0.0", "semhash==0.5.0")
BANDS, ROWS = 20, 6


def environment() -> Path:
    """Return the Python of the peers' environment, made when it is not there; ConnectionError if it cannot be."""
    from include.settings import load_settings
    from ml.types import digest

    folder = load_settings().cache_dir / f"peers-{digest(*PINNED)[:12]}"
    done = folder / "installed.txt"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "-q", *PINNED]
        if subprocess.run(install).returncode:
            raise ConnectionError(f"no package index gave {', '.join(PINNED)}; set PIP_INDEX_URL.")
        done.write_text("\n".join(PINNED))
    return folder / "bin" / "python"


def run_peer(name: str, given: dict[str, object]) -> dict[str, object]:
    """Let a peer do its task in a process of its own; returns what it found, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "given.json"), Path(folder, "result.json")
        source.write_text(json.dumps(given))
        # Its own packages, not those of whoever starts it.
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        subprocess.run([environment(), __file__, name, source, target], check=True, env=clean)
        return json.loads(target.read_text())


def clocks() -> tuple[float, float]:
    """Read the clock, and the time that all processors gave this process."""
    return time.perf_counter(), time.process_time()


def since(started: tuple[float, float]) -> dict[str, float]:
    """Say how long it was."""
    wall, cpu = clocks()
    return {"seconds": wall - started[0], "cpu_seconds": cpu - started[1]}


def datasketch(given: dict[str, object], batch: bool = False) -> dict[str, object]:
    """Find near copies: word 5-grams, MinHash, LSH with our bands, exact Jaccard on the candidates."""
    import re

    from datasketch import MinHash, MinHashLSH

    started = clocks()
    table = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    rows, sketches, pairs = [], [], []
    for number, text in enumerate(given["texts"]):
        words = re.findall(r"\w+", text.lower())
        rows.append({" ".join(words[i : i + 5]) for i in range(len(words) - 4)})
        sketch = MinHash(num_perm=BANDS * ROWS)
        if batch:
            sketch.update_batch([s.encode() for s in rows[-1]])
        else:
            for one in rows[-1]:
                sketch.update(one.encode())
        table.insert(number, sketch)
        sketches.append(sketch)
    for number, sketch in enumerate(sketches):
        for other in table.query(sketch):
            if other < number:
                a, b = rows[other], rows[number]
                if len(a & b) / len(a | b) >= given["threshold"]:
                    pairs.append((other, number))
    return {**since(started), "pairs": pairs}


def datasketch_batch(given: dict[str, object]) -> dict[str, object]:
    """Do the same with the peer's vectorised update, its fastest way in."""
    return datasketch(given, batch=True)


def semhash(given: dict[str, object], backend: str = "usearch") -> dict[str, object]:
    """Find semantic copies among given vectors, with the index that the peer takes by default."""
    import numpy
    from semhash import SemHash

    vectors = numpy.load(given["vectors"])
    names = [str(i) for i in range(len(vectors))]
    started = clocks()
    index = SemHash.from_embeddings(vectors, names, model=None, ann_backend=backend)
    result = index.self_deduplicate(threshold=given["threshold"])
    spent = since(started)
    found = {tuple(sorted((int(c.record), int(c.duplicate_of)))) for c in result.filtered}
    return {**spent, "pairs": sorted(found)}


def semhash_exact(given: dict[str, object]) -> dict[str, object]:
    """Do the same with the peer's exact index, which finds every pair."""
    return semhash(given, "basic")


PEERS: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    f.__name__: f for f in (datasketch, datasketch_batch, semhash, semhash_exact)
}

if __name__ == "__main__":
    if len(sys.argv) == 4:
        result = PEERS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
        Path(sys.argv[3]).write_text(json.dumps(result))
    else:
        print(f"The peers are {', '.join(PINNED)}, in {environment()}.")  # noqa: T201
