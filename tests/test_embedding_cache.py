"""The embedding cache: nothing is computed twice, damage costs time only, and what is forgotten is in no file."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import chunk, cleaned
from own_texts import prose
from small_embedders import DIMENSIONS, make_embedder

from include import embedding_cache
from include.documents import open_documents
from include.embedding_cache import (
    cache_file,
    cache_size,
    embed_chunks,
    forget_documents,
    forget_embeddings,
    open_embedder,
)
from include.indexing import index_chunks, index_mark
from include.settings import ROOT, Settings
from include.vectors import open_vectors
from ml.files import hash_files
from ml.types import Chunk, digest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Make two embedders, A and B, once; the settings name A and where both are exported to."""
    folder = tmp_path_factory.mktemp("embedders")
    for seed, name in enumerate("AB"):
        make_embedder(folder / name, seed)
    return Settings(embedder=str(folder / "A"), cache_dir=folder / "cache")


@pytest.fixture
def alone(made: Settings, tmp_path: Path) -> Settings:
    """Make a world without any server, for the cache alone."""
    return made.model_copy(update={"data_dir": tmp_path / "data"})


@pytest.fixture
def world(made: Settings, settings: Settings, tmp_path: Path) -> Settings:
    """Make a world for the whole index; embedders of random weights would pass no probes."""
    its = {"embedder": made.embedder, "cache_dir": made.cache_dir, "probe_share": 0.0}
    return settings.model_copy(update=its)


def index(world: Settings, texts: Mapping[int, str]) -> dict[str, int]:
    """Let just these be the clean documents, by number, and bring the index up to date."""
    wanted = {n: cleaned(text, url=f"https://own.example/{n}/") for n, text in texts.items()}
    revised = {d.id: replace(d, revision=digest(d.text)) for d in wanted.values()}
    with open_documents(world) as documents:
        mark = index_mark(world)
        documents.remove_clean(c.id for c in documents.clean(mark) if c.id not in revised)
        documents.put_clean(revised.values(), mark)
    return index_chunks(world)


def other(world: Settings) -> Settings:
    """Return the same world with embedder B."""
    return world.model_copy(update={"embedder": world.embedder[:-1] + "B"})


def chunks(*texts: str, document: int = 0) -> list[Chunk]:
    """Make the passages of one document."""
    source = cleaned(url=f"https://own.example/{document}/")
    return [chunk(t, position=i, document=source) for i, t in enumerate(texts)]


def computed(world: Settings, given: list[Chunk]) -> int:
    """Embed passages and count what had to be computed."""
    return embed_chunks(world, open_embedder(world), given)[1]


def everything(folder: Path) -> bytes:
    """Read every file below a folder."""
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


POSTS = {n: prose(n, 4) for n in range(100)}


def test_a_run_with_nothing_changed_embeds_nothing_and_writes_nothing(world, tmp_path):
    first = index(world, POSTS)
    before = hash_files(tmp_path)

    again = index(world, POSTS)

    counts = {"embedded": 100, "reused": 0, "deleted": 0, "chunks": 100}
    assert first == counts | {"colour": first["colour"], "published": True}
    assert again == first | {"embedded": 0, "published": False}
    assert hash_files(tmp_path) == before


def test_of_a_hundred_texts_the_changed_one_is_embedded_and_the_vanished_one_is_erased(world):
    index(world, POSTS)
    now = {n: t for n, t in POSTS.items() if n != 7} | {41: prose(1000, 4)}

    said = index(world, now)

    assert said == said | {"embedded": 1, "reused": 0, "deleted": 2, "chunks": 99}
    assert computed(world, chunks(POSTS[7], POSTS[41])) == 1


def test_a_switch_of_embedder_and_back_computes_nothing_and_gives_the_same_index(world):
    index(world, POSTS)
    with open_vectors(world) as vectors:
        before = {c.id: v.tolist() for c, v in vectors.scan()}

    there = index(other(world), POSTS)
    back = index(world, POSTS)

    assert (there["embedded"], there["reused"]) == (100, 0)
    assert (back["embedded"], back["chunks"], back["published"]) == (0, 100, True)
    with open_vectors(world) as vectors:
        assert {c.id: v.tolist() for c, v in vectors.scan()} == before
    assert cache_size(world)["embeddings"] == 200 and cache_size(world)["embedders"] == 2


def test_the_vectors_are_the_embedders_and_equal_texts_are_computed_once(alone):
    embedder, given = open_embedder(alone), chunks("a rope", "a tide", "a rope", "Größe 🚢")

    vectors, count = embed_chunks(alone, embedder, given)
    again, recount = embed_chunks(alone, embedder, given[::-1])

    assert (count, recount) == (3, 0)
    assert np.array_equal(vectors, again[::-1])
    assert np.allclose(vectors[:3], embedder.encode(["a rope", "a tide", "a rope"]), atol=1e-6)


def test_no_passages_make_no_file(alone):
    vectors, count = embed_chunks(alone, open_embedder(alone), [])

    assert (vectors.shape, count) == ((0, DIMENSIONS), 0)
    assert cache_size(alone) == {"embeddings": 0, "embedders": 0, "bytes": 0}
    assert forget_embeddings(alone, ["a rope"]) == forget_documents(alone, ["x"]) == 0
    assert not alone.data_dir.exists()


def damaged(file: Path, how: str) -> bytes:
    whole = file.read_bytes()
    if how == "no database":
        return b"no database" * 4000
    if how == "cut short":
        return whole[: len(whole) // 2]
    return whole[:16384] + b"\xff" * (len(whole) - 16384)


@pytest.mark.parametrize("how", ["no database", "cut short", "overwritten"])
def test_a_damaged_file_is_made_anew_with_a_warning(alone, caplog, how):
    given = chunks(*(f"rope {i}" for i in range(40)))
    computed(alone, given)
    cache_file(alone).write_bytes(damaged(cache_file(alone), how))

    assert computed(alone, given) == 40

    assert "is damaged" in caplog.text and "made anew" in caplog.text
    assert computed(alone, given) == 0


def test_an_embedding_with_a_flipped_bit_is_computed_anew(alone, caplog):
    embedder, given = open_embedder(alone), chunks("a rope", "a tide")
    vectors, _ = embed_chunks(alone, embedder, given)
    file, wanted = cache_file(alone), vectors[0].tobytes()
    file.write_bytes(file.read_bytes().replace(wanted, wanted[:9] + b"?" + wanted[10:]))

    again, count = embed_chunks(alone, embedder, given)

    assert count == 1 and np.array_equal(again, vectors)
    assert "an embedding of the cache is damaged" in caplog.text


def test_a_file_that_cannot_be_opened_is_a_sentence(alone):
    cache_file(alone).mkdir(parents=True)

    with pytest.raises(OSError, match=r"embeddings\.db cannot be used.*may be deleted"):
        computed(alone, chunks("a rope"))


FILL = """
import sys
from pathlib import Path
from builders import chunk, cleaned
from include.embedding_cache import embed_chunks, open_embedder
from include.settings import Settings
embedder, cache, data, first = sys.argv[1:]
world = Settings(data_dir=Path(data), embedder=embedder, cache_dir=Path(cache))
loaded, source = open_embedder(world), cleaned()
for start in range(int(first), int(first) + 60, 3):
    embed_chunks(world, loaded, [chunk(f"rope {i}", document=source) for i in range(start, start + 3)])
"""


def test_two_processes_fill_one_cache(alone):
    path = [str(ROOT), str(ROOT / "tests")]
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{FILL}"]
    given = [alone.embedder, str(alone.cache_dir), str(alone.data_dir)]
    computed(alone.model_copy(update={"data_dir": alone.data_dir / "other"}), chunks("warm"))

    both = [subprocess.Popen([*command, *given, first]) for first in ("0", "30")]

    assert [p.wait(timeout=120) for p in both] == [0, 0]
    assert cache_size(alone)["embeddings"] == 90
    assert computed(alone, chunks(*(f"rope {i}" for i in range(90)))) == 0


def test_what_is_forgotten_is_in_no_file_by_any_embedder_former_revisions_included(alone):
    old, new = chunks("what I once wrote", "kept"), chunks("what I wrote then", "kept")
    others = chunks("somebody else's", document=1)
    secret = [embed_chunks(w, open_embedder(w), old)[0][0] for w in (alone, other(alone))]
    secret.append(embed_chunks(alone, open_embedder(alone), new)[0][0])
    computed(alone, others)
    assert all(v.tobytes() in everything(alone.data_dir) for v in secret)

    gone = forget_embeddings(alone, ["what I wrote then"])

    assert gone == 5
    left = everything(alone.data_dir)
    assert not any(v.tobytes()[8:24] in left for v in secret)
    assert embedding_cache._hash("what I once wrote") not in left
    assert computed(alone, others) == 0 and computed(alone, new) == 2
    assert forget_embeddings(alone, ["what I once wrote", "never seen"]) == 0


def test_while_somebody_reads_what_is_forgotten_that_is_said_and_it_may_be_asked_again(
    alone, monkeypatch
):
    monkeypatch.setattr(embedding_cache, "PATIENCE_SECONDS", 0.05)
    computed(alone, chunks("a rope"))
    with embedding_cache._open(cache_file(alone)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM embeddings").fetchone()
        with pytest.raises(TimeoutError, match="Forget them again"):
            forget_embeddings(alone, ["a rope"])

    assert forget_embeddings(alone, ["a rope"]) == 0
    assert cache_size(alone)["embeddings"] == 0


def test_an_embedder_is_loaded_once_and_again_when_its_files_change(
    settings: Settings, tmp_path: Path
) -> None:
    folder = make_embedder(tmp_path / "small", 1)
    world = settings.model_copy(update={"embedder": str(folder), "cache_dir": tmp_path})

    first = open_embedder(world)
    assert open_embedder(world) is first and index_mark(world) == index_mark(world)

    make_embedder(folder, 2)
    assert open_embedder(world).fingerprint != first.fingerprint
