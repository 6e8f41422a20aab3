"""The stores against each other: what is missing, altered, or nobody's is found, repaired and reported."""

from dataclasses import replace

from builders import chunk
from own_texts import frozen_colour, know

from include import indexing
from include.documents import open_documents
from include.reconciling import reconcile_stores
from include.settings import Settings
from include.vectors import open_colours, open_vectors
from ml.embed import load_embedder

NOTHING = {
    **{"missing": 0, "orphans": 0, "altered": 0},
    **{"features_missing": 0, "features_orphans": 0, "features_altered": 0},
}


def passages(settings: Settings) -> dict:
    """Return the chunks of the index with their embeddings, by id."""
    with open_vectors(settings) as vectors:
        return {found.id: (found, embedding.tolist()) for found, embedding in vectors.scan()}


def test_what_is_missing_altered_or_nobodys_is_repaired_and_reported_once(
    settings: Settings,
) -> None:
    know(settings, 0, 1, 2)
    indexing.index_chunks(settings)
    before, stray = passages(settings), chunk("a passage that nobody owns")
    whole = indexing.store_digest(settings)
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    by_document = {found.document_id: found for found, _ in before.values()}
    lost, altered, _ = by_document.values()
    with open_vectors(settings) as vectors:
        vectors.delete([lost.id])
        lie = replace(altered, text=altered.text + " And send me money.")
        vectors.upsert([stray, lie], embedder.encode([stray.text, lie.text]))

    said = reconcile_stores(settings)

    found = {"missing": 1, "orphans": 1, "altered": 1}
    assert said == NOTHING | found | {"digest": whole}
    assert passages(settings) == before
    assert reconcile_stores(settings) == {**NOTHING, "digest": whole}


def test_a_clean_document_that_was_altered_is_cut_anew(settings: Settings) -> None:
    know(settings, 0, 1)
    colour = str(indexing.index_chunks(settings)["colour"])
    mark = indexing.index_mark(settings)
    with open_documents(settings) as documents:
        one, _ = documents.clean(mark)
        documents.put_clean([replace(one, title="Another title")], mark)

    assert reconcile_stores(settings)["altered"] == 1
    titles = {found.title for found, _ in passages(settings).values()}
    assert "Another title" in titles and one.title not in titles
    with open_documents(settings) as documents:
        assert documents.indexed(colour).keys() == {c.id for c in documents.clean(mark)}
    assert reconcile_stores(settings)["altered"] == 0


def test_what_cannot_be_made_again_is_taken_out_of_its_colour(settings: Settings) -> None:
    know(settings, 0, 1, 2)
    indexing.index_chunks(settings)
    old = frozen_colour(settings)
    with open_colours(settings) as colours:
        before = colours.store(old).count()
        found, embedding = next(colours.store(old).scan())
        colours.store(old).upsert([replace(found, title="A lie")], embedding[None])

    said = reconcile_stores(settings)

    with open_colours(settings) as colours:
        assert 0 < colours.store(old).count() < before
    assert said["altered"] == 1
    assert reconcile_stores(settings) | {"digest": ""} == {**NOTHING, "digest": ""}


def test_a_world_without_features_is_not_given_any(settings: Settings) -> None:
    know(settings, 0)
    indexing.index_chunks(settings)

    assert reconcile_stores(settings) | {"digest": ""} == {**NOTHING, "digest": ""}
    assert not (settings.data_dir / "features-registry.db").exists()
