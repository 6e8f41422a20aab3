"""LinkedIn's export: Shares.csv, or the archive that holds it. Shares without words of one's own are left out."""

import csv
import io
import re
from datetime import UTC, datetime

from include.crawlers.export import make_post, malformed, read_export
from include.crawlers.outcome import Crawl, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web
from ml.types import Document, Source

_COLUMNS = {"Date", "ShareLink", "ShareCommentary"}


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all posts of an export."""
    files = read_export(source, web, "Shares*.csv")
    return settle(
        documents, source, [d for name, text in files for d in _posts(source, name, text)]
    )


def mend_commentary(text: str) -> str:
    """Undo what the export does to a text: each line wrapped in quotes, and inner quotes doubled once too often."""
    text = text.replace("\r\n", "\n")
    wrapped = text.replace('"\n"', "\n")
    if wrapped.count("\n") != text.count('"\n"') or any(
        len(quotes) % 2 for quotes in re.findall('"+', wrapped)
    ):
        return text.strip()
    return wrapped.replace('""', '"').strip()


def _posts(source: Source, name: str, text: str) -> list[Document]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if missing := _COLUMNS - set(rows.fieldnames or ()):
        raise malformed(source, name, "line 1", f"no column {', '.join(sorted(missing))}")
    posts = []
    try:
        for row in rows:
            commentary = mend_commentary(row["ShareCommentary"] or "")
            if commentary:
                moment = _time(source, name, rows.line_num, row["Date"])
                posts.append(make_post(source, row["ShareLink"], commentary, moment))
    except csv.Error as error:
        raise malformed(source, name, f"line {rows.line_num}", str(error)) from None
    return posts


def _time(source: Source, name: str, line: int, said: str | None) -> datetime:
    try:
        return datetime.strptime((said or "").strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise malformed(source, name, f"line {line}", f"{said!r} is no date") from None
