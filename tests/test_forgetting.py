"""Forgetting: what is asked to go is gone everywhere, provably, and stays away."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from own_texts import clean_all, entry, own_world, take_in, write_entries

from include import drawing, erasure, forgetting, ingestion, registry
from include.datasets import build_dataset
from include.documents import open_documents
from include.erasure_wanted import Doors, Place, look_for
from include.features import FEATURE_SERVICE, open_features
from include.learning import next_dataset
from include.quarantine import release_quarantined
from include.settings import Settings
from include.vectors import open_vectors
from include.withdrawals import stale, withdrawn
from ml.files import write_json
from ml.types import Feedback, ModelVersion, Trace, digest

NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = str(entry(1)["url"])
ID = digest("document", URL)
SENTENCE = str(entry(1)["text"]).split(". ")[2]


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of six articles that is content with few samples."""
    few = settings.model_copy(update={"min_examples": 5, "base_model": "any"})
    return own_world(few, tmp_path, *map(entry, range(6)))


def learn(world: Settings) -> tuple[str, str]:
    """Build a dataset of everything, and publish a model that says it learned from it."""
    dataset_id = str(build_dataset(world)["dataset_id"])
    folder = world.data_dir / "training"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    names = {"parent": "", "base_model": "any", "fingerprint": "f", "feature_service": "s"}
    model = ModelVersion(
        "m1", dataset_id=dataset_id, created_at=NOW, recipe={}, metrics={}, files={}, **names
    )
    registry.publish_model(world, folder, model)
    samples = [["What of it?", SENTENCE], ["And this?", "Nothing."]]
    registry.write_evaluation(world, "m1", {"candidate": {"samples": samples}, "champion_id": ""})
    return dataset_id, "m1"


def quote(world: Settings) -> None:
    """Keep an answer that quotes the document, one that names its passage, and one about another thing."""
    with open_documents(world) as documents:
        passage = min(documents.indexed_chunks([ID]))
        for name, answer, chunks in (
            ("a", f"You once wrote: {SENTENCE}.", ()),
            ("b", "So it is [1].", (passage,)),
            ("c", "I do not know.", ()),
        ):
            documents.put_trace(Trace(name, "m1", NOW, "What of it?", answer, chunks, False, {}))
            documents.put_feedback(Feedback(name, 1, "just so", NOW))
        # One that only leans on a turn that quotes it, and one that only a reader's edit makes quote it.
        turn = {"earlier": [{"role": "assistant", "content": f"{SENTENCE}."}]}
        documents.put_trace(Trace("d", "m1", NOW, "And?", "No.", (), False, {}, turn))
        documents.put_trace(Trace("e", "m1", NOW, "And?", "No.", (), False, {}))
        documents.put_feedback(Feedback("e", -1, "", NOW, f"{SENTENCE}."))
        # One whose model was told of it and said nothing of it, and one that was told half a sentence.
        asked = Trace("f", "m1", NOW, "And?", "No.", (), False, {})
        note = {"role": "system", "content": f"You are a twin.\n[1] {SENTENCE}."}
        documents.put_trace(replace(asked, told=(note, {"role": "user", "content": "And?"})))
        half = {"role": "system", "content": SENTENCE[: len(SENTENCE) // 2]}
        documents.put_trace(
            replace(asked, id="g", sources=({"document_id": ID, "number": 1},), told=(half,))
        )
        other = ({"role": "system", "content": "You are a twin."},)
        documents.put_trace(
            replace(asked, id="h", sources=({"document_id": "0" * 32},), told=other)
        )
    write_json(
        world.data_dir / "llm" / "answers" / "m1" / "p.json", {"answer": f"I say: {SENTENCE}."}
    )


def revise(world: Settings) -> None:
    """Refuse a later revision of the document, and let it pass."""
    write_entries(world, *map(entry, range(6)), entry(1, language="de", title="Anders"))
    write_entries(
        world, *(entry(n, **({"language": "de", "title": "X"} if n == 1 else {})) for n in range(6))
    )
    clean_all(world)
    release_quarantined(world, "raw", URL, "maren", "a poem")


def left(world: Settings) -> dict[str, int]:
    """Count what is left of the document, place by place, with doors opened anew."""
    with (
        open_documents(world) as documents,
        open_vectors(world) as vectors,
        open_features(world) as features,
    ):
        doors = Doors(world, documents, vectors, features)
        wanted = look_for(documents, frozenset({URL}), frozenset({ID}), NOW)
        return {p.name: n for p in erasure.PLACES if (n := p.find(doors, wanted))}


def test_what_is_forgotten_is_deleted_in_every_place_and_never_fetched_again(
    world: Settings,
) -> None:
    take_in(world)
    dataset_id, model_id = learn(world)
    quote(world)
    revise(world)
    drawing.draw_corpus(world)
    copied = [p for p in world.data_dir.glob("wandb/**/media/*/corpus*") if p.is_file()]
    assert len(copied) == 2

    said = forgetting.forget_document(world, URL)

    assert {name for name, n in said.items() if n} - {"seen", "report"} == {
        *("answers", "chunks", "feature_rows", "online_features", "validation_results", "pictures"),
        *("evaluations", "datasets", "models", "rejected", "quarantined", "releases", "clean"),
        *("indexed", "measured", "revisions", "documents", "embeddings", "experiments"),
        "model_answers",
    }
    assert said["answers"] == 6 and left(world) == {}
    with open_documents(world) as documents, open_features(world) as features:
        assert [i for i in "abcdefgh" if documents.trace(i)] == ["c", "h"]
        assert [f.trace_id for f in documents.feedback(NOW)] == ["c"]
        assert features.document_features(FEATURE_SERVICE, [ID]) == {}
        assert features.author_style(FEATURE_SERVICE, world.author)["documents"] == 5
        assert documents.runs("retrain_wish")[0]["datasets"] == [dataset_id]
    assert not any(p.exists() for p in (*copied, *drawing.corpus_map(world)))
    assert withdrawn(world, dataset_id).keys() == stale(world, model_id).keys() == {ID}
    (kept,) = registry.read_evaluation(world, model_id)["candidate"]["samples"]
    assert kept == ["And this?", "Nothing."]
    write_entries(world, entry(0), entry(1, str(entry(9)["text"])), *map(entry, range(2, 6)))
    assert ingestion.crawl_source(world, "own")["fetched"] == 0

    page = Path(str(said["report"])).read_text()
    assert URL in page and f"<code>{dataset_id}</code>" in page and "answers that quote it" in page
    assert "Nothing is left of" in page and SENTENCE not in page

    assert next_dataset(world) is None
    again = build_dataset(world)
    assert again["created"] and "withdrawn" in str(again["reason"])
    assert ID not in registry.read_dataset(world, str(again["dataset_id"])).documents
    assert next_dataset(world) == again["dataset_id"]
    assert not forgetting.forget_document(world, URL)["documents"]
    assert Path(str(said["report"])).read_text().count("<table>") == 2


def test_an_erasure_that_is_killed_is_finished_by_running_it_again(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(world)
    quote(world)
    places = {p.name: i for i, p in enumerate(erasure.PLACES)}

    for name in ("answers", "feature_rows", "clean"):
        with monkeypatch.context() as patch:
            patch.setattr(forgetting, "PLACES", killed_at(places[name]))
            with pytest.raises(KeyboardInterrupt):
                forgetting.forget_document(world, URL)
        assert left(world)

    assert forgetting.forget_document(world, URL)["documents"] == 1
    assert left(world) == {}


def killed_at(number: int) -> tuple[Place, ...]:
    """Return the places, of which one ends the process once it is reached."""

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    place = erasure.PLACES[number]
    broken = Place(place.name, place.what, lambda *_: 1, kill)
    return (*erasure.PLACES[:number], broken, *erasure.PLACES[number + 1 :])


def test_an_address_that_nobody_ever_saw_is_marked_and_that_is_said(
    settings: Settings, tmp_path: Path
) -> None:
    world = own_world(settings, tmp_path, entry(1), entry(2))

    said = forgetting.forget_document(world, f"{URL}?utm_source=x#top")

    assert said["seen"] is False
    assert "it will never be fetched" in Path(str(said["report"])).read_text()
    assert ingestion.crawl_source(world, "own")["fetched"] == 1


def test_something_that_cannot_be_deleted_is_said_and_not_hidden(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_all(world)
    stuck = Place("tapes", "backups", lambda *_: 3, lambda *_: None)
    monkeypatch.setattr(forgetting, "PLACES", (*erasure.PLACES, stuck))

    with pytest.raises(RuntimeError, match=f"Of {URL}, this is left .*3 × tapes"):
        forgetting.forget_document(world, URL)


def test_a_text_that_stands_elsewhere_too_is_named(world: Settings) -> None:
    copy = entry(8, str(entry(1)["text"]))
    write_entries(world, *map(entry, range(3)), copy)
    clean_all(world)

    page = Path(str(forgetting.forget_document(world, URL)["report"])).read_text()

    assert f"The same text also stands at <code>{copy['url']}</code>" in page


def test_a_forgotten_source_takes_everything_along_and_is_never_crawled_again(
    world: Settings,
) -> None:
    clean_all(world)

    said = forgetting.forget_source(world, "own")

    assert (said["documents"], said["clean"]) == (6, 6)
    with pytest.raises(PermissionError, match="own was asked to be forgotten"):
        ingestion.crawl_source(world, "own")
    assert forgetting.forget_source(world, "own")["seen"] is False
