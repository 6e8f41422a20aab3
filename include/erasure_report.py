"""What an erasure found and left, for the journal and as a page that people can read and keep."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from ml.files import write_whole

# What an erasure does not reach, said so that nobody believes otherwise.
OUT_OF_REACH = (
    "The address itself is kept, as the mark that it is never fetched again.",
    "The samples of withdrawn datasets stay on disk beside their mark until somebody deletes the folder, and stale "
    "models keep in their weights what they learned; nobody trains on the one or promotes the other any more.",
    "What was sent to W&B's servers, backups, and logs outside of the data folder are not searched; in logs the "
    "address stays, but nothing that the text says.",
)
PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Erasure</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:56rem;padding:0 1rem;color:#1a202c}}
table{{border-collapse:collapse;width:100%;margin:.6rem 0 1rem}}
th,td{{text-align:left;padding:.3rem .7rem;border-bottom:1px solid #e2e8f0}}td.n,th.n{{text-align:right}}
.none{{color:#a0aec0}}.bad{{color:#9b2c2c;font-weight:600}}.good{{color:#276749}}
h1{{overflow-wrap:anywhere;font-size:1.5rem}}li{{overflow-wrap:anywhere}}</style></head><body>
<h1>Erasure of {subject}</h1>
{runs}
<h2>What this does not reach</h2><ul>{reach}</ul></body></html>
"""
RUN = """\
<h2>{at} UTC</h2><p class="{colour}">{summary}</p>
<table><tr><th>place</th><th></th><th class="n">before</th><th class="n">after</th></tr>
{rows}</table>{notes}"""


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted in one place before an erasure, and by a search after it."""

    name: str
    what: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure: where something was, and what follows from it."""

    subject: str
    urls: tuple[str, ...]
    at: datetime
    found: tuple[Found, ...]
    copies: tuple[str, ...]
    withdrawn: tuple[str, ...]
    stale: tuple[str, ...]
    champion: bool

    @property
    def seen(self) -> bool:
        """Tell whether anything was known of it."""
        return any(f.before for f in self.found)

    @property
    def complete(self) -> bool:
        """Tell whether the search afterwards found nothing anywhere."""
        return not any(f.after for f in self.found)

    def summary(self) -> str:
        """Say in a sentence what came of it."""
        left = ", ".join(f"{f.after} × {f.name}" for f in self.found if f.after)
        if left:
            return f"Of {self.subject}, this is left after its erasure: {left}."
        if not self.seen:
            return f"Nothing is kept of {self.subject}; it will never be fetched."
        gone = ", ".join(f"{f.before} × {f.name}" for f in self.found if f.before)
        return f"Nothing is left of {self.subject} ({gone}); it will never be fetched again."

    def record(self) -> dict[str, Any]:
        """Return what the journal keeps."""
        said = {"summary": self.summary(), "seen": self.seen, "complete": self.complete}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {**plain, **said}


def write_report(file: Path, subject: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the page of all erasures of one thing, newest first, as the journal keeps them."""
    runs = "\n".join(_run(r) for r in reversed(records))
    reach = "".join(f"<li>{escape(said)}</li>" for said in OUT_OF_REACH)
    write_whole(file, PAGE.format(subject=escape(subject), runs=runs, reach=reach))


def _run(record: Mapping[str, Any]) -> str:
    return RUN.format(
        at=f"{record['at']:%Y-%m-%d %H:%M:%S}",
        colour="good" if record["complete"] else "bad",
        summary=escape(record["summary"]),
        rows="\n".join(map(_row, record["found"])),
        notes="".join(f"<p>{said}</p>" for said in _notes(record)),
    )


def _row(found: Mapping[str, Any]) -> str:
    colour = "bad" if found["after"] else "good" if found["before"] else "none"
    name = found["name"].replace("_", " ")
    return (
        f'<tr class="{"none" if colour == "none" else ""}"><td>{escape(name)}</td>'
        f"<td>{escape(found['what'])}</td>"
        f'<td class="n">{found["before"]}</td><td class="n {colour}">{found["after"]}</td></tr>'
    )


def _notes(record: Mapping[str, Any]) -> list[str]:
    """Say what follows: withdrawn datasets, stale models, and where the same text still stands."""
    said = []
    if record["withdrawn"]:
        said.append(
            f"Withdrawn datasets: {_list(record['withdrawn'])}. A wish to retrain is kept: the next "
            "build_dataset makes a version without it."
        )
    if record["stale"]:
        serving = " The champion is one of them until a new model takes its place."
        said.append(f"Stale models: {_list(record['stale'])}.{serving * record['champion']}")
    if record["copies"]:
        said.append(f"The same text also stands at {_list(record['copies'])}: forget these too.")
    return said


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"<code>{escape(n)}</code>" for n in names)
