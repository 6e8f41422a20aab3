"""Serve the two invented authors' site on loopback: pages with real boilerplate, feeds, a sitemap, robots.txt.

Lap 2 gains one article, changes one and deletes one; the lap is read from a file at every request.
Planted on purpose: a page that robots.txt forbids, a broken one, an empty one, one in German, an
exact duplicate, a cross-post, a near duplicate, readers' comments. Not here: the exports and the
git history, which are files.
"""

import hashlib
import html
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import frontmatter
import markdown

from include.settings import Settings, load_settings

DEMO = Path(__file__).parent
SECOND_LAP = DEMO / "lap2" / "maren-oduya"
AUTHORS = {"maren": "maren-oduya", "tobias": "tobias-reck"}
NAMES = {"maren": "Maren Oduya", "tobias": "Tobias Reck"}
COMMENTED = "sizing-the-connection-pool"
REPRINTED = "why-does-fsync-lie"

ROBOTS = "User-agent: *\nDisallow: /maren/drafts/\nCrawl-delay: 0\n"
COMMENTS = """\
<section class="comments" id="comments"><h2>3 comments</h2>
<article class="comment"><p class="author">gullwing77</p>
<p>lol we just set it to 500 and bought more RAM, works fine!!!</p></article>
<article class="comment"><p class="author">Petra K.</p>
<p>Great read! Did you try a proxy in front? We swear by ours and never looked back.</p></article>
<article class="comment"><p class="author">anonymous</p>
<p>First!! Also, cheap watches at my profile.</p></article></section>"""
PAGE = """\
<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title} | {name}</title>
<meta property="og:title" content="{title}"><meta name="author" content="{name}">
<meta property="article:published_time" content="{date}"><link rel="canonical" href="{url}">
<link rel="alternate" type="application/atom+xml" href="/{who}/feed.xml"></head><body>
<header><nav><ul><li><a href="/{who}/">Home</a></li><li><a href="/">Both authors</a></li>
<li><a href="/{who}/feed.xml">Feed</a></li></ul></nav></header>
<div class="cookie-banner" role="dialog">
This site uses one cookie to remember that you dislike cookies. <button>Accept</button></div>
<main><article><h1>{title}</h1><p class="byline">By {name} on <time datetime="{date}">{date}</time></p>
<div class="post-body">{body}</div></article>
<aside class="newsletter"><h3>Get new posts by e-mail</h3><p>Join 1,204 readers; one message a month, no tracking.</p>
<form><input type="email" placeholder="you@example.com"><button>Subscribe</button></form></aside>
{comments}<aside class="related"><h3>You may also like</h3><ul>{related}</ul></aside></main>
<footer>
<p>© {name}. Words may be quoted with a link. Built by hand, served by a small machine.</p></footer></body></html>"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site: `path` is where it lives, `body` is Markdown."""

    path: str
    who: str
    title: str
    date: str
    body: str
    language: str = "en"


def load_pages(lap: int) -> dict[str, Page]:
    """Read all articles as they stand in a lap, by path."""
    pages: dict[str, Page] = {}
    for who, folder in AUTHORS.items():
        for file in sorted((DEMO / "articles" / folder).glob("*.md")):
            pages |= _page(who, file)
    reprint = pages[f"/maren/{REPRINTED}/"]
    path = f"/maren/reprints/{REPRINTED}/"
    pages[path] = Page(path, "maren", reprint.title, reprint.date, reprint.body)
    if lap >= 2:
        for file in sorted(SECOND_LAP.glob("*.md")):
            pages |= _page("maren", file)
        del pages[f"/maren/{_deleted()}/"]
    return pages


def deleted_article() -> Page:
    """Return the article that the second lap deletes."""
    return load_pages(1)[f"/maren/{_deleted()}/"]


def _deleted() -> str:
    return (SECOND_LAP / "deleted.txt").read_text().strip()


def render(page: Page, pages: dict[str, Page], base: str) -> str:
    """Render a page with everything that a real blog puts around an article."""
    related = [p for p in pages.values() if p.who == page.who and p.path != page.path][:3]
    links = "".join(f'<li><a href="{p.path}">{html.escape(p.title)}</a></li>' for p in related)
    return PAGE.format(
        language=page.language,
        title=html.escape(page.title, quote=True),
        name=NAMES[page.who],
        who=page.who,
        date=page.date,
        url=base + page.path,
        body=markdown.markdown(page.body, extensions=["fenced_code", "tables", "sane_lists"]),
        comments=COMMENTS if page.path.endswith(f"/{COMMENTED}/") else "",
        related=links,
    )


def contents(who: str, pages: dict[str, Page]) -> str:
    """List an author's articles, newest first; all authors' where `who` is empty."""
    listed = [p for p in pages.values() if who in ("", p.who)]
    newest = sorted(listed, key=lambda p: (p.date, p.path), reverse=True)
    items = "".join(
        f'<li>{p.date} <a href="{p.path}">{html.escape(p.title)}</a>, {NAMES[p.who]}</li>'
        for p in newest
    )
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Articles</title><ul>{items}</ul></html>'


def feed(who: str, pages: dict[str, Page], base: str) -> str:
    """Write the author's Atom feed; it also lists what a crawler will not get."""
    listed = [(p.path, p.title, p.date) for p in pages.values() if p.who == who]
    traps = [("drafts/not-yet", "Not yet"), ("broken", "A broken page"), ("empty", "An empty page")]
    listed += [(f"/{who}/{path}/", title, "2026-01-01") for path, title in traps if who == "maren"]
    entries = "".join(
        f'<entry><id>{base}{path}</id><title>{html.escape(title)}</title><link href="{base}{path}"/>'
        f"<updated>{date}T08:00:00Z</updated><published>{date}T08:00:00Z</published></entry>"
        for path, title, date in listed
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{NAMES[who]}</title><id>{base}/{who}/</id><updated>2026-10-01T00:00:00Z</updated>"
        f"<author><name>{NAMES[who]}</name></author>{entries}</feed>"
    )


def sitemap(who: str, pages: dict[str, Page], base: str) -> str:
    """Write the author's sitemap."""
    urls = "".join(
        f"<url><loc>{base}{p.path}</loc><lastmod>{p.date}</lastmod></url>"
        for p in pages.values()
        if p.who == who
    )
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="{namespace}">{urls}</urlset>'


def lap_file(settings: Settings) -> Path:
    """Return the file that says in which lap the site is."""
    return settings.data_dir / "demo" / "lap"


def read_lap(settings: Settings) -> int:
    """Return the current lap; a site that never moved on is in its first."""
    file = lap_file(settings)
    return int(file.read_text()) if file.exists() else 1


def import_history(settings: Settings) -> None:
    """Make the bare repository of the demo authors from its export, once."""
    folder = settings.data_dir / "demo" / "tidelog.git"
    if (folder / "complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "--bare", "--quiet", "--initial-branch=main"], check=True)
    with (DEMO / "code" / "history.fastexport").open("rb") as history:
        subprocess.run([*git, "fast-import", "--quiet", "--force"], stdin=history, check=True)
    (folder / "complete").touch()


class _Handler(BaseHTTPRequestHandler):
    settings: Settings

    def do_GET(self) -> None:
        """Answer a page, a feed, a sitemap or an error."""
        base = f"http://{self.headers['Host']}"
        path = urlsplit(self.path).path
        pages = load_pages(read_lap(self.settings))
        who = path.split("/")[1] if path.count("/") > 1 else ""
        if path == "/robots.txt":
            self._send(ROBOTS, "text/plain")
        elif who in AUTHORS and path == f"/{who}/feed.xml":
            self._send(feed(who, pages, base), "application/atom+xml")
        elif who in AUTHORS and path == f"/{who}/sitemap.xml":
            self._send(sitemap(who, pages, base), "application/xml")
        elif path == "/" or (who in AUTHORS and path == f"/{who}/"):
            self._send(contents(who, pages), "text/html; charset=utf-8")
        elif path in pages:
            self._send(render(pages[path], pages, base), "text/html; charset=utf-8")
        elif path == "/maren/empty/":
            empty = Page(path, "maren", "An empty page", "2026-01-01", "")
            self._send(render(empty, pages, base), "text/html; charset=utf-8")
        elif path == "/maren/broken/":
            self.send_error(500, "The page fell over")
        else:
            self.send_error(404, "No such page")

    def _send(self, body: str, kind: str) -> None:
        encoded = body.encode()
        tag = f'"{hashlib.sha256(encoded).hexdigest()[:16]}"'
        unchanged = self.headers.get("If-None-Match") == tag
        self.send_response(304 if unchanged else 200)
        self.send_header("ETag", tag)
        self.send_header("Date", format_datetime(datetime.now(UTC), usegmt=True))
        if not unchanged:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        if not unchanged:
            self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:
        """Say what was asked, with the answer's status."""
        sys.stderr.write(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}\n")


def serve(settings: Settings, port: int) -> ThreadingHTTPServer:
    """Open the site on a loopback port; the caller runs and closes it."""
    handler = type("Handler", (_Handler,), {"settings": settings})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def _page(who: str, file: Path) -> dict[str, Page]:
    post = frontmatter.load(str(file))
    path = f"/{who}/{post['slug']}/"
    language = str(post.get("language", "en"))
    return {path: Page(path, who, str(post["title"]), str(post["date"]), post.content, language)}


if __name__ == "__main__":
    world = load_settings()
    serve(world, world.port("demo")).serve_forever()
