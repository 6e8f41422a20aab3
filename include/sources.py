"""Whose texts are crawled, where, and with whose consent: the sources file, and one door to all kinds of places.

How a kind of place is read is told in `include/crawlers/`, one file per kind; a new kind is a line
of `KINDS`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include.crawlers import (
    blog,
    facebook,
    feed,
    folder,
    git,
    instagram,
    jsonl,
    linkedin,
    mastodon,
    medium,
    page,
    sitemap,
    substack,
    x,
)
from include.crawlers.outcome import Crawl as Crawl
from include.documents import Documents
from include.schedules import read_schedule
from include.settings import ROOT, Settings
from include.web import Web, open_web
from ml.types import Author, Source

KINDS: Mapping[str, Callable[[Settings, Source, Web, Documents], Crawl]] = {
    "feed": feed.crawl,
    "sitemap": sitemap.crawl,
    "page": page.crawl,
    "blog": blog.crawl,
    "folder": folder.crawl,
    "git": git.crawl,
    "linkedin": linkedin.crawl,
    "x": x.crawl,
    "mastodon": mastodon.crawl,
    "medium": medium.crawl,
    "substack": substack.crawl,
    "facebook": facebook.crawl,
    "instagram": instagram.crawl,
    "jsonl": jsonl.crawl,
}
TRUST = ("own", "shared")
_SOURCE_KEYS = {"id", "author", "kind", "where", "schedule", "consent", "trust", "options"}
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


def load_sources(settings: Settings) -> list[Source]:
    """Read the sources file; the first thing that is wrong with it is a sentence."""
    sources = []
    for _, source in read_entries(settings):
        if isinstance(source, ValueError):
            raise source
        sources.append(source)
    ids = [source.id for source in sources]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise _wrong(settings, f"the source id {twice[0]!r} is used twice")
    return sources


def read_entries(settings: Settings) -> list[tuple[str, Source | ValueError]]:
    """Read every entry of the sources file by its name: a source, or what is wrong with it."""
    known = _read(settings.sources_file)
    authors = {
        a.id: a
        for a in (_author(settings, entry) for entry in _entries(settings, known, "authors"))
    }
    found: list[tuple[str, Source | ValueError]] = []
    for number, entry in enumerate(_entries(settings, known, "sources"), 1):
        name = str(entry.get("id") or f"entry {number}")
        try:
            found.append((name, _source(settings, entry, authors)))
        except ValueError as error:
            found.append((name, error))
    return found


def find_source(settings: Settings, source_id: str) -> Source:
    """Find a source by its id."""
    sources = {source.id: source for source in load_sources(settings)}
    if source_id not in sources:
        raise ValueError(
            f"There is no source {source_id!r} in {settings.sources_file}; it has {', '.join(sources) or 'none'}."
        )
    return sources[source_id]


def author_name(settings: Settings) -> str:
    """Return the full name of the twin's author."""
    names = {s.author.id: s.author.name for s in load_sources(settings)}
    if settings.author not in names:
        raise ValueError(
            f"TWIN_AUTHOR is {settings.author!r}, but {settings.sources_file} knows {sorted(names)}."
        )
    return names[settings.author]


def crawl(settings: Settings, source: Source, documents: Documents) -> Crawl:
    """Fetch what is new or changed at a source. Nothing is fetched without consent."""
    if not source.consent.strip():
        raise PermissionError(
            f"No consent is recorded for source {source.id} ({source.where}), so it is not crawled. Write under "
            f"`consent` in {settings.sources_file} who allowed it, and when."
        )
    if source.kind not in KINDS:
        raise ValueError(
            f"Source {source.id} is of the unknown kind {source.kind!r}; use one of: {', '.join(KINDS)}."
        )
    with open_web(settings, documents) as web:
        found = KINDS[source.kind](settings, source, web, documents)
    # What was turned away before and is fine now must not be counted any more.
    documents.clear_rejected("crawl", source.id)
    return found


def _read(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"There is no sources file {file}; write one like include/sources.yaml, or set TWIN_SOURCES_FILE."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"The sources file {file} is no YAML: {error}") from None


def _entries(settings: Settings, known: Any, name: str) -> list[dict[str, Any]]:
    entries = known.get(name) if isinstance(known, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong(settings, f"it has no list `{name}` of entries with `id` and more")
    return entries


def _author(settings: Settings, entry: dict[str, Any]) -> Author:
    _check(settings, entry, {"id", "name"}, {"id", "name", "emails"})
    emails = entry.get("emails") or []
    if not isinstance(emails, list):
        raise _wrong(settings, f"`emails` of author {entry['id']!r} is no list")
    return Author(str(entry["id"]), str(entry["name"]), tuple(map(str, emails)))


def _source(settings: Settings, entry: dict[str, Any], authors: Mapping[str, Author]) -> Source:
    _check(settings, entry, {"id", "author", "kind", "where"}, _SOURCE_KEYS)
    if entry["author"] not in authors:
        known = ", ".join(authors) or "none"
        raise _wrong(
            settings,
            f"source {entry['id']!r} is by the unknown author {entry['author']!r} (known: {known})",
        )
    options = entry.get("options") or {}
    if not isinstance(options, dict):
        said = f"`options` of source {entry['id']!r} are no pairs of name and value"
        raise _wrong(settings, said)
    schedule, trust = str(entry.get("schedule") or ""), str(entry.get("trust") or TRUST[0])
    try:
        read_schedule(schedule)
    except ValueError as error:
        raise _wrong(settings, f"of source {entry['id']!r}, {error}") from None
    if trust not in TRUST:
        said = f"`trust` of source {entry['id']!r} is {trust!r}; it is one of {', '.join(TRUST)}"
        raise _wrong(settings, said)
    return Source(
        id=str(entry["id"]),
        author=authors[entry["author"]],
        kind=str(entry["kind"]),
        where=_place(settings, str(entry["where"])),
        consent=str(entry.get("consent") or ""),
        options={str(k): _plain(v) for k, v in options.items()},
        schedule=schedule,
        trust=trust,
    )


def _check(settings: Settings, entry: dict[str, Any], needed: set[str], known: set[str]) -> None:
    name = entry.get("id", entry)
    if missing := sorted(key for key in needed if not entry.get(key)):
        raise _wrong(settings, f"{name!r} has no `{missing[0]}`")
    if unknown := sorted(map(str, entry.keys() - known)):
        raise _wrong(
            settings,
            f"{name!r} has the unknown key `{unknown[0]}`; known are {', '.join(sorted(known))}",
        )
    if not _ID.fullmatch(str(entry["id"])):
        raise _wrong(settings, f"the id {name!r} is not made of small letters, digits and hyphens")


def _place(settings: Settings, where: str) -> str:
    """Write out the variables of a place, and find a relative path beside the sources file."""
    values = {
        "DEMO_URL": f"http://127.0.0.1:{settings.port('demo')}",
        "ROOT": str(ROOT),
        "DATA_DIR": str(settings.data_dir),
    }
    for name in re.findall(r"\$\{(\w*)\}", where):
        if name not in values:
            raise _wrong(
                settings, f"${{{name}}} in {where!r} is not known; use one of {', '.join(values)}"
            )
        where = where.replace(f"${{{name}}}", values[name])
    if "://" in where:
        return where
    return str(settings.sources_file.parent / Path(where).expanduser())


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wrong(settings: Settings, what: str) -> ValueError:
    return ValueError(f"The sources file {settings.sources_file} is wrong: {what}.")
