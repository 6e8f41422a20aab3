"""Archives are read in place and bounded; one that is broken or made to do harm is refused in words."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from include.crawlers import archive
from include.crawlers.archive import ArchiveRefused, read_parts

POSTS = ("tweets.js",)


def zipped(**members: bytes | str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def linked_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        link = zipfile.ZipInfo("tweets.js")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    return packed.getvalue()


def tarred(*entries: tuple[str, bytes], link: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(entry)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [zipped, lambda **m: tarred(*((n, c) for n, c in m.items()))])
def test_only_the_parts_that_are_asked_for_are_read(pack, tmp_path: Path):
    body = pack(**{"data/tweets.js": b"here", "data/like.js": b"x", "tweets.js.png": b"x"})
    file = tmp_path / "a"
    file.write_bytes(body)

    assert read_parts(body, POSTS) == read_parts(file, POSTS) == [("data/tweets.js", b"here")]
    assert list(tmp_path.iterdir()) == [file]
    assert read_parts(body, ("none.js",)) == []


def test_what_is_no_archive_is_none():
    assert read_parts(b"window.YTD.tweets.part0 = []", POSTS) is None


def test_an_archive_in_an_archive_is_looked_into_once():
    inner = zipped(**{"tweets.js": "here"})

    assert read_parts(zipped(**{"part-1.zip": inner}), POSTS) == [("tweets.js", b"here")]
    assert read_parts(tarred(("part-1.zip", inner)), POSTS) == [("tweets.js", b"here")]
    with pytest.raises(ArchiveRefused, match="nested more than 1 deep"):
        read_parts(zipped(**{"a.zip": zipped(**{"b.zip": inner})}), POSTS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (zipped(**{"../../etc/passwd": "x", "tweets.js": "x"}), "leads out"),
        (zipped(**{"a/../../tweets.js": "x"}), "leads out"),
        (zipped(**{"/etc/tweets.js": "x"}), "leads out"),
        (zipped(**{"C:/tweets.js": "x"}), "leads out"),
        (tarred(("../tweets.js", b"x")), "leads out"),
        (tarred(("/tweets.js", b"x")), "leads out"),
        (tarred(("a.js", b"x"), link="tweets.js"), "is a link"),
        (linked_zip(), "is a link"),
        (zipped(**{"tweets.js": b"0" * 30_000_000}), "more than 200 times itself"),
        (tarred(("other.bin", b"0" * 30_000_000)), "more than 200 times itself"),
        (b"PK\x03\x04broken" + b"\0" * 99, "not a zip"),
        (zipped(**{"tweets.js": "x" * 99})[:-30], "not a zip"),
        (tarred(("tweets.js", bytes(range(256)) * 40))[:90], "truncated"),
    ],
    ids=map(str, range(13)),
)
def test_an_archive_that_nobody_made_by_honest_means_is_refused_in_words(body, said):
    with pytest.raises(ArchiveRefused, match=said):
        read_parts(body, POSTS)


def test_the_parts_together_are_bounded_and_so_are_the_entries(monkeypatch):
    body = zipped(**{f"{n}__tweets.js": bytes(range(256)) * 4 for n in range(3)})
    monkeypatch.setattr(archive, "MAX_BYTES", 3000)
    with pytest.raises(ArchiveRefused, match="more than 3000 bytes"):
        read_parts(body, POSTS)

    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    with pytest.raises(ArchiveRefused, match="more than 2 entries"):
        read_parts(body, POSTS)


def test_an_archive_with_a_password_is_refused_in_words():
    body = bytearray(zipped(**{"tweets.js": "x"}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(header) + flags] |= 1

    with pytest.raises(ArchiveRefused, match="password"):
        read_parts(bytes(body), POSTS)
