"""Substack's export gives what everybody may read, without the boxes that the editor puts in between."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exports import DEEP, source

from include.settings import ROOT
from include.sources import crawl

SAVED = ROOT / "tests" / "saved" / "substack"
AT = {"web_url": "https://slackwater.substack.com/"}


def test_a_published_post_comes_with_its_words_and_address(settings, documents):
    (found,) = crawl(settings, source("substack", SAVED, **AT), documents).documents

    assert (found.kind, found.title) == ("article", "The tide table")
    assert found.url == "https://slackwater.substack.com/p/the-tide-table"
    assert found.published_at == datetime(2026, 1, 20, 7, 0, 12, 345000, tzinfo=UTC)
    assert found.text == (
        "The table on my wall is wrong by nine minutes, and I’ve stopped correcting it.\n\n"
        "## What I do instead\n\n> Look out of the window.\n\n"
        "```\n$ tide --now\nlow   06:12\nhigh  12:31\n```"
    )


def test_what_others_pay_for_is_taken_only_where_the_source_says_so(settings, documents):
    found = crawl(settings, source("substack", SAVED, paid="true", **AT), documents).documents

    assert {d.title for d in found} == {"The tide table", "For the few"}


def test_an_archive_is_read_too(settings, documents, tmp_path: Path):
    packed = shutil.make_archive(str(tmp_path / "export"), "zip", SAVED)

    assert len(crawl(settings, source("substack", packed, **AT), documents).documents) == 1


def test_what_is_missing_is_a_sentence(settings, documents, tmp_path: Path):
    with pytest.raises(ValueError, match="option `web_url`"):
        crawl(settings, source("substack", SAVED), documents)
    (tmp_path / "posts.csv").write_text("post_id,title\n1.a,b\n")
    with pytest.raises(ValueError, match="no column is_published, post_date"):
        crawl(settings, source("substack", tmp_path, **AT), documents)
    with pytest.raises(ValueError, match=r"holds no posts.csv"):
        crawl(settings, source("substack", SAVED / "posts", **AT), documents)


def test_a_post_that_cannot_be_read_is_turned_away_with_its_address(settings, documents, tmp_path):
    shutil.copytree(SAVED, tmp_path / "export")
    (page,) = (tmp_path / "export" / "posts").glob("*tide-table*")
    page.write_text(DEEP)

    found = crawl(settings, source("substack", tmp_path / "export", **AT), documents)

    assert [(r.where, r.reason) for r in found.rejected] == [
        ("https://slackwater.substack.com/p/the-tide-table", "unreadable")
    ]
