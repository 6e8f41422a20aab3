"""The pages: nothing from elsewhere, nothing written as HTML, every control named, every colour readable."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import get_args
from urllib.parse import urlsplit

import httpx
import pytest
from builders import chunk

from ml.answer import MARK, STEPS
from ml.cite import abstention
from ml.rerank import Found
from ml.types import Kind
from serving.pages import PAGE

FILES = {f.name: f.read_text(encoding="utf-8") for f in sorted(PAGE.iterdir())}
PAGES = {"index.html": ("chat.js", "door.js"), "traces.html": ("traces.js", "door.js")}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
# (what is written, on what, how much contrast it needs): 4.5 for text, 3 for the edges of controls.
PAIRS = [
    *((ink, paper, 4.5) for ink in ("ink", "soft", "accent", "warn", "bad") for paper in ("paper", "card")),
    *(("edge", paper, 3.0) for paper in ("paper", "card")),
    ("on-accent", "accent", 4.5),
    ("ink", "mark", 4.5),
]  # fmt: skip


class Controls(HTMLParser):
    """Reads a page: ids, where labels point, which controls have a name of their own, and what is loaded."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.labelled, self.loaded, self.controls, self.open = [], set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        its = dict(attrs)
        self.open.append(tag)
        self.ids += [its["id"]] if "id" in its else []
        self.labelled |= {its["for"]} if tag == "label" and "for" in its else set()
        self.loaded += [
            its[k] for k in ("src", "href") if k in its and tag in ("script", "link", "img")
        ]
        if tag in ("input", "textarea", "select"):
            self.controls.append((its["id"], "label" in self.open))

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass


pages = pytest.mark.parametrize("page", PAGES)


@pages
def test_a_page_needs_no_key_and_everything_that_it_loads_is_the_endpoint_s_own(page, url):
    address = {"index.html": "/", "traces.html": "/traces"}[page]
    answer = httpx.get(url + address)
    loaded = Controls(answer.text).loaded
    found = {name: httpx.get(url + name) for name in loaded}

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert {name.partition("/page/")[2] for name in loaded} == {
        *("twin.css", "twin.svg", PAGES[page][0])
    }
    assert all(f.status_code == 200 for f in found.values())
    for odd in ("index.html", "..%2Fapi.py", "%2Fetc%2Fpasswd"):
        assert httpx.get(f"{url}/page/{odd}").status_code == 404


def test_no_file_of_a_page_names_an_address_elsewhere():
    for name, text in FILES.items():
        named = re.findall(r"[a-z]+://[^\s\"')]+", text.replace("http://www.w3.org/2000/svg", ""))
        assert named == [], name
        assert not re.search(r"@import|url\(|style=|\son\w+=", text), name


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_html_or_code_of_data(name):
    forbidden = r"(?:inner|outer|insertAdjacent)HTML|document\.write|DOMParser|eval\(|Function\("
    assert not re.search(forbidden, SCRIPTS[name])
    assert not re.search(r"setAttribute\(\"(?:on|href|src)", SCRIPTS[name])
    # Links are made in one place, which lets addresses of the web through and no other.
    made = re.findall(r"\.href = ([^;]+);", SCRIPTS[name])
    assert all(m == "url" or m.startswith("`/traces/${encodeURIComponent(") for m in made)
    if name == "door.js":
        guard, rel = (
            SCRIPTS[name].index(r"/^https?:\/\//i.test(url)"),
            SCRIPTS[name].index(".rel ="),
        )
        assert guard < SCRIPTS[name].index(".href = url") < rel
        assert '"noopener noreferrer"' in SCRIPTS[name][rel:]


@pages
def test_every_element_that_a_script_asks_for_is_on_its_page(page):
    there = Controls(FILES[page]).ids
    asked = {i for s in PAGES[page] for i in re.findall(r'byId\("([\w-]+)"\)', SCRIPTS[s])}

    assert asked <= set(there) and len(there) == len(set(there))


@pages
def test_every_control_has_a_name_and_headings_leave_no_step_out(page):
    read = Controls(FILES[page])
    levels = [int(n) for n in re.findall(r"<h(\d)", FILES[page])]

    assert all(inside or name in read.labelled for name, inside in read.controls)
    assert not re.search(r"<button[^>]*>\s*</button>", FILES[page])
    assert levels[0] == 1 and all(b - a <= 1 for a, b in pairwise(levels))
    assert '<html lang="en">' in FILES[page] and 'name="viewport"' in FILES[page]
    assert "aria-live" in FILES[page] or 'role="alert"' in FILES[page]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(mode):
    tokens = dict(re.findall(r"--([\w-]+): light-dark\(([^)]+)\)", FILES["twin.css"]))
    colours = {name: pair.split(", ")[mode] for name, pair in tokens.items()}

    for ink, ground, least in PAIRS:
        found = contrast(colours[ink], colours[ground])
        assert found >= least, f"{ink} on {ground}: {found:.2f}"
    # No colour but these, so that none escapes the measurement.
    rest = re.sub(r":root \{.*?\n\}", "", FILES["twin.css"], count=1, flags=re.S)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgba?\(", rest)


def contrast(one, other):
    """Return the contrast of two colours as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_what_the_script_reads_in_an_answer_is_what_the_answer_path_writes():
    said = dict(
        re.findall(r'const (MARK|NEAREST) = "([^"]*)"', FILES["door.js"] + FILES["chat.js"])
    )
    steps = re.search(r"const STEPS = \{(.*?)\};", FILES["chat.js"], re.S)
    assert said["MARK"] == MARK
    assert said["NEAREST"] in abstention([Found(chunk("A rope."), 1.0)], "No.")
    assert tuple(re.findall(r"^  (\w+):", steps[1], re.M)) == STEPS
    (kinds,) = re.findall(r'<select id="kind">(.*?)</select>', FILES["index.html"], re.S)
    assert re.findall(r'value="(\w*)"', kinds) == ["", *get_args(Kind)]


def test_the_page_of_one_trace_is_the_page_of_all(url):
    every, one = httpx.get(f"{url}/traces"), httpx.get(f"{url}/traces/ab12")

    assert every.text == one.text == FILES["traces.html"]
    assert urlsplit(str(one.url)).path == "/traces/ab12"
