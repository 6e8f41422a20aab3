"""Fetch pages politely: robots.txt, one request to a host at a time, conditional requests, bounded redirects and waits.

Whether an address may be reached at all is decided for every hop in wire.py; what a page says, in
the crawlers.
"""

import codecs
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from include.apart import apart
from include.documents import Documents
from include.settings import Settings
from include.turns import host_turn
from include.wire import Limits, Refused, Reply, parse_url, request

if TYPE_CHECKING:
    from protego import Protego

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_REDIRECTS, MAX_TRIES = 5, 3
MAX_CRAWL_DELAY = 30.0
# Seconds before a second try, doubled each time.
BACKOFF = 0.25
# After so many lost connections in a row a host is left alone for the rest of the crawl.
GIVE_UP_AFTER = 4
# RFC 9309 asks for at least this much of a robots.txt to be read.
ROBOTS_BYTES = 512_000
_PASSING = frozenset({429, 502, 503, 504})
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came: `url` is where it was in the end; `unchanged` pages have no body."""

    asked: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    unchanged: bool = False

    @property
    def text(self) -> str:
        """Decode the body."""
        return decode(self.body, self.headers.get("content-type", ""))

    @property
    def state(self) -> dict[str, str]:
        """Return what to remember for a conditional request."""
        known = {"etag": "etag", "last_modified": "last-modified"}
        return {k: self.headers[v] for k, v in known.items() if v in self.headers}


def open_web(settings: Settings, documents: Documents | None) -> "Web":
    """Start a crawl; `documents` remember ETags between crawls."""
    return Web(settings, documents)


class Web:
    """One crawl's view of the web: what robots.txt said, and which hosts are lost."""

    def __init__(self, settings: Settings, documents: Documents | None) -> None:
        self._settings = settings
        self._documents = documents
        self._robots: dict[str, Protego | None | Refused] = {}
        self._lost: dict[str, int] = {}

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *raised: object) -> None:
        self._robots.clear()

    def get(self, url: str, conditional: bool = True) -> Page:
        """Fetch a page, or raise `Refused` with the reason; 404 and the like are refusals too."""
        headers = self._conditions(url) if conditional else {}
        deadline = time.monotonic() + self._settings.crawl_timeout
        current = str(parse_url(url))
        for _ in range(MAX_REDIRECTS + 1):
            asked = time.monotonic()
            pause = self._check_robots(current)
            deadline += time.monotonic() - asked
            reply = self._send_in_turn(current, headers, deadline, pause)
            if reply.status not in (301, 302, 303, 307, 308):
                return _page(url, current, reply, asked_for=bool(headers))
            current = _follow(current, reply)
        raise Refused("redirects", url, f"{url} redirects more than {MAX_REDIRECTS} times.")

    def read(self, work: Callable[..., Result], page: Page, *more: object) -> Result:
        """Let something be read out of a page, in a process that is ended where it takes too long."""
        return apart(self._settings.parse_seconds, page.url, work, page, *more)

    def _conditions(self, url: str) -> dict[str, str]:
        """Build the headers that let a server answer "not modified"."""
        state = self._documents.page_state(url) if self._documents else {}
        named = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}
        return {header: state[key] for header, key in named.items() if state.get(key)}

    def _send_in_turn(
        self, url: str, headers: Mapping[str, str], deadline: float, pause: float
    ) -> Reply:
        """Ask when it is the turn of this crawl at the host; to wait for that is no fault of the page."""
        self._check_lost(url)
        with host_turn(self._settings.data_dir / "crawl", _origin(url), pause) as waited:
            most = self._settings.crawl_max_bytes
            return self._send(url, headers, self._limits(deadline + waited, most))

    def _limits(self, deadline: float, max_bytes: int, *, cut: bool = False) -> Limits:
        known = self._settings
        return Limits(known.allowed_hosts(), deadline, max_bytes, cut, known.crawl_ca_file)

    def _check_robots(self, url: str) -> float:
        """Refuse what robots.txt forbids; returns the seconds to leave between two requests to the host."""
        origin = _origin(url)
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin)
        rules = self._robots[origin]
        if isinstance(rules, Refused):
            raise Refused(rules.reason, url, str(rules), rules.status)
        delay = self._settings.crawl_delay
        if rules is not None:
            agent = self._settings.crawl_user_agent.split("/")[0]
            if not rules.can_fetch(url, agent):
                raise Refused("robots", url, f"{origin}/robots.txt does not allow {url}.")
            delay = max(delay, min(rules.crawl_delay(agent) or 0.0, MAX_CRAWL_DELAY))
        return delay

    def _read_robots(self, origin: str) -> "Protego | None | Refused":
        """Read the rules of a host: None allows all; a server in trouble forbids all (RFC 9309)."""
        from protego import Protego

        url = f"{origin}/robots.txt"
        deadline = time.monotonic() + self._settings.crawl_timeout
        turns, pause = self._settings.data_dir / "crawl", self._settings.crawl_delay
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with host_turn(turns, _origin(url), pause) as waited:
                    deadline += waited
                    reply = self._send(url, {}, self._limits(deadline, ROBOTS_BYTES, cut=True))
                if reply.status not in (301, 302, 303, 307, 308):
                    break
                url = _follow(url, reply)
        except Refused as refusal:
            return refusal
        if reply.status >= 500 or reply.status == 429:
            said = f"{url} answered {reply.status}, which forbids everything; try again later."
            return Refused("robots-unavailable", url, said, reply.status)
        return Protego.parse(decode(reply.body, "")) if reply.status == 200 else None

    def _send(
        self, url: str, headers: Mapping[str, str], limits: Limits, tries: int = MAX_TRIES
    ) -> Reply:
        """Ask until there is an answer that is not passing trouble, a few times at most."""
        self._check_lost(url)
        pause = max(BACKOFF * 2 ** (MAX_TRIES - tries), self._settings.crawl_delay)
        named = {"User-Agent": self._settings.crawl_user_agent, "Accept": "*/*", **headers}
        try:
            reply = request(url, named, limits)
        except Refused as refusal:
            if refusal.reason != "unreachable" or tries == 1:
                self._count_lost(url, refusal)
                raise
        else:
            self._lost.pop(_origin(url), None)
            if reply.status not in _PASSING or tries == 1:
                return reply
            pause = _retry_after(reply, pause)
        if time.monotonic() + pause > limits.deadline:
            said = f"{url} is busy, and {pause:.0f} s are too long to wait; try again later."
            raise Refused("busy", url, said)
        time.sleep(pause)
        return self._send(url, headers, limits, tries - 1)

    def _check_lost(self, url: str) -> None:
        if self._lost.get(_origin(url), 0) >= GIVE_UP_AFTER:
            said = f"{url} was not asked: its host failed {GIVE_UP_AFTER} times in a row."
            raise Refused("unreachable", url, said)

    def _count_lost(self, url: str, refusal: Refused) -> None:
        if refusal.reason in ("unreachable", "timeout"):
            self._lost[_origin(url)] = self._lost.get(_origin(url), 0) + 1


def decode(body: bytes, content_type: str) -> str:
    """Turn bytes into text: byte order mark, then UTF-8 where it fits, then what is declared, then Windows' Latin."""
    for mark, name in _MARKS.items():
        if body.startswith(mark):
            return body.decode(name, "replace")
    declared = _CHARSET.findall(content_type.encode() + b"\n" + body[:2048])
    for name in ("utf-8", *(d.decode("ascii") for d in declared)):
        try:
            return body.decode(_safe_codec(name)).replace("\x00", "")
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("cp1252", "replace").replace("\x00", "")


def _safe_codec(name: str) -> str:
    """Return a text codec's name; UTF-7 hides markup, and codecs such as `hex` or `zlib` are not texts."""
    known = codecs.lookup(name)
    if known.name == "utf-7" or not getattr(known, "_is_text_encoding", True):
        raise LookupError(f"{name} is no encoding of pages")
    return known.name


def _page(asked: str, url: str, reply: Reply, *, asked_for: bool) -> Page:
    if reply.status == 304 and asked_for:
        return Page(asked, url, 304, reply.headers, b"", unchanged=True)
    if not 200 <= reply.status < 300:
        raise Refused(
            f"http-{reply.status}", asked, f"{url} answered {reply.status}.", reply.status
        )
    return Page(asked, url, reply.status, reply.headers, reply.body)


def _follow(url: str, reply: Reply) -> str:
    """Return where a redirect leads; a secure page does not lead to an open one."""
    following = urljoin(url, reply.headers.get("location", ""))
    target = parse_url(following)
    if url.startswith("https:") and target.scheme == "http":
        raise Refused("downgrade", url, f"{url} redirects from https to http ({following}).")
    return str(target)


def _origin(url: str) -> str:
    target = parse_url(url)
    return f"{target.scheme}://{target.netloc.decode()}"


def _retry_after(reply: Reply, otherwise: float) -> float:
    """Read Retry-After, which is seconds or a date."""
    said = reply.headers.get("retry-after", "").strip()
    if said.isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return otherwise
