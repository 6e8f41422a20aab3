"""The pages in a real browser: asked by keyboard, answered, opened, judged, rewritten, explained."""

import json
from datetime import UTC, datetime

import pytest
from browser import browsing
from serving_world import POST, QUESTION, UNKNOWN

from include.documents import open_documents
from include.keys import api_key
from ml.answer import STEPS
from ml.types import Trace

FITS = "document.documentElement.scrollWidth <= innerWidth"
ERROR = "document.getElementById('error').textContent"
ANSWERED = "document.querySelectorAll('.actions').length === {}"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def enter(tab, answering, path="/", **window):
    """Open a page and let its form take the key."""
    tab.show(answering.url + path, **window)
    # A page that is still connecting with the key of the one before would put it back.
    tab.wait("document.getElementById('key-form').hidden || !sessionStorage.getItem('twin-key')")
    tab.run("sessionStorage.clear()")
    tab.show(answering.url + path, **window)
    tab.run("document.getElementById('key').focus()")
    tab.write(api_key(answering.world))
    tab.press("Enter")
    tab.wait("document.activeElement.id === 'question'")


def click(tab, label):
    named = f"[...document.querySelectorAll('button, a')].filter(b => b.textContent === {json.dumps(label)})"
    tab.run(f"{named}.at(-1).click()")


def ask(tab, question, answers):
    tab.wait("document.activeElement.id === 'question'")
    tab.write(question)
    tab.press("Enter")
    tab.wait(ANSWERED.format(answers))


def ask_refused(tab, question):
    tab.write(question)
    tab.press("Enter")
    tab.wait(ERROR)


@pytest.mark.parametrize(("width", "dark"), [(1000, False), (360, True)], ids=["desk", "phone"])
def test_a_reader_asks_opens_the_passage_judges_and_asks_why(tab, answering, width, dark):
    enter(tab, answering, width=width, dark=dark)
    ask(tab, QUESTION, 1)
    click(tab, "Show the passage")
    tab.wait("document.querySelector('.passage mark')")
    marked = tab.run("[...document.querySelectorAll('mark')].map(m => m.textContent).join(' … ')")
    click(tab, "Good")
    tab.wait("document.querySelector('[aria-pressed=true]')")

    with open_documents(answering.world) as documents:
        (trace,) = documents.latest_traces(1)
        (given,) = documents.feedback_on([trace.id])
    # The card that was opened is the last one.
    assert (trace.question, marked) == (QUESTION, trace.sources[-1]["quote"])
    assert (given.score, given.consent, given.by) == (1, False, "platform")
    assert tab.run("document.querySelector('.facts').closest('.turn').ariaBusy") == "false"
    assert tab.run(FITS)

    ask(tab, UNKNOWN, 2)
    assert "rather not guess" in tab.run("document.querySelector('.abstained').textContent")
    assert tab.run("document.querySelectorAll('.abstained button').length") == 3
    tab.show(f"{answering.url}/traces/{trace.id}", width=width, dark=dark)
    tab.wait("document.querySelectorAll('.bars').length === 2")
    assert "written for tests, 2026-01-05" in tab.run("document.body.textContent")
    assert tab.run(FITS) and tab.complaints == []


@pytest.mark.parametrize(("width", "dark"), [(1000, False), (360, True)], ids=["desk", "phone"])
def test_what_a_model_was_told_is_folded_and_shown_to_the_letter(tab, answering, width, dark):
    said = f"You are\n  a <b>twin</b> &amp; quote:\n[1] {'long' * 99}"
    told = ({"role": "system", "content": said}, {"role": "user", "content": "", "left_out": 1234})
    trace = Trace("e" * 32, "m1", datetime.now(UTC), "?", "So.", (), False, {}, told=told)
    with open_documents(answering.world) as documents:
        documents.put_trace(trace)
    enter(tab, answering)
    tab.show(f"{answering.url}/traces/{trace.id}", width=width, dark=dark)
    tab.wait("document.querySelector('#shown details')")

    assert tab.run("document.querySelector('#shown details').open") is False
    assert tab.run("document.querySelector('#shown summary').innerText").startswith("2 messages")
    tab.run("document.querySelector('#shown summary').click()")
    assert tab.run("document.querySelector('#shown pre').innerText") == said
    assert "1,234 bytes more are not kept" in tab.run("document.body.innerText")
    assert tab.run("document.querySelectorAll('#shown b').length") == 0
    assert tab.run(FITS) and tab.complaints == []


@pytest.mark.parametrize(("width", "dark"), [(1000, False), (360, True)], ids=["desk", "phone"])
def test_a_reader_says_of_which_kind_and_days_the_sources_are(tab, answering, width, dark):
    question, day = "Why did the pager wake you?", POST["published_at"][:10]
    enter(tab, answering, width=width, dark=dark)
    tab.run("document.querySelector('summary').click()")
    tab.run("document.getElementById('kind').value = 'post'")
    for limit, struck in (("since", "06022025"), ("until", "06012025")):
        tab.run(f"document.getElementById('{limit}').focus()")
        tab.strike(struck)
    assert tab.run(FITS)
    tab.run("document.getElementById('question').focus()")
    ask_refused(tab, question)
    assert "until: Input should be later than since" in tab.run(ERROR)

    # The day itself counts, to its end.
    tab.run("document.getElementById('until').focus()")
    tab.strike("06022025")
    click(tab, "Ask again")
    tab.wait(ANSWERED.format(1))
    with open_documents(answering.world) as documents:
        (trace,) = documents.latest_traces(1)
    how = {name: trace.how[name] for name in ("kind", "since", "until")}
    assert how == {
        "kind": "post",
        "since": "2025-06-02T00:00:00+00:00",
        "until": "2025-06-03T00:00:00+00:00",
    }
    assert [s["url"] for s in trace.sources] == [POST["url"]]
    told = tab.run(
        "[...document.querySelectorAll('.answer > .facts div')].map(d => d.innerText.split('\\n'))"
    )
    assert {"kind": "post", "since": day, "until": day}.items() <= dict(told).items()
    assert tab.run(ERROR) == "" and tab.run(FITS)
    # Of what is not as it should be, the browser notes the refusal and nothing else.
    assert ["400 (Bad Request)" in said for said in tab.complaints] == [True]
    tab.complaints.clear()


def test_a_date_that_is_not_whole_is_not_passed_over(tab, answering):
    enter(tab, answering)
    tab.run("document.querySelector('summary').click()")
    tab.run("document.getElementById('since').focus()")
    tab.strike("0602")
    tab.run("document.getElementById('question').focus()")
    ask_refused(tab, QUESTION)

    assert tab.run(ERROR).startswith("Written since: ")
    assert tab.run("document.querySelectorAll('.actions').length") == 0


def test_an_author_says_what_they_would_have_said_and_asks_again(tab, answering):
    enter(tab, answering)
    tab.run("document.getElementById('consent').click()")
    tab.run("document.querySelector('#steps [name=rerank]').click()")
    ask(tab, QUESTION, 1)
    with open_documents(answering.world) as documents:
        (first,) = documents.latest_traces(1)
    click(tab, "I would have said …")
    tab.run("document.activeElement.value = ''")
    tab.write("<b>It</b> lies about the directory.")
    click(tab, "Keep it")
    tab.wait("!document.querySelector('form.edit')")
    click(tab, "Ask again")
    tab.wait("document.querySelector('.turn').ariaBusy === 'true'")
    tab.wait("document.querySelector('.turn').ariaBusy === 'false'")

    try:
        with open_documents(answering.world) as documents:
            (again,), (given,) = documents.latest_traces(1), documents.feedback_on([first.id])
        assert (given.edit, given.consent) == ("<b>It</b> lies about the directory.", True)
        assert again.how["instead_of"] == first.id and "rerank" not in again.how["steps"]
        tab.show(f"{answering.url}/traces/{first.id}")
        tab.wait("document.querySelectorAll('blockquote').length > 1")
        # What somebody wrote is shown as it is, never as HTML.
        assert tab.run("document.querySelectorAll('#shown b').length") == 0
        assert "<b>It</b> lies" in tab.run("document.body.textContent")
    finally:
        with open_documents(answering.world) as documents:
            documents.forget_answers([first.id, again.id])
    assert tab.complaints == []


def test_the_keyboard_reaches_everything_and_its_place_is_seen(tab, answering):
    enter(tab, answering)
    seen = []
    for _ in range(20):
        tab.press("Tab")
        seen.append(tab.run("document.activeElement.id || document.activeElement.tagName"))
        if seen[-1] == "SUMMARY":
            break
    tab.run("document.querySelector('summary').click()")
    # A date has four places: month, day, year, and its calendar.
    for _ in range(len(STEPS) + 3 + 2 * 4):
        tab.press("Tab")
        seen.append(tab.run("document.activeElement.id || document.activeElement.name"))
    outline = "getComputedStyle(document.activeElement).outlineWidth"

    assert seen[:3] == ["send", "SUMMARY", "choice"]
    assert {"kind", "since", "until", "route", "strict", "consent"} <= set(seen)
    assert tab.run(outline) == "3px"


def test_the_theme_is_the_system_s_until_somebody_chooses(tab, answering):
    paper = "getComputedStyle(document.body).backgroundColor"
    tab.show(f"{answering.url}/", dark=True)
    dark = tab.run(paper)
    tab.run("document.getElementById('theme').click()")
    light = tab.run(paper)
    tab.show(f"{answering.url}/", dark=True)
    kept = tab.run(paper)
    tab.run("localStorage.clear()")

    assert dark != light == kept
