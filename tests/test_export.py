"""Archives of social networks are read in place; a malformed one says what is wrong, where, and what to do."""

import tarfile
import zipfile
from pathlib import Path

import pytest
from exports import FILES, linkedin, mastodon, source, texts, tweet, x
from web_site import site_running

from include.sources import crawl


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return path / "archive.zip"


def test_archives_and_folders_are_read_in_place(settings, documents, tmp_path):
    text = x(tmp_path, tweet()).read_text()
    more = text.replace('"7"', '"8"')
    other = 'window.YTD.like.part0 = [{"like": {}}]'
    members = {"data__tweets.js": text, "data__tweets-part1.js": more, "data__like.js": other}

    place = source("x", zipped(tmp_path, **members))
    assert len(crawl(settings, place, documents).documents) == 2

    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(mastodon(tmp_path, "<p>hi</p>"), "outbox.json")
    assert texts(crawl(settings, source("mastodon", tmp_path / "a.tar.gz"), documents)) == ["hi"]

    assert texts(crawl(settings, source("x", tmp_path), documents)) == ["Hi"]


def test_a_link_out_of_an_unpacked_export_is_not_followed(settings, documents, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "tweets.js").symlink_to(x(tmp_path / "elsewhere", tweet()))

    with pytest.raises(ValueError, match=r"holds no tweets.js"):
        crawl(settings, source("x", tmp_path / "export"), documents)


def test_an_export_may_be_on_the_web(settings, documents, tmp_path):
    with site_running() as site:
        site.pages["/Shares.csv"] = linkedin(tmp_path, "From afar.").read_bytes()
        allowed = settings.model_copy(update={"crawl_allow_hosts": site.host, "crawl_delay": 0.0})

        found = crawl(allowed, source("linkedin", f"{site.url}/Shares.csv"), documents)
        assert texts(found) == ["From afar."]
        with pytest.raises(ConnectionError, match="answered 404"):
            crawl(allowed, source("linkedin", f"{site.url}/none.csv"), documents)


BAD = {
    "linkedin": {
        "Date,Text\n1,2\n": r"Shares.csv.*line 1: no column ShareCommentary, ShareLink",
        'Date,ShareLink,ShareCommentary\nyesterday,u,"x"\n': "line 2: 'yesterday' is no date",
        'Date,ShareLink,ShareCommentary\n2026-01-01 00:00:00,u,"x': "unexpected end of data",
        "": "line 1",
    },
    "x": {
        "window.YTD.tweets.part0 = [{]": "tweets.js.*line 1",
        "{}": "no list of posts",
        '[{"tweet": {"full_text": "x"}}]': "item 1.*created_at",
        "[7]": "item 1",
        "[" * 100_000: "nested too deeply",
    },
    "mastodon": {
        "{": "outbox.json.*line 1",
        "[]": "orderedItems",
        '{"orderedItems": {}}': "no list",
        '{"orderedItems": [{"type": "Create", "object": {"type": "Note", "to": ["Public"]}}]}': "item 1",
    },
    "jsonl": {
        '{"url": "x"}\n': "line 1: title, text, kind must be text",
        '\n{"url": "x", "title": "t", "text": "x", "kind": "song"}': "line 2: kind 'song'",
        "nonsense": "line 1",
    },
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in BAD for text in BAD[kind]])
def test_a_malformed_export_says_file_and_line_and_what_to_do(
    settings, documents, tmp_path, kind, text
):
    file = tmp_path / {**FILES, "jsonl": "a.jsonl"}[kind]
    file.write_text(text)

    with pytest.raises(ValueError, match=BAD[kind][text]) as error:
        crawl(settings, source(kind, file), documents)
    assert "export again" in str(error.value)


def test_a_missing_export_and_one_without_posts_are_sentences(settings, documents, tmp_path):
    with pytest.raises(ConnectionError, match="no file; correct `where`"):
        crawl(settings, source("x", tmp_path / "none.js"), documents)
    with pytest.raises(ValueError, match=r"holds no tweets.js"):
        crawl(settings, source("x", zipped(tmp_path, a="b")), documents)


@pytest.mark.parametrize(
    "body", [b"PK\x03\x04broken" + b"\0" * 99, b"\x1f\x8bbroken", b"\x1f\x8b\x08\x00cut"]
)
def test_a_broken_archive_is_a_sentence(settings, documents, tmp_path, body):
    (tmp_path / "a.zip").write_bytes(body)

    with pytest.raises(ValueError, match="malformed"):
        crawl(settings, source("x", tmp_path / "a.zip"), documents)


def test_an_archive_that_is_a_bomb_is_refused(settings, documents, tmp_path):
    bomb = zipped(tmp_path, **{"tweets.js": "0" * 5_000_000})

    with pytest.raises(ValueError, match=r"malformed at the archive: tweets.js unpacks to more"):
        crawl(settings, source("x", bomb), documents)
