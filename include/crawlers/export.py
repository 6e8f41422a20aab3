"""Open what a social network hands out: a file, the folder, .zip or .tar.gz that it is a part of, or an address.

How archives are read, in place and bounded, is told in archive.py; the form of each network's export
in its own file.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from include.apart import apart
from include.crawlers.archive import MAX_BYTES, ArchiveRefused, fits, read_parts
from include.crawlers.language import detect_language
from include.crawlers.outcome import now, post_title
from include.crawlers.pages import fetch_listing
from include.settings import Settings
from include.web import Web, decode
from include.wire import Refused
from ml.types import Document, Kind, Rejected, Source

Parts = list[tuple[str, bytes]]
Item = TypeVar("Item")


def read_export(source: Source, web: Web, *names: str) -> list[tuple[str, str]]:
    """Return file names and texts of an export: the file itself, or the parts of an archive that fit a name."""
    path = Path(source.where)
    if "://" in source.where:
        parts = _parts(source, fetch_listing(web, source.where, "export").body, names)
    elif path.is_dir():
        parts = _folder(source, path, names)
    else:
        parts = _parts(source, path, names)
    if not parts:
        raise ValueError(
            f"The archive {source.where} of source {source.id} holds no {' or '.join(names)}; "
            "give the export as it was downloaded, or the file itself."
        )
    return [(name, decode(part, "")) for name, part in parts]


def read_json(source: Source, name: str, text: str) -> Any:
    """Read a part of an export that is JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise malformed(source, name, f"line {error.lineno}", error.msg) from None
    except RecursionError:
        raise malformed(source, name, "line 1", "it is nested too deeply") from None


def read_items(
    source: Source, name: str, items: Iterable[Any], read: Callable[[Any], Item | None]
) -> Iterator[Item]:
    """Read each entry of a part, without those that `read` makes nothing of; one that it cannot read is an error."""
    for number, item in enumerate(items, 1):
        try:
            found = read(item)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise malformed(source, name, f"item {number}", repr(error)) from None
        if found is not None:
            yield found


def read_body(
    settings: Settings, source: Source, where: str, read: Callable[..., Item], *given: object
) -> Item | Rejected:
    """Let a body of HTML be read in a process that is ended where it takes too long: such a one is turned away."""
    try:
        return apart(settings.parse_seconds, where, read, *given)
    except Refused as refusal:
        return Rejected(where, "crawl", refusal.reason, source.id, str(refusal)[:200])


def make_post(
    source: Source,
    url: str,
    text: str,
    published_at: datetime | None,
    said: str = "en",
    *,
    kind: Kind = "post",
    title: str = "",
) -> Document:
    """Make a document of a post, or of an article with its title; `said` is the language that the network names."""
    return Document(
        url=url,
        kind=kind,
        author=source.author.id,
        title=title or post_title(text),
        text=text,
        language=detect_language(text, said),
        source=source.id,
        published_at=published_at,
        fetched_at=now(),
    )


def malformed(source: Source, file: str, where: str, what: str) -> ValueError:
    """Say what is wrong with an export, and where."""
    return ValueError(
        f"The export {file} of source {source.id} ({source.where}) is malformed at {where}: {what}. "
        "Nothing of it was taken; download the export again and give it as it is."
    )


def _folder(source: Source, folder: Path, names: tuple[str, ...]) -> Parts:
    """Read the parts of an export that somebody unpacked; links out of it are left out."""
    top = folder.resolve()
    inside = [f for f in sorted(folder.rglob("*")) if f.resolve().is_relative_to(top)]
    named = [(f.relative_to(folder).as_posix(), f) for f in inside if f.is_file()]
    return [(name, _read_file(f, source)) for name, f in named if fits(name, names)]


def _parts(source: Source, place: Path | bytes, names: tuple[str, ...]) -> Parts:
    name = Path(source.where).name
    if isinstance(place, Path) and not place.is_file():
        raise ConnectionError(
            f"Source {source.id} names {place}, which is no file; correct `where`."
        )
    try:
        found = read_parts(place, names)
    except ArchiveRefused as refusal:
        raise malformed(source, name, "the archive", str(refusal)) from None
    if found is None:
        body = place if isinstance(place, bytes) else _read_file(place, source)
        return [(name, body)]
    return found


def _read_file(path: Path, source: Source) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} of source {source.id} is larger than {MAX_BYTES} bytes.")
    return path.read_bytes()
