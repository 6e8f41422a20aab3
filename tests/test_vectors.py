"""One contract, two stores: a real Weaviate and a LanceDB folder have to behave alike."""

import gc
import json
import os
import socket
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx
import numpy as np
import pytest
from builders import MOMENT
from conftest import free_port

from include.services import settings_environment
from include.settings import Settings
from include.vectors import VectorStore, collection_name, open_vectors
from ml.types import Chunk, digest

AXES = np.eye(8, dtype=np.float32)
E = [AXES[i] for i in range(8)]


@pytest.fixture(scope="session")
def ready_weaviate(weaviate_server: tuple[int, int]) -> tuple[int, int]:
    """Wait for the server: its port is open some seconds before it answers questions."""
    url = f"http://127.0.0.1:{weaviate_server[0]}/v1/.well-known/ready"
    deadline = time.monotonic() + 60
    while httpx.get(url, timeout=10).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    return weaviate_server


@pytest.fixture(params=["weaviate", "lancedb"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Name a world with an index of its own; nothing is made yet."""
    name = f"t{uuid.uuid4().hex[:12]}"
    if request.param == "lancedb":
        return Settings(
            data_dir=tmp_path, mongo_database=name, vectors_url=f"lancedb://{tmp_path}/v"
        )
    http, grpc = request.getfixturevalue("ready_weaviate")
    return Settings(
        data_dir=tmp_path, mongo_database=name, weaviate_port=http, weaviate_grpc_port=grpc
    )


@pytest.fixture
def store(world: Settings) -> Iterator[VectorStore]:
    with open_vectors(world) as opened:
        yield opened


def passage(text: str, **changes: object) -> Chunk:
    """Make a chunk that only its text, and what a test changes, tell from others."""
    plain = Chunk(
        id=digest("chunk", text),
        document_id=digest("document", text),
        revision="r1",
        position=0,
        text=text,
        heading="",
        start=0,
        end=len(text),
        author="maren-oduya",
        kind="article",
        title="",
        url="https://example.org/a/",
        published_at=MOMENT,
    )
    return replace(plain, **changes)


def fill(store: VectorStore, *chunks: Chunk) -> tuple[Chunk, ...]:
    """Write chunks, each along an axis of its own."""
    store.upsert(chunks, AXES[: len(chunks)])
    return chunks


def found(hits: list) -> list[str]:
    return [h.chunk.text for h in hits]


def test_an_index_that_nobody_made_is_empty(store: VectorStore) -> None:
    assert (store.ids(), store.count()) == (set(), 0)
    assert store.search("rope", E[0], limit=5) == []
    assert store.dense(E[0], limit=5) == []
    store.delete(["unknown"])
    assert list(store.scan()) == []
    store.upsert([], np.zeros((0, 8), dtype=np.float32))
    store.upsert([], np.zeros(0, dtype=np.float32))
    assert store.count() == 0


def test_every_field_comes_back_as_it_was(store: VectorStore) -> None:
    chunk = passage(
        "Zwei  Leerzeichen\n\n\ttab — “quotes” 🚢 \\n",
        heading="H > h",
        title='T "t"',
        kind="code",
        position=7,
        start=3,
        end=40,
        published_at=datetime(2025, 12, 31, 23, 59, 59, 123456, tzinfo=UTC),
    )
    undated = passage("undated", published_at=None)
    fill(store, chunk, undated)
    assert store.dense(E[0], limit=1)[0].chunk == chunk
    assert store.dense(E[1], limit=1)[0].chunk == undated
    assert store.search("tab", E[0], limit=1)[0].chunk == chunk


def test_dense_scores_are_cosines_best_first(store: VectorStore) -> None:
    fill(store, passage("one"), passage("two"), passage("three"))
    hits = store.dense(np.array([3, 4, 0, 0, 0, 0, 0, 0], dtype=np.float32), limit=3)
    assert found(hits) == ["two", "one", "three"]
    assert [h.score for h in hits] == pytest.approx([0.8, 0.6, 0.0], abs=1e-5)
    assert store.dense(-E[0], limit=3)[-1].score == pytest.approx(-1.0, abs=1e-5)


def test_writing_the_same_ids_twice_leaves_one_with_the_new_words(store: VectorStore) -> None:
    chunk, other = fill(store, passage("the old harbour"), passage("a lighthouse"))
    newer = replace(chunk, text="the new marina")
    store.upsert([newer, newer], np.stack([E[3], E[4]]))
    assert (store.count(), store.ids()) == (2, {chunk.id, other.id})
    assert store.dense(E[4], limit=1)[0].score == pytest.approx(1.0, abs=1e-5)
    assert found(store.search("marina", E[7], limit=5, alpha=0)) == ["the new marina"]
    assert store.search("harbour", E[7], limit=5, alpha=0) == []


def test_words_written_later_are_found_and_deleted_ones_are_not(store: VectorStore) -> None:
    first, *_ = fill(store, passage("anchors aweigh"), passage("ballast water"))
    store.upsert([passage("capstan bars")], E[2][None])
    assert found(store.search("capstan", E[7], limit=5, alpha=0)) == ["capstan bars"]
    store.delete([first.id, "unknown", first.id])
    assert store.search("anchors", E[7], limit=5, alpha=0) == []
    assert "anchors aweigh" not in found(store.dense(E[0], limit=5))
    store.delete(iter([first.id]))
    assert store.count() == 2 and first.id not in store.ids()
    store.delete(store.ids())
    assert store.count() == 0 and store.search("capstan", E[2], limit=5) == []


def test_alpha_chooses_between_meaning_and_words(store: VectorStore) -> None:
    fill(store, passage("rope and knots"), passage("sails"), passage("tides"))
    assert found(store.search("rope", E[1], limit=3, alpha=1))[0] == "sails"
    assert found(store.search("rope", E[1], limit=3, alpha=0)) == ["rope and knots"]
    assert found(store.search("rope", E[1], limit=3, alpha=0.9))[:2] == ["sails", "rope and knots"]
    assert found(store.search("rope", E[1], limit=3, alpha=0.1))[:2] == ["rope and knots", "sails"]


def test_both_ways_are_stretched_before_they_are_mixed(store: VectorStore) -> None:
    fill(store, passage("rope and knots"), passage("sails"), passage("tides"))
    question = np.array([0.5, 1, 0, 0, 0, 0, 0, 0], dtype=np.float32)
    hits = store.search("rope", question, limit=3, alpha=0.7)
    assert found(hits) == ["sails", "rope and knots", "tides"]
    # Cosines .447, .894 and 0 are stretched to .5, 1 and 0; the only match of the words has 1 of them.
    assert [h.score for h in hits] == pytest.approx([0.7, 0.65, 0.0], abs=1e-4)


@pytest.mark.parametrize(
    "question",
    [
        "größentabelle",
        "ПРИВЕТ, как дела",
        "naïve",
        "ολα",
        "parse_url(address)",
        "retry-after",
        "don't",
        "HTTPServer",
        "the",
        "x" * 60,
    ],
)
def test_words_of_any_language_and_of_code_are_found(store: VectorStore, question: str) -> None:
    texts = [
        "Die Größentabelle stimmt nicht",
        "привет, мир",
        "A naïve cache",
        "ολα καλα",
        "def parse_url(address: str) -> Url:\n    return Url(address)",
        'headers["Retry-After"] = 5',
        "We don't know",
        "class HTTPServer:",
    ]
    wanted = {t for t in [*texts, "the", "x" * 60] if question.lower()[:4] in t.lower()}
    chunks = [passage(t) for t in [*texts, "the", "x" * 60]]
    store.upsert(chunks, np.tile(E[0], (len(chunks), 1)))
    assert found(store.search(question, E[1], limit=1, alpha=0))[0] in wanted


def test_title_and_heading_count_as_words(store: VectorStore) -> None:
    fill(store, passage("one", title="On mooring"), passage("two", heading="Why buoys drift"))
    assert found(store.search("mooring", E[7], limit=5, alpha=0)) == ["one"]
    assert found(store.search("buoys", E[7], limit=5, alpha=0)) == ["two"]


@pytest.mark.parametrize(
    "question", ["", "   ", "?!…", "' OR 1=1 --", '"', "(", "a AND (", "👋", "\\"]
)
def test_odd_questions_do_not_raise(store: VectorStore, question: str) -> None:
    fill(store, passage("rope"), passage("sails"))
    assert found(store.search(question, E[0], limit=2))[0] == "rope"
    assert isinstance(store.search(question, E[0], limit=2, alpha=0), list)
    assert found(store.search(question, E[0], limit=2, alpha=1))[0] == "rope"


def test_a_question_without_words_finds_nothing_by_words(store: VectorStore) -> None:
    fill(store, passage("rope"))
    assert store.search("?!", E[0], limit=2, alpha=0) == []


def test_authors_and_kinds_are_compared_as_a_whole(store: VectorStore) -> None:
    fill(
        store,
        passage("one", author="a"),
        passage("two", author="maren oduya"),
        passage("three", author="Maren Oduya", kind="code"),
        passage("four", author="maren", kind="post"),
    )
    assert found(store.dense(E[0], limit=9, author="a")) == ["one"]
    assert found(store.dense(E[0], limit=9, author="maren oduya")) == ["two"]
    assert found(store.dense(E[0], limit=9, author="maren")) == ["four"]
    assert found(store.dense(E[0], limit=9, kind="code")) == ["three"]
    assert found(store.dense(E[0], limit=9, author="maren", kind="code")) == []
    assert found(store.search("one two three four", E[0], limit=9, author="a")) == ["one"]
    assert store.dense(E[0], limit=9, author="") == []


@pytest.mark.parametrize(
    "author", ["O'Hara", "x' OR '1'='1", 'say "hi"', "back\\slash", "per%cent_", "Ünï çödé", "a*"]
)
def test_no_author_name_breaks_out_of_the_filter(store: VectorStore, author: str) -> None:
    fill(store, passage("mine", author=author), passage("other", author="somebody"))
    assert found(store.dense(E[1], limit=9, author=author)) == ["mine"]
    assert found(store.search("mine other", E[1], limit=9, author=author)) == ["mine"]


def test_ids_with_quotes_are_deleted_and_nothing_else(store: VectorStore) -> None:
    fill(store, passage("one", id="it's"), passage("two", id="x') OR ('1'='1"), passage("three"))
    store.delete(["x') OR ('1'='1"])
    assert sorted(found(store.dense(E[0], limit=9))) == ["one", "three"]
    store.delete(["it's"])
    assert store.count() == 1


def test_erased_documents_and_chunks_are_gone_and_nothing_else(
    store: VectorStore, world: Settings
) -> None:
    assert (store.purge(["nobody"], ["none"]), store.holds("nobody")) == (0, 0)
    *_, kept, alone = fill(
        store,
        passage("one", document_id="d' OR 1=1"),
        passage("two", document_id="d' OR 1=1"),
        passage("three", document_id="other"),
        passage("four"),
    )
    assert [store.holds(d) for d in ("d' OR 1=1", "other", "nobody")] == [2, 1, 0]
    assert store.purge(["d' OR 1=1", "nobody"]) == 2
    assert store.purge((), [alone.id, "unknown"]) == 1
    with open_vectors(world) as again:
        assert (again.holds("d' OR 1=1"), again.ids()) == (0, {kept.id})
        assert again.search("one two four", E[0], limit=9, alpha=0) == []


def test_what_was_erased_is_in_no_file_of_the_store(
    store: VectorStore,
    world: Settings,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    servers = tmp_path_factory.getbasetemp().glob("weaviate*")
    folder = tmp_path / "v" if world.vectors_url else next(servers)
    phrase = "Zyxquorble vexillology hums at noon"

    def holding() -> list[Path]:
        files = [f for f in folder.rglob("*") if f.is_file()]
        words = (phrase.encode(), phrase.split()[0].lower().encode())
        return [f for f in files if any(w in f.read_bytes() for w in words)]

    fill(store, passage(f"{phrase}, it said.", document_id="d"), passage("three"))
    deadline = time.monotonic() + 10
    while not holding() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holding(), "the test would see nothing"

    assert store.purge(["d"]) == 1 and holding() == []
    with open_vectors(world) as again:
        assert found(again.dense(E[1], limit=9)) == ["three"]


def test_since_is_included_and_until_is_not(store: VectorStore) -> None:
    day = timedelta(days=1)
    fill(
        store,
        passage("before", published_at=MOMENT - timedelta(microseconds=1000)),
        passage("at"),
        passage("after", published_at=MOMENT + day),
        passage("undated", published_at=None),
    )

    def between(since: datetime | None, until: datetime | None) -> list[str]:
        dense = sorted(found(store.dense(E[0], limit=9, since=since, until=until)))
        mixed = store.search("at after before undated", E[0], limit=9, since=since, until=until)
        assert sorted(found(mixed)) == dense
        return dense

    assert between(MOMENT, None) == ["after", "at"]
    assert between(None, MOMENT) == ["before"]
    assert between(MOMENT, MOMENT + day) == ["at"]
    assert between(MOMENT, MOMENT) == []
    assert between(None, None) == ["after", "at", "before", "undated"]
    elsewhere = (MOMENT + day).astimezone(timezone(timedelta(hours=9)))
    assert between(elsewhere, None) == ["after"]


def test_a_time_without_a_zone_is_refused(store: VectorStore) -> None:
    naive = datetime(2026, 1, 1)
    with pytest.raises(ValueError, match="since is 2026-01-01T00:00:00, a time without a zone"):
        store.dense(E[0], limit=1, since=naive)
    with pytest.raises(ValueError, match="without a zone"):
        store.search("a", E[0], limit=1, until=naive)
    with pytest.raises(ValueError, match="published_at of chunk"):
        fill(store, passage("a", published_at=naive))
    assert store.count() == 0


def test_limits_of_every_size_work(store: VectorStore) -> None:
    fill(store, passage("one"), passage("two"), passage("three"))
    for limit in (0, -1):
        assert store.search("one", E[0], limit=limit) == [] == store.dense(E[0], limit=limit)
    for limit, many in ((1, 1), (3, 3), (50, 3), (1_000_000, 3)):
        assert len(store.search("one", E[0], limit=limit)) == many
        assert len(store.dense(E[0], limit=limit)) == many


def test_embeddings_that_would_spoil_the_index_are_refused(store: VectorStore) -> None:
    chunk = passage("one")
    for bad, says in (
        (np.full((1, 8), np.nan), "zero or not finite"),
        (np.zeros((1, 8)), "zero or not finite"),
        (AXES[:2], "1 chunks and 2 embeddings"),
        (E[0][:1], "shape"),
        (np.zeros((1, 0)), "shape"),
    ):
        with pytest.raises(ValueError, match=says):
            store.upsert([chunk], bad.astype(np.float32))
    assert store.count() == 0
    for question in (np.zeros(8), np.full(8, np.inf), AXES):
        with pytest.raises(ValueError, match="one finite vector"):
            store.dense(question.astype(np.float32), limit=1)
    with pytest.raises(ValueError, match="alpha is 1.5"):
        store.search("a", E[0], limit=1, alpha=1.5)


def test_vectors_of_another_size_are_refused(store: VectorStore, world: Settings) -> None:
    fill(store, passage("one"))
    other = np.ones(5, dtype=np.float32)
    with open_vectors(world) as again:
        for opened in (store, again):
            with pytest.raises(ValueError, match="holds vectors of 8 numbers, these have 5"):
                opened.upsert([passage("two")], other[None])
            with pytest.raises(ValueError, match="holds vectors of 8 numbers, these have 5"):
                opened.search("one", other, limit=1)
            with pytest.raises(ValueError, match="TWIN_EMBEDDER"):
                opened.dense(other, limit=1)
    assert store.ids() == {passage("one").id}


def test_worlds_do_not_mix(store: VectorStore, world: Settings) -> None:
    fill(store, passage("mine"))
    with open_vectors(world.model_copy(update={"mongo_database": "other-world"})) as other:
        assert (other.count(), other.dense(E[0], limit=5)) == (0, [])
    with open_vectors(world) as again:
        assert again.count() == 1


def test_names_of_worlds_stay_apart() -> None:
    assert collection_name("twin") == "Chunks_twin"
    assert collection_name("my-twin") != collection_name("my_twin") != collection_name("my.twin")
    assert all(c.isascii() and (c.isalnum() or c == "_") for c in collection_name("zwölf ';--"))


def test_a_thousand_chunks_are_all_there_and_found(store: VectorStore) -> None:
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((1_200, 32)).astype(np.float32)
    chunks = [passage(f"passage number{i}", position=i) for i in range(1_200)]
    store.upsert(chunks, vectors)
    assert store.count() == 1_200 and store.ids() == {c.id for c in chunks}
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for i in range(0, 1_200, 60):
        question = unit[i] + 0.3 * unit[i - 1]
        exact = np.argsort(-(unit @ question))[:10]
        hits = store.dense(question, limit=10)
        assert len({h.chunk.position for h in hits} & set(exact.tolist())) >= 9
        assert found(store.search(f"number{i}", unit[i], limit=1)) == [f"passage number{i}"]
    store.delete(c.id for c in chunks[:1_100])
    assert store.ids() == {c.id for c in chunks[1_100:]}


def test_a_scan_yields_every_chunk_with_its_own_embedding(store: VectorStore) -> None:
    written = fill(store, *(passage(f"passage {i}") for i in range(8)))
    scanned = {chunk.id: (chunk, embedding) for chunk, embedding in store.scan()}
    assert {i: chunk for i, (chunk, _) in scanned.items()} == {c.id: c for c in written}
    for axis, chunk in zip(E, written, strict=True):
        assert np.allclose(scanned[chunk.id][1], axis)


def test_another_open_store_sees_what_was_written(store: VectorStore, world: Settings) -> None:
    with open_vectors(world) as reader:
        assert reader.count() == 0
        one, two = fill(store, passage("one"), passage("two"))
        assert reader.count() == 2
        assert found(reader.search("two", E[0], limit=1, alpha=0)) == ["two"]
        store.delete([two.id])
        assert reader.ids() == {one.id}


WRITER = """
import json, sys, time
import numpy as np
from include.settings import load_settings
from include.vectors import open_vectors
sys.path.insert(0, "tests")
from test_vectors import passage
settings, name = load_settings(), sys.argv[1]
with open_vectors(settings) as store:
    (settings.data_dir / f"{name}.ready").touch()
    while len(list(settings.data_dir.glob("*.ready"))) < 2:
        time.sleep(0.001)
    for turn in range(5):
        chunks = [passage(f"{name} {turn} {i}") for i in range(10)] + [passage("shared")]
        store.upsert(chunks, np.ones((11, 8), dtype=np.float32))
        store.delete([passage(f"{name} {turn} 0").id])
    print(json.dumps(store.count()))
"""


def test_two_processes_may_make_and_fill_the_index_at_once(
    store: VectorStore, world: Settings
) -> None:
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, **settings_environment(world), "PYTHONPATH": str(root)}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name],
            env=environment,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in ("left", "right")
    ]
    for writer in writers:
        out, err = writer.communicate(timeout=90)
        assert writer.returncode == 0, err.decode()
        # The library that tries again tells of it on the same stream.
        assert json.loads(out.splitlines()[-1]) >= 46
    assert store.count() == len(store.ids()) == 91
    assert len(store.search("left", E[0], limit=100, alpha=0)) == 45


def test_closing_leaves_nothing_open(world: Settings) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with open_vectors(world) as opened:
            fill(opened, passage("one"))
        opened.close()
        del opened
        gc.collect()
    assert [str(w.message) for w in said if issubclass(w.category, ResourceWarning)] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "weaviate://",
        "weaviate://host:port",
        "weaviate://host:99999",
        "weaviate://[::1",
        "weaviate://host:8080/path",
        "lancedb://folder",
        "lancedb://",
        "lancedb:///",
        "qdrant",
    ],
)
def test_a_wrong_address_is_a_sentence(settings: Settings, url: str) -> None:
    with pytest.raises(ValueError, match="has to look like weaviate://host:8080 or") as raised:
        open_vectors(settings.model_copy(update={"vectors_url": url}))
    assert repr(url) in str(raised.value)


def test_a_password_in_the_address_is_not_shown(settings: Settings) -> None:
    with pytest.raises(ValueError, match="TWIN_VECTORS_API_KEY") as raised:
        open_vectors(settings.model_copy(update={"vectors_url": "weaviate://me:s3cret@host:1"}))
    assert "s3cret" not in str(raised.value)


def test_a_folder_that_is_a_file_is_a_sentence(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="which is a file; name a folder"):
        open_vectors(settings.model_copy(update={"vectors_url": f"lancedb://{file}"}))


def test_a_folder_may_have_any_name_and_is_made_by_the_first_write(tmp_path: Path) -> None:
    folder = tmp_path / "what? a #folder % ü"
    with open_vectors(Settings(data_dir=tmp_path, vectors_url=f"lancedb://{folder}")) as opened:
        assert opened.count() == 0 and not folder.exists()
        fill(opened, passage("one"))
        assert folder.is_dir() and opened.count() == 1


def test_no_server_is_a_sentence_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectionError, match="start it with `make up`"):
        open_vectors(Settings(data_dir=tmp_path, weaviate_port=free_port()))
    assert time.monotonic() - started < 5


def test_a_server_that_never_answers_is_given_up_within_five_seconds(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"weaviate://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ConnectionError, match=f"No Weaviate is ready at {url}"):
            open_vectors(Settings(data_dir=tmp_path, vectors_url=url))
        assert time.monotonic() - started < 5


def test_a_wrong_grpc_port_is_named(ready_weaviate: tuple[int, int], tmp_path: Path) -> None:
    world = Settings(
        data_dir=tmp_path, weaviate_port=ready_weaviate[0], weaviate_grpc_port=free_port()
    )
    with pytest.raises(ConnectionError, match="TWIN_WEAVIATE_GRPC_PORT"):
        open_vectors(world)


@pytest.mark.parametrize("world", ["weaviate"], indirect=True)
def test_a_collection_that_is_making_its_vectors_smaller_takes_all_that_is_written(
    world: Settings, caplog
):
    # As soon as the first batch is published, the server trains its quantiser on it and takes nothing meanwhile.
    many, size = 2_400, 256
    drawn = np.random.default_rng(7).normal(size=(many, size)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    given = [passage(f"passage {number}") for number in range(many)]
    with open_vectors(world.model_copy(update={"vectors_quantizer": "pq"})) as store:
        for start in (0, 1_200):
            store.upsert(given[start : start + 1_200], drawn[start : start + 1_200])

        assert store.count() == many
    # The client would log each object that has to wait, its text and vector included.
    assert "passage" not in caplog.text
