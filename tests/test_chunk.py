"""Passages are exact slices that fit the window; nothing is lost and nothing is said twice."""

import re
from pathlib import Path

import pytest
from builders import PARAGRAPH, cleaned
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.settings import ROOT, Settings
from ml import chunk
from ml.chunk import chunk_document
from ml.embed import load_embedder
from ml.types import Chunk, CleanDocument

DEMO = Path(__file__).parent.parent / "demo" / "articles"


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("all-MiniLM-L6-v2", Settings().cache_dir)


def assert_faithful(document: CleanDocument, chunks: list[Chunk], embedder, size: int) -> None:
    covered = sorted(i for c in chunks for i in range(c.start, c.end))
    assert len(covered) == len(set(covered))
    assert all(document.text[c.start : c.end] == c.text for c in chunks)
    lost = set(range(len(document.text))) - set(covered)
    assert all(document.text[i].isspace() for i in lost)
    assert max(len(embedder.offsets(c.text)) for c in chunks) <= size


@pytest.mark.parametrize("size", [40, 200, 254])
def test_every_demo_article_is_cut_without_loss(embedder, size: int):
    for file in sorted(DEMO.rglob("*.md")):
        document = cleaned(file.read_text().split("---", 2)[2], url=f"https://x/{file.stem}")

        assert_faithful(
            document, chunk_document(document, embedder.offsets, size, "f"), embedder, size
        )


PARTS = [
    *(
        "word ",
        "\n\n",
        "\n",
        "## Head\n",
        "Under\n=====\n",
        "```py\nx = 1\n\n\ny\n```\n",
        "~~~\n",
        "é😀 ",
        "a" * 90,
    ),
    *(
        "b" * 130,
        "x.y;z! ",
        "- li\n",
        "def f():\n    return 1\n\n",
        "class A {\n  m() {}\n}\n",
        "日本語の文。",
        "\u200b",
        "\x00",
    ),
    *(
        "\t",
        "\r\n",
        "![](a.png)",
        "| a | b |\n|---|---|\n",
        "> said\n",
        "   ",
        "=" * 40,
        "supercalifragilistic",
    ),
]
texts = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=12)), max_size=60).map("".join)


@settings(max_examples=120, deadline=None)
@given(
    texts,
    st.sampled_from(["article", "post", "code"]),
    st.sampled_from(["a.py", "a.ts", "T"]),
    st.integers(4, 60),
)
# What is left of a long word has more tokens alone than it had in the word.
@example("supercalifragilistic0000000", "article", "T", 5)
@example("a supercalifragilistic0000000 tic", "post", "T", 6)
@example("0\x1fUW00000", "article", "T", 4)
def test_any_text_is_cut_without_loss(embedder, text: str, kind: str, title: str, size: int):
    document = cleaned(text, kind=kind, title=title)
    asked: list[str] = []

    def offsets(text: str) -> list[tuple[int, int]]:
        asked.append(text)
        return embedder.offsets(text)

    chunks = chunk_document(document, offsets, size, "f")

    assert asked.count(text) == 1
    assert chunks or not text.strip()
    if chunks:
        assert_faithful(document, chunks, embedder, size)


@pytest.mark.parametrize("kind", ["article", "post", "code"])
def test_this_projects_own_files_are_cut_without_loss(embedder, kind: str):
    for file in (
        Path(chunk.__file__),
        Path(__file__),
        ROOT / "README.md",
        ROOT / "docker-compose.yaml",
    ):
        document = cleaned(file.read_text(), kind=kind, title=file.name)

        assert_faithful(
            document, chunk_document(document, embedder.offsets, 200, "f"), embedder, 200
        )


def test_a_passage_knows_its_path_of_headings(embedder):
    text = f"{PARAGRAPH}\n\n## Masts\n\n{PARAGRAPH}\n\n### Wood\n\n{PARAGRAPH}\n\n## Sails\n\n{PARAGRAPH}\n"

    chunks = chunk_document(cleaned(text, title="Boats"), embedder.offsets, 200, "f")

    assert [c.heading for c in chunks] == [
        "Boats",
        "Boats > Masts",
        "Boats > Masts > Wood",
        "Boats > Sails",
    ]


def test_an_underlined_heading_is_one_as_well_and_a_ruler_is_none(embedder):
    text = f"Masts\n=====\n\n{PARAGRAPH}\n\nWood\n----\n{PARAGRAPH}\n\n---\n\n{PARAGRAPH}\n\n- a\n---\n"

    chunks = chunk_document(cleaned(text, title="Boats"), embedder.offsets, 80, "f")

    assert list(dict.fromkeys(c.heading for c in chunks)) == [
        "Boats > Masts",
        "Boats > Masts > Wood",
    ]


def test_a_class_that_is_too_long_is_cut_between_its_methods(embedder):
    body = "\n".join(f"    value{i} = compute(value{i}, {i});" for i in range(8))
    text = (
        "class A {\n"
        + "".join(f"  // About m{n}.\n  m{n}() {{\n{body}\n  }}\n\n" for n in range(6))
        + "}\n"
    )

    chunks = chunk_document(cleaned(text, kind="code", title="a.js"), embedder.offsets, 180, "f")

    assert len(chunks) == 6
    assert all(c.text.startswith(f"// About m{n}.") for n, c in enumerate(chunks) if n)


def test_a_word_is_cut_only_if_it_is_too_long_itself(embedder):
    words = [f"w{n}ordlike" for n in range(300)]
    chunks = chunk_document(cleaned(" ".join(words), kind="post"), embedder.offsets, 50, "f")

    assert [w for c in chunks for w in c.text.split()] == words
    long = cleaned("na" * 45, kind="post")
    assert "".join(c.text for c in chunk_document(long, embedder.offsets, 10, "f")) == long.text


def test_a_code_fence_that_fits_is_never_cut(embedder):
    fence = "```python\ndef f():\n\n    return 1\n\n# ## not a heading\n```"
    text = f"{PARAGRAPH * 2}\n\n{fence}\n\n{PARAGRAPH * 3}"

    chunks = chunk_document(cleaned(text), embedder.offsets, 100, "f")

    assert sum(fence in c.text for c in chunks) == 1


def test_python_is_cut_between_definitions(embedder):
    body = "\n".join(f"    value_{i} = {i} * compute(value_{i})" for i in range(12))
    text = f"import os\n\n\n@once\ndef first():\n{body}\n\n\ndef second():\n{body}\n"

    chunks = chunk_document(cleaned(text, kind="code", title="a.py"), embedder.offsets, 250, "f")

    assert [re.findall(r"def (\w+)", c.text) for c in chunks if "def" in c.text] == [
        ["first"],
        ["second"],
    ]
    assert any("@once\ndef first" in c.text for c in chunks)


def test_a_post_stays_whole(embedder):
    chunks = chunk_document(
        cleaned(f"{PARAGRAPH}\n\nAnd so.", kind="post"), embedder.offsets, 254, "f"
    )

    assert len(chunks) == 1


def test_the_same_document_has_the_same_ids_and_another_fingerprint_has_others(embedder):
    ids = [
        [c.id for c in chunk_document(cleaned(), embedder.offsets, 60, mark)]
        for mark in ("f", "f", "g")
    ]

    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
