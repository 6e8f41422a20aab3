"""The demo's small world: two authors who really write, a site that moves on, and every trap that is promised."""

import csv
import json
import subprocess
from xml.etree import ElementTree

import feedparser
import frontmatter
import httpx
import pytest
from builders import cleaned
from protego import Protego
from web_site import in_thread

from demo.site import ROBOTS, import_history, lap_file, load_pages, serve
from include.crawlers.language import detect_language
from include.settings import ROOT, Settings
from ml.dedup import Limits, mark_duplicates

DEMO = ROOT / "demo"
ARTICLES = sorted((DEMO / "articles").rglob("*.md")) + sorted((DEMO / "lap2").rglob("*.md"))
NEW, CHANGED, DELETED = (
    "/maren/rate-limiting-the-nightly-export/",
    "/maren/sizing-the-connection-pool/",
    "/maren/garbage-collection-pauses/",
)
GERMAN = "/maren/ueber-sicherungen/"
COPIES = {
    "/maren/caching-and-the-invalidation-that-saved-us/": "/maren/the-cache-that-lied/",
    "/maren/clock-skew-and-leases-newsletter/": "/maren/clock-skew-and-leases/",
    "/maren/reprints/why-does-fsync-lie/": "/maren/why-does-fsync-lie/",
}


def body(file) -> frontmatter.Post:
    return frontmatter.load(str(file))


@pytest.fixture
def world(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def site(world):
    """Serve the site; yields a client for it."""
    server = serve(world, 0)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    with in_thread(server), httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Import the git history; yields a function that asks git."""
    world = Settings(data_dir=tmp_path_factory.mktemp("history"))
    import_history(world)
    folder = world.data_dir / "demo" / "tidelog.git"

    def git(*words: str) -> list[str]:
        return subprocess.check_output(["git", "-C", folder, *words], text=True).splitlines()

    return git


def move(world: Settings, lap: int) -> None:
    lap_file(world).parent.mkdir(parents=True, exist_ok=True)
    lap_file(world).write_text(str(lap))


def listed(site: httpx.Client) -> dict[str, str]:
    """Return the paths that both listings of the site name, with the dates that they tell."""
    feed = feedparser.parse(site.get("/maren/feed.xml").text)
    found = {e.link: e.published[:10] for e in feed.entries}
    for url in ElementTree.fromstring(site.get("/tobias/sitemap.xml").content):
        place, date = (part.text for part in url)
        found[place] = date
    return {url.removeprefix(str(site.base_url).rstrip("/")): d for url, d in found.items()}


def test_two_authors_wrote_sixteen_and_eight_articles():
    originals = [p for f in ARTICLES if "lap2" not in f.parts and "variant" not in (p := body(f))]
    authors = [p["author"] for p in originals]

    assert (authors.count("Maren Oduya"), authors.count("Tobias Reck")) == (16, 8)
    assert len({p["slug"] for p in originals}) == len({p["title"] for p in originals}) == 24


@pytest.mark.parametrize("file", ARTICLES, ids=lambda f: f.stem)
def test_an_article_has_five_hundred_to_twelve_hundred_words(file):
    post = body(file)

    if post.get("variant") == "other-language":
        assert len(post.content.split()) > 200
    else:
        assert 500 <= len(post.content.split()) <= 1200
    assert file.stem == post["slug"] and post["title"] and post["date"] and post["summary"]


def test_lap_two_gains_one_article_changes_one_and_deletes_one():
    before, after = load_pages(1), load_pages(2)

    assert after.keys() - before.keys() == {NEW}
    assert before.keys() - after.keys() == {DELETED}
    assert [p for p in before.keys() & after.keys() if before[p] != after[p]] == [CHANGED]
    assert (before[CHANGED].path, before[CHANGED].title) == (CHANGED, after[CHANGED].title)


def test_the_site_moves_on_while_it_is_served(world, site):
    first = site.get(CHANGED)
    assert [site.get(p).status_code for p in (NEW, DELETED)] == [404, 200]
    assert NEW not in listed(site) and DELETED in listed(site)

    move(world, 2)

    assert [site.get(p).status_code for p in (NEW, DELETED)] == [200, 404]
    assert NEW in listed(site) and DELETED not in listed(site)
    second = site.get(CHANGED, headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 200 and second.text != first.text


def test_a_page_that_did_not_change_is_not_sent_again(site):
    first = site.get("/maren/on-call-handover/")
    again = site.get("/maren/on-call-handover/", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_feed_and_sitemap_name_every_page_of_their_author_with_its_date(site):
    pages = {p.path: p.date for p in load_pages(1).values()}
    traps = {f"/maren/{name}/" for name in ("drafts/not-yet", "broken", "empty")}

    found = listed(site)

    assert found.keys() == pages.keys() | traps
    assert {path: found[path] for path in pages} == pages


def test_robots_txt_forbids_the_drafts_and_nothing_else(site):
    said = site.get("/robots.txt").text
    rules = Protego.parse(said)

    assert said == ROBOTS
    assert [p for p in listed(site) if not rules.can_fetch(p, "llm-twin")] == [
        "/maren/drafts/not-yet/"
    ]


def test_every_page_answers_but_those_that_are_meant_to_fail(site):
    answers = {path: site.get(path).status_code for path in listed(site)}

    assert {p: s for p, s in answers.items() if s != 200} == {
        "/maren/drafts/not-yet/": 404,
        "/maren/broken/": 500,
    }
    assert site.get("/nobody/feed.xml").status_code == 404


def test_a_page_carries_what_real_blogs_put_around_an_article(site):
    said = site.get(CHANGED).text

    for part in ("<nav>", "cookie-banner", "newsletter", 'class="comments"', "related", "<footer>"):
        assert part in said
    assert 'class="comments"' not in site.get("/maren/on-call-handover/").text


def test_the_empty_page_has_a_title_and_no_words(site):
    said = site.get("/maren/empty/").text

    assert "<h1>An empty page</h1>" in said
    assert '<div class="post-body"></div>' in said


@pytest.mark.parametrize("lap", [1, 2])
def test_three_texts_are_copies_and_all_others_are_not(lap):
    texts = [
        cleaned(p.body, url=p.path, title=p.title, author=p.who) for p in load_pages(lap).values()
    ]
    paths = {t.id: t.url for t in texts}

    marked = mark_duplicates(texts, Limits(Settings().near_duplicate, Settings().excerpt_duplicate))
    found = {d.url: paths[d.duplicate_of] for d in marked if d.duplicate_of}

    assert {frozenset(pair) for pair in found.items()} == {frozenset(p) for p in COPIES.items()}


def test_the_copies_are_a_reprint_a_cross_post_under_another_title_and_an_edited_text():
    pages = load_pages(1)
    alike = [
        (pages[copy].title == pages[first].title, pages[copy].body == pages[first].body)
        for copy, first in COPIES.items()
    ]

    assert sorted(alike) == [(False, False), (False, True), (True, True)]


def test_one_article_is_in_german():
    pages = load_pages(1).values()

    assert [p.path for p in pages if detect_language(p.body) != "en"] == [GERMAN]
    assert [p.path for p in pages if p.language == "de"] == [GERMAN]


def test_the_exports_hold_sixty_posts_and_what_is_not_the_authors():
    with (DEMO / "posts" / "linkedin" / "Shares.csv").open(newline="") as file:
        shares = [row["ShareCommentary"] for row in csv.DictReader(file)]
    head, _, tweets = (DEMO / "posts" / "x" / "tweets.js").read_text().partition(" = ")
    tweets = [t["tweet"]["full_text"] for t in json.loads(tweets)]
    outbox = json.loads((DEMO / "posts" / "mastodon" / "outbox.json").read_text())
    boosts = [i for i in outbox["orderedItems"] if i["type"] == "Announce"]
    notes = [i["object"] for i in outbox["orderedItems"] if i["type"] == "Create"]
    public = [n for n in notes if any(to.endswith("#Public") for to in n["to"] + n["cc"])]

    assert head == "window.YTD.tweets.part0"
    assert outbox["totalItems"] == len(outbox["orderedItems"])
    assert (len(shares), shares.count("")) == (24, 2)
    assert (len(tweets), sum(t.startswith("RT @") for t in tweets)) == (26, 2)
    assert (len(boosts), len(notes) - len(public)) == (1, 1)
    own = [t for t in shares if t], [t for t in tweets if not t.startswith("RT @")], public
    assert sum(map(len, own)) >= 60


def test_the_history_has_thirty_commits_of_two_people(history):
    commits = history("log", "--format=%ae %ce", "main")

    assert len(commits) >= 30
    assert set(commits) == {
        "maren@oduya.example maren@oduya.example",
        "tobias@reck.example tobias@reck.example",
    }
    assert min(commits.count(c) for c in set(commits)) >= 10


def test_the_history_holds_code_that_is_not_the_authors_and_files_that_are_no_text(history):
    files = history("ls-tree", "-r", "--name-only", "main")

    assert {"vendor/minisum/minisum.py", "vendor/minisum/LICENSE"} <= set(files)
    assert {"docs/assets/app.min.js", "docs/assets/tide.png", "tidelog/wire_pb2.py"} <= set(files)
    assert "DO NOT EDIT" in history("show", "main:tidelog/wire_pb2.py")[0]
    assert sum(f.startswith("tidelog/") and f.endswith(".py") for f in files) > 5


def test_the_history_is_imported_once_and_a_killed_import_is_made_good(world):
    folder = world.data_dir / "demo" / "tidelog.git"
    folder.mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/he")

    for _ in range(2):
        import_history(world)
        count = subprocess.check_output(["git", "-C", folder, "rev-list", "--count", "main"])
        assert int(count) == 30


def test_the_evidence_of_every_question_stands_word_for_word_in_its_article():
    questions = json.loads((DEMO / "questions.json").read_text())
    texts = {p.path: " ".join(p.body.split()) for lap in (1, 2) for p in load_pages(lap).values()}

    assert len(questions) > 40
    for asked in questions:
        assert asked["question"].endswith("?")
        assert " ".join(asked["evidence"].split()) in texts[f"/maren/{asked['slug']}/"]
