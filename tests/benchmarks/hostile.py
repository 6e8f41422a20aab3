"""The worst that a page, feed, sitemap or export within the limits can do to its parser: seconds of CPU, and memory.

`python tests/benchmarks/hostile.py`: each case is as large as `crawl_max_bytes` lets it be, and is parsed in a process
of its own; a case that takes more than a minute is ended. What a parser refuses is an answer too.
"""

import io
import json
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

import feedparser
from rich.console import Console
from rich.table import Table

from include.crawlers import feed, sitemap
from include.crawlers.article import MAX_TAGS, read_article
from include.settings import Settings
from include.web import Page

BYTES = Settings().crawl_max_bytes
WORDS = "the rope of the harbour carries every lantern to the pier and back again "
SECONDS = 60


def filled(part: str, tags: int = 0, size: int = BYTES) -> str:
    """Repeat a part until a page is full, by bytes or by tags."""
    count = size // len(part)
    return part * (min(count, (2 * MAX_TAGS - 40) // tags) if tags else count)


def page(body: str) -> str:
    """Write a page around a body."""
    return f"<html><head><title>t</title></head><body><article>{body}</article></body></html>"


PAGES: dict[str, str] = {
    "one paragraph": page(f"<p>{filled(WORDS)}</p>"),
    "one word": page(f"<p>{filled('a')}</p>"),
    "many paragraphs": page(filled(f"<p>{WORDS}</p>", 2)),
    "empty tags": page(filled("<b>x</b>", 2)),
    "unclosed tags": page(filled("<p><b>x", 2)),
    "table cells": page("<table>" + filled("<tr><td>x</td>", 3) + "</table>"),
    "nested to the limit": page(("<div>" * 150 + "<p>x</p>" + "</div>" * 150) * 190),
    "list in list": page(("<ul><li>" * 40 + WORDS + "</li></ul>" * 40) * 370),
    "links": page(filled(f"<a href='/{WORDS}'>x</a>", 2)),
    "headings": page(filled("<h2>the same</h2>", 2)),
    "attributes": page(filled(f"<p {'a=1 ' * 150}>x</p>", 2)),
    "one attribute": page(f"<p title='{filled('a ')}'>x</p>"),
    "classes": page(f"<p class='{filled('comment-a ')}'>x</p>"),
    "comments": page(filled("<!-- x -->")),
    "entities": page(f"<p>{filled('&amp;')}</p>"),
    "code": page(f"<pre><code>{filled('x = 1' + chr(10))}</code></pre>"),
    "code spans": page(filled("<code>`x`</code> ", 2)),
    "marks": page(f"<p>{filled('*_`[(')}</p>"),
    "blanks": page(f"<p>{filled(' ')}</p>"),
    "line breaks": page(filled("x<br>", 1)),
    "linked data": f"<html><head><script type='application/ld+json'>{'[' * 50_000}</script></head></html>",
    "many linked data": page(
        filled('<script type="application/ld+json">{"@type":"Article"}</script>', 2)
    ),
    "meta tags": page(filled("<meta property='a' content='b'>", 1)),
    "times": page(filled("<time datetime='x'>x</time>", 2)),
    "repeated sentence": page(f"<p>{filled(WORDS.strip() + '. ')}</p>"),
}
FEEDS: dict[str, str] = {
    "entries": f"<rss version='2.0'><channel>{filled('<item><link>/a</link><title>x</title></item>')}</channel></rss>",
    "markup in entries": "<rss version='2.0'><channel>"
    + filled(
        f"<item><link>/a</link><description>{'&lt;b&gt;x&lt;/b&gt;' * 200}</description></item>"
    )
    + "</channel></rss>",
    "one text": f"<rss version='2.0'><channel><title>{filled('&lt;i&gt;')}</title></channel></rss>",
    "nested": f"<rss version='2.0'>{filled('<a>')}",
    "dates": "<rss version='2.0'><channel>"
    + filled("<item><link>/a</link><pubDate>Mon, 32 Foo 2026 99:99:99 +9999</pubDate></item>")
    + "</channel></rss>",
    "broken markup": f"<rss version='2.0'><channel>{filled('<item <<&&')}",
    "JSON": '{"version":"https://jsonfeed.org/version/1.1","items":['
    + filled('{"url":"/a"},')
    + '{"url":"/b"}]}',
}
SITEMAPS: dict[str, str] = {
    "addresses": f"<urlset>{filled('<url><loc>/a</loc></url>')}</urlset>",
    "nested": filled("<a>"),
    "attributes": f"<urlset {' '.join(f'a{n}=' + chr(39) + chr(39) for n in range(400_000))}/>",
}


def read_feed(text: str) -> object:
    """Read a feed as the crawler does."""
    return feed.read_feed(_page(text))


def read_sitemap(text: str) -> object:
    """Read a sitemap as the crawler does."""
    return sitemap.read_sitemap(_page(text))


def read_page(text: str) -> object:
    """Read a page as the crawler does."""
    return read_article(text, "https://page.example/a/").text


KINDS: dict[str, tuple[Callable[[str], object], dict[str, str]]] = {
    "page": (read_page, PAGES),
    "feed": (read_feed, FEEDS),
    "sitemap": (read_sitemap, SITEMAPS),
}


def main() -> None:
    """Print each case as it ends, then a table, the slowest first."""
    # Warm what every process would load.
    read_page(page(f"<p>{WORDS * 20}</p>"))
    feedparser.parse(io.BytesIO(b"<rss version='2.0'/>"))
    rows = []
    for kind, (read, cases) in KINDS.items():
        for name, text in cases.items():
            seconds, memory, said = measured_apart(read, text)
            rows.append((seconds, kind, name, len(text), memory, said))
            Console(stderr=True).print(kind, name, f"{seconds:.2f} s", said[:60])
    table = Table("kind", "case", "MB", "CPU s", "more memory, MB", "outcome", title="Worst cases")
    for seconds, kind, name, size, memory, said in sorted(rows, reverse=True):
        table.add_row(kind, name, f"{size / 1e6:.1f}", f"{seconds:.2f}", f"{memory:.0f}", said[:60])
    Console().print(table)


def measured_apart(read: Callable[[str], object], text: str) -> tuple[float, float, str]:
    """Parse one case in a process of its own, which the system ends after a minute of CPU."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(read, text, there))
    process.start()
    there.close()
    try:
        told: tuple[float, float, str] = here.recv()
    except EOFError:
        told = (SECONDS, 0.0, "ended")
    process.join()
    return told


def measure(read: Callable[[str], object], text: str, told: Connection) -> None:
    """Parse one case within a minute of CPU; sends seconds, more memory, and what came of it."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        found = read(text)
        said = f"read, {len(json.dumps(str(found)))} characters"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    told.send((seconds, more, said))


def _page(text: str) -> Page:
    url = "https://page.example/a/"
    return Page(url, url, 200, {"content-type": "text/xml"}, text.encode())


if __name__ == "__main__":
    main()
