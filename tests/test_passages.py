"""Nothing that is learned says in other words what the test says, in whatever state the index is."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import MOMENT, cleaned
from own_texts import entry, know, own_world, prose, take_in

from include.documents import open_documents
from include.embedding_cache import cache_file, cache_size, open_embedder
from include.feedback import add_judged
from include.indexing import index_chunks
from include.passages import all_passages, open_meaning, passages_of, stored_passages
from include.sample_making import Made, own_documents, pair_samples, sample_documents
from include.sample_quality import prove_samples
from include.settings import Settings
from include.validation import ValidationFailed
from include.vectors import open_vectors
from ml.answer import MARK
from ml.feedback import LEAKED
from ml.negatives import prompt_name
from ml.splits import leaking_passages
from ml.types import Feedback, Preference, Trace

# Above what unlike paragraphs of these texts have (.77), below what one and its other wording have (.91).
LIMIT = 0.85
TESTED = prose(6)


def reworded(text: str) -> str:
    """Say the same without ten words in a row that are the same."""
    said = text.replace("The ", "Each ").replace(" in that ", " at that ")
    return said.replace("; but I was wrong about the", " and yet I erred on the")


@pytest.fixture(params=["weaviate", "lancedb"])
def world(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Index six texts, of which the newest is held out, and an older one that says the newest's in other words."""
    changes: dict[str, object] = {"leak_cosine": LIMIT}
    if request.param == "weaviate":
        http, grpc = request.getfixturevalue("weaviate_server")
        changes |= {"vectors_url": "", "weaviate_port": http, "weaviate_grpc_port": grpc}
    own = [entry(n, published_at=f"2026-01-{n:02}") for n in range(2, 7)]
    copy = entry(1, reworded(TESTED), published_at="2026-01-01")
    made = own_world(settings.model_copy(update=changes), tmp_path, copy, *own)
    take_in(made)
    return made


def paragraphs(texts: list[str]) -> list[str]:
    return [p for text in texts for p in text.split("\n\n")]


def overlap(world: Settings, made: Made, pairs: list[Preference] = ()) -> int:
    """Count the paragraphs of learned answers and pairs that mean what a paragraph of a test answer means."""
    said = {
        s: [e.messages[-1].content for e in made.examples if e.split == s]
        for s in ("train", "test")
    }
    paired = [text for p in pairs if p.split == "train" for text in (p.chosen, p.rejected)]
    encode = open_embedder(world).encode
    learned, tested = (encode(paragraphs(t)) for t in (said["train"] + paired, said["test"]))
    return int(((learned @ tested.T).max(axis=1) >= world.leak_cosine).sum())


def test_no_sample_means_what_the_test_says_with_a_full_index_an_empty_one_and_a_stale_one(
    world: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    documents = own_documents(world)
    blind = sample_documents(world.model_copy(update={"leak_cosine": 0.0}), documents)
    with caplog.at_level(logging.INFO, "include.passages"):
        full = sample_documents(world, documents)
    assert not [m for m in caplog.messages if "the index" in m]

    with open_vectors(world) as vectors:
        ids = sorted(vectors.ids())
        vectors.delete(ids[::2])
        halved = sample_documents(world, documents)
        vectors.delete(ids)
    cache_file(world).unlink()
    with caplog.at_level(logging.INFO, "include.passages"):
        empty = sample_documents(world, documents)
    computed = cache_size(world)["embeddings"]
    again = sample_documents(world, documents)

    assert overlap(world, blind) > 0 == overlap(world, full)
    assert full == halved == empty == again and full.dropped > blind.dropped
    assert f"embedded {len(ids)} of {len(ids)} passages that the index" in caplog.text
    assert len(ids) <= computed == cache_size(world)["embeddings"]


def test_passages_of_a_former_revision_or_of_another_embedder_are_made_anew(
    settings: Settings,
) -> None:
    world = settings
    know(world, *range(3))
    index_chunks(world)
    documents = own_documents(world)
    stored = stored_passages(world, documents)
    changed = replace(documents[0], text=documents[1].text, revision="another")
    wanted = passages_of(world, [changed, *documents[1:]], [])

    found = passages_of(world, [changed, *documents[1:]], stored)

    assert {c.id for c in found.chunks} == {c.id for c in wanted.chunks}
    assert {c.revision for c in found.chunks if c.document_id == changed.id} == {"another"}
    assert found.vectors.shape == wanted.vectors.shape and np.isfinite(found.vectors).all()
    assert stored_passages(world.model_copy(update={"chunk_tokens": 50}), documents) == []
    assert open_meaning(world.model_copy(update={"leak_cosine": 0.0}), documents) is None


def test_held_out_texts_hide_what_repeats_them_where_the_index_holds_them_no_more(
    settings: Settings,
) -> None:
    know(settings, 0, 1)
    index_chunks(settings)
    stored = stored_passages(settings, own_documents(settings))
    tested = cleaned(reworded(prose(0)), url="https://x/tested")
    repeated = {c.id for c, _ in stored if c.text[:40] in prose(0)}

    found = all_passages(settings, [tested], stored)
    hidden = leaking_passages(found, {tested.id: tested.text}, settings.leak_words, LIMIT)

    assert repeated and hidden & {c.id for c, _ in stored} == repeated


def rewrite(world: Settings, **edits: str) -> None:
    """Let a reader rewrite answers, which are named by what is asked."""
    source = next(d for d in own_documents(world) if d.text.startswith(prose(2)[:40]))
    quoted = source.text[:40]
    found = {"document_id": source.id, "quote": quoted, "spans": [[0, 40]]}
    with open_documents(world) as documents:
        for asked, edit in edits.items():
            said = f"> {quoted}\n\n{MARK}{prose(91, 16)}"
            trace = Trace(asked, "m", MOMENT, asked, said, (), False, {}, {}, (found,))
            documents.put_trace(trace)
            documents.put_feedback(Feedback(asked, 0, "", MOMENT, edit, "maren", consent=True))


@pytest.mark.parametrize("world", ["lancedb"], indirect=True)
def test_no_pair_means_what_the_test_says_whether_a_model_or_a_reader_said_it(
    world: Settings,
) -> None:
    documents = own_documents(world)
    made = sample_documents(world, documents)
    careless = replace(made, meaning=None)
    tested = reworded(next(e.messages[-1].content for e in made.examples if e.split == "test"))
    prompts = [prompt_name(e.messages[:-1]) for e in made.examples if e.split == "train"]
    said = {p: [("base", prose(80 + n))] for n, p in enumerate(prompts)}
    said |= {p: [("base", f"{tested} {prose(70)}")] for p in prompts[::2]}
    rewrite(world, leaks=tested, fits=prose(90, 4).split("\n\n")[0])
    leaking, _ = add_judged(world, documents, careless, pair_samples(world, careless, said)[0])

    pairs, counted = pair_samples(world, made, said)
    kept, taught = add_judged(world, documents, counted, pairs)

    assert overlap(world, made, leaking) > 0 == overlap(world, made, kept)
    assert counted.dropped > made.dropped and {p.how for p in pairs} >= {"base"}
    assert [r.where for r in taught.refused if r.reason == LEAKED] == ["leaks"]
    with pytest.raises(ValidationFailed, match="on leaked"):
        prove_samples(world, documents, made.examples, leaking, taught.edits, made.meaning)
