"""A folder of Markdown: front matter is believed where it makes sense, and nothing outside the folder is read."""

from datetime import UTC, datetime

import pytest
from builders import PARAGRAPH

from include.sources import crawl
from ml.types import Author, Source

MAREN = Author("maren-oduya", "Maren Oduya", ("maren@oduya.example",))


def source(folder, **options) -> Source:
    return Source("notes", MAREN, "folder", str(folder), "yes, 2026", options)


def write(folder, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_file_with_front_matter_becomes_a_document(settings, documents, tmp_path):
    write(
        tmp_path,
        "2026/rope.md",
        f"---\ntitle: A rope\ndate: 2026-02-03\nslug: ropes\n---\n\n{PARAGRAPH}\n\n```\nx  y\n```\n",
    )

    (found,) = crawl(
        settings, source(tmp_path, web_url="https://q.example/notes/"), documents
    ).documents

    assert (found.title, found.url) == ("A rope", "https://q.example/notes/2026/ropes/")
    assert found.text == f"{PARAGRAPH}\n\n```\nx  y\n```"
    assert found.published_at == datetime(2026, 2, 3, tzinfo=UTC)


def test_a_file_without_front_matter_is_named_by_its_heading_or_its_name(
    settings, documents, tmp_path
):
    write(tmp_path, "a.md", f"# The rope\n\n{PARAGRAPH}")
    write(tmp_path, "the-knot.md", PARAGRAPH)

    found = crawl(settings, source(tmp_path), documents).documents

    assert [d.title for d in found] == ["The rope", "the knot"]
    assert found[0].text == PARAGRAPH.rstrip()
    assert found[0].url == (tmp_path / "a.md").as_uri()


def test_drafts_hidden_files_links_and_other_authors_are_not_taken(settings, documents, tmp_path):
    outside = tmp_path / "outside.md"
    outside.write_text(PARAGRAPH)
    folder = tmp_path / "notes"
    write(folder, "draft.md", f"---\ndraft: true\n---\n{PARAGRAPH}")
    write(folder, ".git/x.md", PARAGRAPH)
    write(folder, "a.txt", PARAGRAPH)
    write(folder, "guest.md", f"---\nauthor: Someone Else\n---\n{PARAGRAPH}")
    write(folder, "broken.md", f"---\ntitle: [\n---\n{PARAGRAPH}")
    write(folder, "mine.md", f"---\nauthor: Maren Oduya\n---\n{PARAGRAPH}")
    (folder / "link.md").symlink_to(outside)

    found = crawl(settings, source(folder), documents)

    assert [d.title for d in found.documents] == ["mine"]
    assert {r.reason for r in found.rejected} == {"other-author", "front-matter"}


def test_unchanged_files_are_counted_and_deleted_ones_are_gone(settings, documents, tmp_path):
    write(tmp_path, "a.md", PARAGRAPH)
    write(tmp_path, "b.md", PARAGRAPH * 2)
    first = crawl(settings, source(tmp_path), documents)
    documents.put(first.documents)

    (tmp_path / "b.md").unlink()
    second = crawl(settings, source(tmp_path), documents)

    assert (second.documents, second.unchanged, second.gone) == ([], 1, [first.documents[1].id])


def test_a_file_that_breaks_is_rejected_and_not_gone(settings, documents, tmp_path):
    write(tmp_path, "a.md", PARAGRAPH)
    write(tmp_path, "b.md", PARAGRAPH * 2)
    documents.put(crawl(settings, source(tmp_path), documents).documents)

    write(tmp_path, "b.md", "---\ntitle: [\n---\nx")
    found = crawl(settings, source(tmp_path), documents)

    assert ([r.reason for r in found.rejected], found.gone) == (["front-matter"], [])


def test_a_missing_folder_is_a_sentence(settings, documents, tmp_path):
    with pytest.raises(ConnectionError, match="no folder; correct `where`"):
        crawl(settings, source(tmp_path / "none"), documents)
