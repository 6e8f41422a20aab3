"""The index: a kill does no harm, what is missing comes back, what nobody owns goes."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partialmethod

import pytest
from builders import model_version
from own_texts import frozen_colour, know

from include import indexing
from include.documents import Documents, open_documents
from include.publishing import list_indexes
from include.reconciling import reconcile_stores
from include.settings import Settings
from include.vectors import open_colours, open_vectors
from include.vectors_lance import LanceVectors
from ml.fingerprint import FingerprintMismatch, model_fingerprint


def test_killed_at_any_write_of_the_index_the_next_run_ends_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = settings
    monkeypatch.setattr(indexing, "INDEX_BATCH", 2)
    know(world, *range(4))
    colour = str(indexing.index_chunks(world)["colour"])
    expected = indexing.store_digest(world)
    with open_vectors(world) as vectors:
        whole = vectors.ids()

    kills = 0
    for _ in killed_at_every_write(world, monkeypatch, whole, colour):
        indexing.index_chunks(world)
        assert indexing.store_digest(world) == expected
        kills += 1
    assert kills == 4


class Killed(BaseException):
    """What ends a process is nothing that code could catch by accident."""


def killed_at_every_write(
    world: Settings, monkeypatch: pytest.MonkeyPatch, whole: set[str], colour: str
) -> Iterator[int]:
    """Empty the index and kill the next `index_chunks` before its first write, its second, and so on."""
    left = 10**9

    def counted(self, *given, write):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return write(self, *given)

    for door, verb in ((LanceVectors, "upsert"), (Documents, "mark_indexed")):
        monkeypatch.setattr(door, verb, partialmethod(counted, write=getattr(door, verb)))
    for writes in range(10):
        with open_documents(world) as documents, open_vectors(world) as vectors:
            vectors.delete(whole)
            documents.unmark_indexed(documents.indexed(colour), colour)
        left = writes
        with suppress(Killed):
            indexing.index_chunks(world)
            return
        left = 10**9
        yield writes


def test_another_chunk_size_builds_a_colour_beside_the_old_one_which_stays_as_it_was(
    settings: Settings,
) -> None:
    know(settings, 0, 1, 2)
    before = indexing.index_chunks(settings)
    smaller = settings.model_copy(update={"chunk_tokens": 60})
    with pytest.raises(LookupError, match="run clean_documents first"):
        indexing.index_chunks(smaller)
    know(smaller, 0, 1, 2)

    said = indexing.index_chunks(smaller)

    assert said["embedded"] == said["chunks"] > before["chunks"] and said["deleted"] == 0
    assert said["published"] and said["colour"] != before["colour"]
    assert reconcile_stores(smaller)["orphans"] == 0
    left = {c["colour"]: c["chunks"] for c in list_indexes(smaller)}
    assert left == {said["colour"]: said["chunks"], before["colour"]: before["chunks"]}


def test_a_change_goes_into_every_colour_that_is_kept(settings: Settings) -> None:
    know(settings, 0, 1, 2)
    first = indexing.index_chunks(settings)
    other = settings.model_copy(update={"vectors_distance": "dot"})
    second = indexing.index_chunks(other)
    know(settings, 0, 7)

    said = indexing.index_chunks(other)

    assert (second["published"], said["published"]) == (True, False)
    assert said["colour"] == second["colour"]
    with open_documents(settings) as documents, open_colours(settings) as colours:
        texts = [{c.text for c in colours.store(colour).chunks()} for colour in colours.all()]
        assert len(texts) == 2 and texts[0] == texts[1]
        known = documents.indexed(str(first["colour"])).keys()
        assert known == documents.indexed(str(second["colour"])).keys() and len(known) == 2


def test_a_colour_whose_embedder_is_gone_only_loses_what_vanished(settings: Settings) -> None:
    know(settings, 0, 1, 2)
    live = indexing.index_chunks(settings)
    old = frozen_colour(settings)
    know(settings, 0, 1, 5)

    said = indexing.index_chunks(settings)

    with open_documents(settings) as documents, open_colours(settings) as colours:
        left = {c.document_id for c in colours.store(old).chunks()}
        assert left == documents.indexed(old.name).keys() and len(left) == 2
    assert (said["colour"], said["published"]) == (live["colour"], False)


def test_a_model_fits_the_index_of_this_installation_or_of_a_kept_colour(
    settings: Settings,
) -> None:
    know(settings, 0)
    mark = indexing.index_mark(settings)
    version = model_version("m1", model_fingerprint(mark, "tiny"))
    smaller = settings.model_copy(update={"chunk_tokens": 60})
    assert indexing.model_index(settings, version) == mark
    with pytest.raises(FingerprintMismatch, match="No kept colour of the index fits it either"):
        indexing.model_index(smaller, version)

    indexing.index_chunks(settings)

    assert indexing.model_index(smaller, version) == mark
