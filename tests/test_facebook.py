"""Facebook's export gives the author's own posts, its spoilt letters mended."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exports import source, texts

from include.crawlers.facebook import mend_letters
from include.settings import ROOT
from include.sources import crawl

SAVED = ROOT / "tests" / "saved" / "facebook"


def test_posts_come_out_as_they_were_typed_and_each_once(settings, documents):
    place = source("facebook", SAVED)
    first = crawl(settings, place, documents)
    documents.put(first.documents)

    assert texts(first) == [
        "New year, old cable. It’s naïve to think it’ll hold – but it does 🪢",
        "Read this.\n\nThen read it again: “slack water” isn’t a pause.",
    ]
    assert [d.url for d in first.documents] == [
        "facebook:maren-oduya/1767261600",
        "facebook:maren-oduya/1767261600-2",
    ]
    assert first.documents[0].published_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert crawl(settings, place, documents).unchanged == 2


@pytest.mark.parametrize("text", ["plain", "naïve", "– already right 🪢", ""])
def test_letters_that_are_right_stay(text):
    assert mend_letters(text) == text
    assert mend_letters(text.encode().decode("latin-1")) == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("7", "no list of posts"),
        ('[{"data": [{"post": "x"}]}]', "item 1.*timestamp"),
        ("[", "line 1"),
    ],
)
def test_a_malformed_export_is_a_sentence(settings, documents, tmp_path: Path, content, said):
    (tmp_path / "your_posts_1.json").write_text(content)

    with pytest.raises(ValueError, match=said):
        crawl(settings, source("facebook", tmp_path), documents)


def test_a_single_post_stands_there_without_a_list(settings, documents, tmp_path: Path):
    post = {"timestamp": 1767261600, "data": [{"post": "Alone."}]}
    (tmp_path / "your_posts_1.json").write_text(json.dumps(post))

    assert texts(crawl(settings, source("facebook", tmp_path), documents)) == ["Alone."]
