"""Exports of social networks in their true formats: the author's own words come out exactly, nobody else's do."""

import json
from datetime import UTC, datetime

import pytest
from exports import DEEP, FILES, SLOW, linkedin, mastodon, source, texts, tweet, x

from include.crawlers.linkedin import mend_commentary
from include.settings import ROOT
from include.sources import crawl

POSTS = ROOT / "demo" / "posts"


@pytest.mark.parametrize(("kind", "count"), [("linkedin", 22), ("x", 24), ("mastodon", 14)])
def test_the_exports_of_the_demo_are_read_once(settings, documents, kind, count):
    place = source(kind, POSTS / kind / FILES[kind])

    first = crawl(settings, place, documents)
    documents.put(first.documents)
    second = crawl(settings, place, documents)

    assert (len(first.documents), second.documents, second.unchanged) == (count, [], count)
    assert all(d.kind == "post" and d.language == "en" and d.title for d in first.documents)
    assert not any(
        text.startswith("RT @") or "&amp;" in text or "t.co/" in text for text in texts(first)
    )


@pytest.mark.parametrize(
    "text",
    [
        "One line.",
        'She said "no" twice.',
        'A list:\n\n- "one"\n- two\n\nThe end.',
        '"Quoted first"\nand "last"',
        "a\n\n\nb",
        'empty "" inside\nand "after"',
    ],
)
def test_a_linkedin_post_comes_out_as_it_was_typed(settings, documents, tmp_path, text):
    (found,) = crawl(settings, source("linkedin", linkedin(tmp_path, text)), documents).documents

    assert found.text == text
    assert found.published_at == datetime(2026, 2, 17, 7, 58, 20, tzinfo=UTC)
    assert found.url == "https://li.example/0"


@pytest.mark.parametrize("text", ['plain "text"', "two\nlines", 'two\n"lines"', "two\r\nlines"])
def test_a_linkedin_export_without_the_quirk_is_left_alone(text):
    assert mend_commentary(text) == text.replace("\r\n", "\n")


def test_a_share_without_words_is_left_out(settings, documents, tmp_path):
    file = linkedin(tmp_path, "", "  ", "Words of my own.")

    assert texts(crawl(settings, source("linkedin", file), documents)) == ["Words of my own."]


def test_a_tweet_comes_out_as_it_was_typed(settings, documents, tmp_path):
    link = {"url": "https://t.co/a", "expanded_url": "https://quay.example/x"}
    photo = {"url": "https://t.co/b", "media_url_https": "https://p.example/b.png"}
    file = x(
        tmp_path,
        tweet(
            full_text="2 &lt; 3 &amp;&amp; it’s so: https://t.co/a https://t.co/b",
            entities={"urls": [link], "media": [photo]},
        ),
        tweet(id_str="8", full_text="RT @other: not mine"),
        tweet(id_str="9", full_text="@a @b I agree, @c", in_reply_to_status_id_str="1"),
        tweet(id_str="10", full_text="@a is right"),
        tweet(id_str="11", full_text="word " * 54 + "and…"),
        tweet(id_str="12", full_text="https://t.co/b", entities={"media": [photo]}),
    )

    found = crawl(settings, source("x", file, handle="@maren"), documents)

    assert texts(found) == [
        "2 < 3 && it’s so: https://quay.example/x",
        "I agree, @c",
        "@a is right",
    ]
    assert found.documents[0].url == "https://x.com/maren/status/7"
    assert found.documents[0].published_at == datetime(2026, 3, 24, 17, 55, 8, tzinfo=UTC)
    assert [r.reason for r in found.rejected] == ["cut-short"]


def test_a_tweet_that_is_cut_short_is_completed_from_the_file_of_long_ones(
    settings, documents, tmp_path
):
    whole = "word " * 80 + "see https://t.co/a &amp; the end."
    link = {"shortUrl": "https://t.co/a", "expandedUrl": "https://quay.example/x"}
    note = {"noteTweet": {"core": {"text": whole, "urls": [link]}}}
    x(tmp_path, tweet(full_text="word " * 54 + "word…"))
    (tmp_path / "note-tweet.js").write_text("window.YTD.note_tweet.part0 = " + json.dumps([note]))

    found = crawl(settings, source("x", tmp_path), documents)

    assert texts(found) == ["word " * 80 + "see https://quay.example/x & the end."]
    assert found.rejected == []


def test_a_toot_keeps_its_paragraphs_and_its_links(settings, documents, tmp_path):
    content = (
        '<p><span class="h-card"><a href="https://m.example/@b" class="u-url mention">@<span>b</span></a></span> '
        'It’s so:<br>see <a href="https://quay.example/long"><span class="invisible">https://</span>'
        '<span class="ellipsis">quay.example/</span><span class="invisible">long</span></a></p><p>&lt;end&gt;</p>'
    )
    file = mastodon(tmp_path, content, inReplyTo="https://m.example/7")

    assert texts(crawl(settings, source("mastodon", file), documents)) == [
        "It’s so:\nsee https://quay.example/long\n\n<end>"
    ]


def test_what_was_not_public_is_never_taken(settings, documents, tmp_path):
    private = mastodon(tmp_path, "<p>for you</p>", to=["https://m.example/users/b"])
    assert crawl(settings, source("mastodon", private), documents).documents == []

    unlisted = mastodon(tmp_path, "<p>for all</p>", to=["x"], cc="as:Public")
    assert texts(crawl(settings, source("mastodon", unlisted), documents)) == ["for all"]


def test_a_toot_that_cannot_be_read_is_turned_away_and_the_others_are_read(
    settings, documents, tmp_path
):
    hasty = settings.model_copy(update={"parse_seconds": 0.3})
    file = mastodon(tmp_path, SLOW, DEEP, "<p>good</p>")

    found = crawl(hasty, source("mastodon", file), documents)

    assert texts(found) == ["good"]
    assert [(r.where, r.reason) for r in found.rejected] == [
        ("https://m.example/0", "too-slow"),
        ("https://m.example/1", "unreadable"),
    ]


def test_jsonl_is_read_line_by_line(settings, documents, tmp_path):
    file = tmp_path / "texts.jsonl"
    item = {"url": "https://q.example/1", "title": "T", "text": "Words", "kind": "post"}
    code = {**item, "url": "https://q.example/2", "kind": "code", "published_at": "2025-01-02"}
    guest = {**item, "url": "https://q.example/3", "author": "Someone Else"}
    file.write_text("\n".join(map(json.dumps, (item, code, guest))) + "\n\n")

    found = crawl(settings, source("jsonl", file), documents)

    assert [(d.kind, d.language) for d in found.documents] == [("post", "en"), ("code", "code")]
    assert found.documents[1].published_at == datetime(2025, 1, 2, tzinfo=UTC)
    assert [r.reason for r in found.rejected] == ["other-author"]


def test_a_post_that_was_deleted_is_gone_with_the_next_export(settings, documents, tmp_path):
    found = crawl(settings, source("linkedin", linkedin(tmp_path, "One.", "Two.")), documents)
    documents.put(found.documents)

    again = crawl(settings, source("linkedin", linkedin(tmp_path, "One.")), documents)
    assert (again.unchanged, again.gone) == (1, [found.documents[1].id])

    empty = crawl(settings, source("linkedin", linkedin(tmp_path)), documents)
    assert empty.gone == []
