"""Copies side by side: differences are marked, nothing of the texts runs, everything that was found is there."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

from builders import MOMENT, PARAGRAPH, cleaned
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import comparison
from ml.comparison import draw_copies
from ml.dedup import Limits, mark_duplicates, why_canonical
from ml.types import CleanDocument


def pair(text: str, other: str, **fields: str) -> list[CleanDocument]:
    """Make a document and its copy."""
    first = cleaned(text, url="https://x/first")
    found = {"duplicate_of": first.id, "duplicate_how": "near", "duplicate_similarity": 0.9}
    return [first, replace(cleaned(other, url="https://y/copy", **fields), **found)]


def test_what_differs_is_marked_on_its_side_and_what_is_the_same_is_folded() -> None:
    page = draw_copies(
        pair(PARAGRAPH * 9 + "It was good.", PARAGRAPH * 9 + "It was very bad."), "T"
    )

    assert re.findall(r"<del>(.*?)</del>", page)[1:] == [" very bad."]
    assert re.findall(r"<ins>(.*?)</ins>", page)[1:] == [" good."]
    assert "words, the same on both sides" in page and "2 documents, of which 1 are copies" in page


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_both_texts_can_be_read_whole_on_the_page(one: str, other: str) -> None:
    for marked, text in zip(comparison._marked(one, other), (one, other), strict=True):
        assert unescape(re.sub(r"</?(?:ins|del)>", "", marked)).split() == text.split()


def test_markup_in_texts_titles_and_addresses_is_shown_and_not_run() -> None:
    evil = "<script>alert(1)</script> </td></table>"
    page = draw_copies(pair(PARAGRAPH + evil, PARAGRAPH + evil * 2, title=evil), "T")
    odd = replace(cleaned(PARAGRAPH), url="javascript:alert(1)")
    copy = replace(odd, id="c", duplicate_of=odd.id, duplicate_how="exact")

    assert "<script" not in page and page.count("</table>") == 1
    assert 'href="javascript' not in draw_copies([odd, copy], "T")
    assert "http" not in re.sub(r'(href="|>)https://[xy]/\w+', "", page)


def test_a_corpus_without_copies_says_so_and_a_large_one_shows_the_least_alike(monkeypatch) -> None:
    monkeypatch.setattr(comparison, "MOST_PAIRS", 1)
    first, copy = pair(PARAGRAPH, PARAGRAPH)
    closer = replace(copy, id="closer", title="Closer", duplicate_similarity=0.99)

    page = draw_copies([first, closer, copy], "T")

    assert "0 are copies" in draw_copies([first], "T")
    assert "The 1 least alike are shown" in page and "Closer" not in page


def test_why_one_of_two_is_canonical_is_said_in_words() -> None:
    later = MOMENT + timedelta(days=1)
    short = cleaned(PARAGRAPH * 9, url="https://x/a", published_at=later)
    cases = {
        "published first": replace(short, url="https://x/bbbb", published_at=MOMENT),
        "has a date": replace(short, published_at=None),
        "shorter": replace(short, url="https://x/longer"),
        "comes first": replace(short, url="https://x/b"),
    }
    for words, other in cases.items():
        documents = [short, replace(other, id="other")]
        (copy,) = (d for d in mark_duplicates(documents, Limits(0.8)) if d.duplicate_of)
        (canonical,) = (d for d in documents if d.id == copy.duplicate_of)
        assert words in why_canonical(copy, canonical)
    assert "says more" in why_canonical(cases["published first"], short)
