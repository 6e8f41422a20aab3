"""Copies among what was cleaned: found across the world, and by meaning only when somebody asks for it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import PARAGRAPH
from own_texts import clean_all, entry, own_world, prose, write_entries

from include import erasure, erasure_wanted
from include.documents import open_documents
from include.duplicates import report_duplicates
from include.embedding_cache import cache_size
from include.indexing import index_mark
from include.settings import Settings
from ml.embed import Embedder

TOLD = (
    "The harbour keeps a ledger of every rope. Each morning the clerk checks it before the boats leave, and "
    "writes down which ones are worn. Nobody reads the ledger until a rope breaks in a storm. "
    "Then everybody wants to know who wrote what, and on which day, and why it was not mended."
)
RETOLD = (
    "Every rope is in the harbour's ledger. The clerk goes through it each morning before the boats go out, "
    "noting down the worn ones. The ledger is read by nobody until some rope snaps in a storm. "
    "After that, all ask who noted what, and when, and why nobody mended it."
)
TEXTS = (prose(1), prose(1), TOLD, RETOLD, PARAGRAPH * 2)


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of one text, its copy, the same in other words, and a stranger."""
    return own_world(settings, tmp_path, *(entry(i, t) for i, t in enumerate(TEXTS)))


def copies(world: Settings) -> dict[str, tuple[str, str]]:
    """Say of each copy which address it is a copy of, and how that was found."""
    with open_documents(world) as documents:
        found = {d.id: d for d in documents.clean(index_mark(world))}
    return {
        d.url[-2]: (found[d.duplicate_of].url[-2], d.duplicate_how)
        for d in found.values()
        if d.duplicate_of
    }


def forget_pictures(world: Settings, url: str) -> None:
    """Take away what is drawn of a document, as forgetting it does."""
    (place,) = (p for p in erasure.PLACES if p.name == "pictures")
    with open_documents(world) as documents:
        wanted = erasure_wanted.look_for(
            documents, frozenset({url}), frozenset(), datetime.now(UTC)
        )
        place.erase(erasure_wanted.Doors(world, documents, None, None), wanted)


def test_copies_are_found_by_their_meaning_when_asked_for_and_each_text_is_embedded_once(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[str] = []
    stream = Embedder.stream

    def counted(self: Embedder, texts: list[str]) -> object:
        embedded.extend(texts)
        return stream(self, texts)

    monkeypatch.setattr(Embedder, "stream", counted)
    clean_all(world)
    assert copies(world) == {"1": ("0", "exact")} and not embedded
    report = report_duplicates(world)
    assert (report["drawn"], report["copies"]) == (True, 1)
    assert "Number 1 → Number 0" in Path(str(report["file"])).read_text()
    assert report_duplicates(world) == report | {"drawn": False}
    forget_pictures(world, "https://own.example/2/")
    assert report_duplicates(world) == report | {"drawn": False}
    forget_pictures(world, "https://own.example/1/")
    assert report_duplicates(world) == report

    world = world.model_copy(update={"semantic_duplicate": 0.9})
    clean_all(world)
    assert copies(world) == {"1": ("0", "exact"), "3": ("2", "semantic")}
    assert report_duplicates(world) == report | {"copies": 2}
    once = len(embedded)
    clean_all(world)
    assert len(embedded) == once > 0

    held = cache_size(world)["embeddings"]
    write_entries(world, *(entry(i, t) for i, t in enumerate(TEXTS) if t != RETOLD))
    clean_all(world)
    assert copies(world) == {"1": ("0", "exact")} and cache_size(world)["embeddings"] == held - 1
