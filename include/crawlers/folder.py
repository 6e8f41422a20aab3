"""A folder of Markdown files, with front matter or without. Drafts, hidden files and links out of it are left out.

Option: `web_url`, under which the files are published; without it, their address is the file's own.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from include.crawlers.language import detect_language
from include.crawlers.outcome import Crawl, is_author, now, read_time, settle
from include.documents import Documents
from include.settings import Settings
from include.web import Web, decode
from ml.types import Document, Rejected, Source

SUFFIXES = (".md", ".markdown")
MAX_BYTES = 2_000_000


def crawl(settings: Settings, source: Source, web: Web, documents: Documents) -> Crawl:
    """Read all files of a folder and of those in it."""
    folder = Path(source.where)
    if not folder.is_dir():
        raise ConnectionError(
            f"Source {source.id} names {folder}, which is no folder; correct `where`."
        )
    return settle(documents, source, (_read(source, folder, file) for file in _files(folder)))


def _files(folder: Path) -> Iterator[Path]:
    top = folder.resolve()
    for file in sorted(folder.rglob("*")):
        shown = not any(part.startswith(".") for part in file.relative_to(folder).parts)
        inside = file.resolve().is_relative_to(top)
        if shown and inside and file.is_file() and file.suffix.lower() in SUFFIXES:
            yield file


def _read(source: Source, folder: Path, file: Path) -> Document | Rejected | None:
    """Read one file; None for a draft."""
    import frontmatter
    from yaml import YAMLError

    url = _url(source, folder, file, "")
    if file.stat().st_size > MAX_BYTES:
        return Rejected(url, "crawl", "too-large", source.id, str(file.stat().st_size))
    try:
        post = frontmatter.loads(decode(file.read_bytes(), ""))
    except (YAMLError, ValueError, RecursionError) as error:
        return Rejected(url, "crawl", "front-matter", source.id, str(error)[:200])
    said: dict[str, Any] = post.metadata
    if said.get("draft"):
        return None
    url = str(said.get("url") or _url(source, folder, file, str(said.get("slug") or "")))
    if said.get("author") and not is_author(source, str(said["author"])):
        return Rejected(url, "crawl", "other-author", source.id, str(said["author"]))
    return _document(source, url, file, said, post.content)


def _document(source: Source, url: str, file: Path, said: dict[str, Any], text: str) -> Document:
    heading = text.split("\n", 1)[0]
    title = str(said.get("title") or "")
    if heading.startswith("# ") and title in ("", heading[2:].strip()):
        title, text = heading[2:].strip(), text[len(heading) :].lstrip("\n")
    return Document(
        url=url,
        kind="article",
        author=source.author.id,
        title=title or file.stem.replace("-", " "),
        text=text,
        language=detect_language(text, str(said.get("language") or said.get("lang") or "en")),
        source=source.id,
        published_at=_time(said.get("date") or said.get("published_at")),
        fetched_at=now(),
    )


def _url(source: Source, folder: Path, file: Path, slug: str) -> str:
    """Name a file by where it is published; a slug stands for the last part of its path."""
    web_url = source.options.get("web_url", "").rstrip("/")
    if not web_url:
        return file.resolve().as_uri()
    place = file.relative_to(folder).with_suffix("").as_posix()
    parent, _, name = place.rpartition("/")
    return "/".join(part for part in (web_url, parent, slug.strip("/") or name) if part) + "/"


def _time(said: object) -> datetime | None:
    """Read a date of the front matter, which YAML may have understood already."""
    if isinstance(said, datetime):
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(said, date):
        return datetime(said.year, said.month, said.day, tzinfo=UTC)
    return read_time(said) if isinstance(said, str) else None
