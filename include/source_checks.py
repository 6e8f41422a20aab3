"""What is wrong with a source, in sentences, without asking it: its place, its options, its author, its consent."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from include.crawlers import git
from include.crawlers.pages import number_option, page_pattern
from include.settings import Settings
from include.sources import KINDS, read_entries
from include.wire import parse_url
from ml.types import Source

_PAGES = {"limit", "sites", "any_author"}
# Which options a kind has; those of a kind that is not here are none.
OPTIONS: Mapping[str, set[str]] = {
    "feed": _PAGES,
    "page": _PAGES,
    "sitemap": {*_PAGES, "match"},
    "blog": {*_PAGES, "match", "depth"},
    "folder": {"web_url"},
    "git": {"web_url", "names"},
    "x": {"handle"},
    "substack": {"web_url", "paid"},
}
_ON_THE_WEB = frozenset({"feed", "sitemap", "page", "blog"})
FINE = "Nothing is wrong with it."


def judge_sources(settings: Settings) -> dict[str, str]:
    """Say of each source of the file what is wrong with it; a file that cannot be read at all is an error."""
    said: dict[str, str] = {}
    for number, (name, source) in enumerate(read_entries(settings), 1):
        key = name if name not in said else f"{name} (entry {number})"
        if isinstance(source, ValueError):
            said[key] = str(source)
        else:
            twice = [f"Its id is used twice: {name!r}."] if key != name else []
            said[key] = " ".join([*twice, *_wrong(source)]) or FINE
    return said


def _wrong(source: Source) -> Iterator[str]:
    if not source.consent.strip():
        yield "No consent is recorded, so it is never crawled: write under `consent` who allowed it, and when."
    if source.kind not in KINDS:
        yield f"Its kind {source.kind!r} is unknown; use one of: {', '.join(KINDS)}."
        return
    yield from _place(source)
    known = OPTIONS.get(source.kind, set())
    if unknown := sorted(source.options.keys() - known):
        listed = ", ".join(sorted(known)) or "none"
        yield f"Kind {source.kind} has no option `{unknown[0]}`; it has {listed}."
    yield from _refused(lambda: number_option(source, "limit", 0))
    yield from _refused(lambda: number_option(source, "depth", 0))
    yield from _refused(lambda: page_pattern(source))
    if source.kind == "git" and not any(git.identity(source)):
        yield f"Author {source.author.id} has no `emails`, by which git names authors."
    if source.kind == "substack" and "://" not in source.options.get("web_url", ""):
        yield "It needs the option `web_url`, the address of the publication."


def _place(source: Source) -> Iterator[str]:
    """Say what is wrong with where it is; whether somebody answers there is not asked."""
    if "://" in source.where:
        for url in source.where.split() if source.kind == "page" else [source.where]:
            yield from _refused(lambda url=url: parse_url(url))  # type: ignore[misc]
        if source.kind == "folder":
            yield "A folder is on this machine, not at an address; use kind git, feed, sitemap or page."
    elif source.kind in _ON_THE_WEB:
        yield f"Kind {source.kind} is read from the web, but {source.where} is no address."
    elif not Path(source.where).exists():
        yield f"There is nothing at {source.where}; correct `where`."


def _refused(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except (ValueError, ConnectionError) as error:
        yield str(error)
