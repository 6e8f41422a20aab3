"""Why something was turned away while it was fetched: every short code, with the sentence that explains it.

The codes are kept with what was turned away (`Rejected.reason`) and carried by every refusal; an answer of a server
has its own code, `http-404` and the like. What validation refuses is named by its suite's rule, not here.
"""

from collections.abc import Mapping
from http import HTTPStatus

REASONS: Mapping[str, str] = {
    # Addresses.
    "bad-url": "That is no address of a page.",
    "scheme": "Only http and https are fetched.",
    "port": "Only the ports of web sites, 80 and 443, are fetched.",
    "private-address": "The address leads to a private network, not to the public internet.",
    "other-site": "The page is on somebody else's site.",
    # Manners.
    "robots": "The site's robots.txt does not allow it.",
    "robots-unavailable": "The site's robots.txt could not be had from a server in trouble, which forbids everything.",
    "busy": "The server asked to wait for longer than one page may take.",
    # The way there.
    "unreachable": "Nobody answers there.",
    "timeout": "The answer took too long.",
    "protocol": "The answer was no proper HTTP, or was cut off.",
    "redirects": "The page redirects too often, perhaps in a circle.",
    "downgrade": "A secure page redirects to one that is not.",
    "too-large": "It is larger than a text may be.",
    "encoding": "It is compressed in a way that cannot be undone.",
    # The page.
    "not-html": "What came is no page, by what the server calls it.",
    "binary": "What came calls itself a page, but is binary.",
    "unreadable": "The page's markup cannot be read within bounds.",
    "too-slow": "Reading the page took longer than any honest page needs.",
    "empty": "There are too few words for an article.",
    "listing": "The page lists others; it is no article itself.",
    "login-wall": "The text is behind a login or for subscribers.",
    "soft-404": "The page says that there is nothing, with the status of a page that is there.",
    "redirected-home": "The page is gone: its address leads to the front page.",
    "same-canonical": "Another page of this crawl, with another text, calls itself by the same address.",
    # The text.
    "other-author": "Somebody else is named as the author.",
    "front-matter": "The file's front matter is malformed.",
    "cut-short": "The export holds only the beginning of the post.",
}


def explain(reason: str) -> str:
    """Say what a code means; raises LookupError for one that nobody wrote down."""
    status = reason.removeprefix("http-")
    if status != reason and status.isdecimal():
        known = {s.value: s.phrase for s in HTTPStatus}
        return (
            f"The server answered {status} ({known.get(int(status), 'nobody knows what that is')})."
        )
    if reason not in REASONS:
        raise LookupError(f"{reason!r} is no reason for a refusal; add it to include/reasons.py.")
    return REASONS[reason]
