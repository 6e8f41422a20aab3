"""Medium's export gives published texts as they were typed, and answers to others as posts."""

import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exports import DEEP, source, texts

from include.settings import ROOT
from include.sources import crawl

SAVED = ROOT / "tests" / "saved" / "medium"


def test_an_article_keeps_its_words_code_and_lists(settings, documents):
    found = crawl(settings, source("medium", SAVED), documents).documents

    article = next(d for d in found if d.kind == "article")
    assert article.title == "Nine knots and one regret"
    assert article.url == "https://medium.com/@maren/nine-knots-and-one-regret-4f1c2a9b7d3e"
    assert article.published_at == datetime(2026, 2, 11, 8, 30, tzinfo=UTC)
    assert article.text == (
        "I don’t retry by hand any more — *never* after the third time.\n\n"
        "```\nfor n in range(3):\n    tie(n)  # <bowline>\n```\n\n"
        "- Count first.\n- Then ask “why?”."
    )


def test_an_answer_is_a_post_and_a_draft_is_nothing(settings, documents, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "medium-export.zip", "w") as archive:
        for file in sorted((SAVED / "posts").iterdir()):
            archive.write(file, f"posts/{file.name}")
        archive.writestr("README.html", "<p>About this export</p>")

    place = source("medium", tmp_path / "medium-export.zip")
    found = crawl(settings, place, documents).documents

    assert [d.kind for d in found] == ["article", "post"]
    assert found[1].text.startswith("Good question. We measured it twice")


def test_a_page_that_is_no_post_is_a_sentence(settings, documents, tmp_path: Path):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "a.html").write_text("<p>no post</p>")

    with pytest.raises(ValueError, match=r"posts/a.html.*e-content.*export again"):
        crawl(settings, source("medium", tmp_path), documents)


def test_a_post_that_cannot_be_read_is_turned_away_and_no_known_one_counts_as_gone(
    settings, documents, tmp_path: Path
):
    shutil.copytree(SAVED, tmp_path / "export")
    place = source("medium", tmp_path / "export")
    documents.put(crawl(settings, place, documents).documents)
    (article,) = (tmp_path / "export" / "posts").glob("*regret*")
    link = '<a class="p-canonical" href="https://medium.com/@maren/x">Canonical link</a>'
    article.write_text(f"{link}<section class='e-content'>{DEEP}</section>")

    found = crawl(settings, place, documents)

    assert (texts(found), found.unchanged, found.gone) == ([], 1, [])
    assert [(r.where, r.reason) for r in found.rejected] == [
        (f"{tmp_path}/export/posts/{article.name}", "unreadable")
    ]
