"""The report of `include/erasure_report.py`: what was found, what is left and what follows, in words and numbers."""

from dataclasses import replace
from pathlib import Path

from builders import MOMENT

from include.erasure_report import Erasure, Found, write_report

GONE = Erasure(
    subject="https://x/<b>",
    urls=("https://x/<b>",),
    at=MOMENT,
    found=(Found("chunks", "passages", 3, 0), Found("answers", "answers", 0, 0)),
    copies=("https://y/",),
    withdrawn=("d1",),
    stale=("m1",),
    champion=True,
)
STUCK = replace(GONE, found=(Found("chunks", "passages", 3, 2),))
NEVER = replace(GONE, found=(Found("chunks", "passages", 0, 0),), withdrawn=(), stale=(), copies=())


def test_a_sentence_says_what_was_there_what_is_left_or_that_nobody_ever_saw_it() -> None:
    assert GONE.complete and GONE.seen
    assert GONE.summary() == (
        "Nothing is left of https://x/<b> (3 × chunks); it will never be fetched again."
    )
    assert not STUCK.complete and "is left after its erasure: 2 × chunks" in STUCK.summary()
    assert not NEVER.seen and NEVER.summary().startswith("Nothing is kept of")


def test_the_page_shows_every_erasure_newest_first_and_runs_nothing_of_an_address(tmp_path: Path):
    file = tmp_path / "erasures" / "x.html"

    write_report(file, GONE.subject, [STUCK.record(), GONE.record()])

    page = file.read_text(encoding="utf-8")
    assert page.index("Nothing is left of") < page.index("is left after its erasure")
    assert '<td class="n">3</td><td class="n good">0</td>' in page
    assert '<td class="n">3</td><td class="n bad">2</td>' in page
    assert "<b>" not in page and "http" not in page.replace("https://x/", "").replace(
        "https://y/", ""
    )
    assert "Withdrawn datasets: <code>d1</code>" in page and "The champion is one of them" in page
    assert "stands at <code>https://y/</code>" in page and "What this does not reach" in page


def test_the_journal_gets_plain_values() -> None:
    record = NEVER.record()

    assert (record["seen"], record["complete"], record["withdrawn"]) == (False, True, [])
    assert record["found"][0] == {"name": "chunks", "what": "passages", "before": 0, "after": 0}
