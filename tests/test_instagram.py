"""Instagram's export gives captions of posts and reels, and what was said on Threads."""

from pathlib import Path

import pytest
from exports import source, texts

from include.settings import ROOT
from include.sources import crawl

SAVED = ROOT / "tests" / "saved" / "instagram"


def test_captions_come_out_as_they_were_typed(settings, documents):
    found = crawl(settings, source("instagram", SAVED), documents)

    assert texts(found) == [
        "Fog until noon. We didn’t sail ⛵️",
        "Two ropes, one señor, no plan.",
        "Forty seconds of knots.",
        "A thread’s a rope with opinions.",
    ]
    assert found.documents[1].url == "instagram:maren-oduya/1767607201"


@pytest.mark.parametrize(
    ("content", "said"), [("7", "no list"), ('[{"media": [{"title": "x"}]}]', "item 1")]
)
def test_a_malformed_export_is_a_sentence(settings, documents, tmp_path: Path, content, said):
    (tmp_path / "posts_1.json").write_text(content)

    with pytest.raises(ValueError, match=said):
        crawl(settings, source("instagram", tmp_path), documents)
