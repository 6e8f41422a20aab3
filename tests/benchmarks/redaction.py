"""Redaction measured: planted canaries caught, false alarms in real code and prose, and speed.

`python tests/benchmarks/redaction.py [FOLDER]`: code is this Python's standard library, prose the demo's articles
and the texts (.md, .txt, .json) of a folder. Findings are shown masked; an address that stands in the standard
library is no false alarm, so judge what is shown.
"""

import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.settings import ROOT
from ml.redact import _findings, redact

sys.path.insert(0, str(ROOT / "tests"))
SEEDS = range(5)
SHOWN = 24


def main() -> None:
    """Print what was caught, what was taken wrongly for each kind, and the speed."""
    print_canaries()
    library = Path(sysconfig.get_paths()["stdlib"])
    code = [
        p for p in library.rglob("*.py") if not {"site-packages", "dist-packages"} & set(p.parts)
    ]
    prose = list((ROOT / "demo" / "articles").rglob("*.md"))
    if len(sys.argv) > 1:
        prose += [p for p in Path(sys.argv[1]).rglob("*") if p.suffix in (".md", ".txt", ".json")]
    for name, files in (("standard library", code), ("prose", prose)):
        measure(name, [p.read_text(encoding="utf-8", errors="replace") for p in files])


def print_canaries() -> None:
    """Plant every form in prose and in code and count what is gone."""
    from canaries import personal, secrets

    planted, missed = 0, []
    for seed in SEEDS:
        values = [*secrets(seed).values(), *((v, v) for _, v in personal(seed))]
        for value, place in values:
            for around in ("We wrote {} into the log once.", "import os\n{}\nprint(os.name)\n"):
                planted += 1
                if value in redact(around.replace("{}", place))[0]:
                    missed.append(place[:8])
    Console().print(f"canaries: {planted - len(missed)} of {planted} caught {missed or ''}")


def measure(name: str, texts: list[str]) -> None:
    """Count findings by kind for each 1,000 lines, show some of them, and time the whole."""
    started = time.process_time()
    found = [(kind, text[a:b]) for text in texts for a, b, kind in _findings(text)]
    seconds = time.process_time() - started
    lines = sum(text.count("\n") for text in texts)
    kinds = Counter(kind for kind, _ in found)
    table = Table(
        "kind", "found", "for 1,000 lines", "distinct, masked", title=f"{name}: {lines:,} lines"
    )
    for kind, count in kinds.most_common():
        values = sorted({value for k, value in found if k == kind})
        shown = " ".join(f"{v[:5]}…{v[-3:]}".replace("\n", " ") for v in values[:SHOWN])
        table.add_row(
            kind, str(count), f"{1000 * count / max(lines, 1):.3f}", f"{len(values)}: {shown}"
        )
    size = sum(len(text.encode(errors="replace")) for text in texts) / 1e6
    table.caption = f"{size / seconds:.2f} MB/s of processor time"
    Console().print(table)


if __name__ == "__main__":
    main()
