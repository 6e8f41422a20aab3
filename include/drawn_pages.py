"""The pages that the platform draws, in one place: which there are, and which file may be shown to a person.

Nothing else of the data folder is shown: it holds keys as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from include.manifests import artifacts_root
from include.settings import Settings
from include.validation import data_docs

# Where pages are, below the data folder and below the artifacts, and what people call them.
TITLES = {
    "verdicts": "Why a model was promoted, or not",
    "worth": "Prompting and training side by side",
    "judgements": "What a judge's word is worth",
    "runs": "Trainings side by side",
    "recipes": "Searches for a recipe",
    "corpus": "The corpus as a map",
    "duplicates": "Copies side by side",
    "data_docs": "Validation",
    "erasures": "Erasures",
}
SUFFIXES = (".html", ".png", ".svg", ".css", ".js", ".woff2", ".ico")
PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>LLM Twin: pages</title>
<meta name="viewport" content="width=device-width"><style>
:root{{color-scheme:light dark}}
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem}}
h2{{font-size:1.05rem;margin:1.6rem 0 .3rem}}ul{{list-style:none;margin:0;padding:0}}
li{{display:flex;justify-content:space-between;gap:1rem;padding:.3rem 0;border-bottom:1px solid #8883}}
a{{overflow-wrap:anywhere}}time{{white-space:nowrap;opacity:.75}}
</style></head><body><h1>Pages of the twin</h1>{sections}</body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was drawn: its group in `TITLES`, its path for `find_page`, and when it was drawn."""

    group: str
    path: str
    drawn_at: datetime


def list_pages(settings: Settings) -> list[Page]:
    """List the pages that there are, by group, the newest first."""
    found = [
        Page(group, path, datetime.fromtimestamp(file.stat().st_mtime, UTC))
        for group in TITLES
        for file in _drawn(settings, group)
        if (path := page_path(settings, file))
    ]
    order = list(TITLES)
    return sorted(found, key=lambda p: (order.index(p.group), -p.drawn_at.timestamp(), p.path))


def page_path(settings: Settings, file: Path) -> str:
    """Return by which path `find_page` finds a file; empty where it is not to be shown, or not here."""
    for name, root in _roots(settings).items():
        if file.resolve().is_relative_to(root):
            return f"{name}/{file.resolve().relative_to(root)}".removesuffix("/.")
    return ""


def find_page(settings: Settings, path: str) -> Path:
    """Return the file behind a path; LookupError where there is none that may be shown."""
    name, _, rest = path.partition("/")
    root = _roots(settings).get(name)
    file = (root / rest).resolve() if root else Path()
    if not root or not file.is_relative_to(root) or file.suffix not in SUFFIXES:
        raise LookupError(f"No page of the twin has the path {path[:120]!r}.")
    if not file.is_file():
        raise LookupError(f"The page {path[:120]!r} was not drawn yet, or was erased.")
    return file


def draw_overview(settings: Settings, prefix: str) -> str:
    """Draw the list of all pages; their addresses begin with `prefix`."""
    sections, pages = [], list_pages(settings)
    for group, title in TITLES.items():
        rows = [_row(p, prefix) for p in pages if p.group == group]
        if rows:
            sections.append(f"<h2>{escape(title)}</h2><ul>{''.join(rows)}</ul>")
    nothing = "<p>Nothing was drawn yet: start the DAG <code>ingest_documents</code>.</p>"
    return PAGE.format(sections="".join(sections) or nothing)


def _row(page: Page, prefix: str) -> str:
    link = f'<a href="{prefix}{quote(page.path)}" target="_blank">{escape(page.path)}</a>'
    return f"<li>{link}<time>{page.drawn_at:%Y-%m-%d %H:%M} UTC</time></li>"


def _roots(settings: Settings) -> dict[str, Path]:
    """Name what may be shown: folders, and single files."""
    artifacts, data = artifacts_root(settings).resolve(), settings.data_dir.resolve()
    inside = {n: artifacts / n for n in ("verdicts", "worth", "judgements", "recipes", "corpus")}
    return inside | {
        "runs": artifacts / "runs.html",
        "duplicates": data / "duplicates.html",
        "data_docs": data_docs(settings).resolve(),
        "erasures": data / "erasures",
    }


def _drawn(settings: Settings, group: str) -> Iterator[Path]:
    """Yield the pages of a group that a person begins with."""
    root = _roots(settings)[group]
    if root.suffix == ".html":
        yield from [root] if root.is_file() else []
    else:
        yield from root.glob("overview.html" if group == "data_docs" else "*.html")
