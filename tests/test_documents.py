"""Documents survive everything: order, repetition, kills; what is rejected is kept."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partialmethod
from itertools import permutations

import pymongo
import pytest
from builders import MOMENT, cleaned, document

from include.documents import Documents, open_documents
from include.records import IndexState
from include.settings import Settings
from ml.types import Rejected


def at(hours: int) -> datetime:
    return MOMENT + timedelta(hours=hours)


def test_a_document_comes_back_as_it_was_stored(settings: Settings):
    with open_documents(settings) as documents:
        stored = document()
        assert documents.put([stored]) == {"new": 1, "changed": 0, "unchanged": 0}

        assert documents.active() == [stored]
        assert documents.get(stored.id) == stored


def test_storing_the_same_document_twice_changes_nothing(settings: Settings):
    with open_documents(settings) as documents:
        documents.put([document()])
        before = documents.digest()

        again = replace(document(), fetched_at=at(5))
        assert documents.put([again]) == {"new": 0, "changed": 0, "unchanged": 1}
        assert documents.digest() == before


def test_revisions_in_any_order_end_in_the_newest(settings: Settings):
    versions = [replace(document(f"version {i} of the text"), fetched_at=at(i)) for i in range(3)]
    with open_documents(settings) as documents:
        for order in permutations(versions):
            documents.forget(versions[0].id)
            for version in order:
                documents.put([version])

            assert documents.active() == [versions[2]]


def test_looks_in_any_order_end_in_the_last_even_when_it_saw_an_old_text_again(
    settings: Settings,
):
    looks = [
        replace(document(text), fetched_at=at(i)) for i, text in enumerate(("one", "two", "one"))
    ]
    with open_documents(settings) as documents:
        for order in permutations(looks):
            documents.forget(looks[0].id)
            for look in order:
                documents.put([look])

            assert documents.active() == [looks[2]]


def test_a_look_from_before_the_tombstone_does_not_revive_a_document(settings: Settings):
    with open_documents(settings) as documents:
        documents.put([document()])
        documents.mark_gone([document().id], at(3))

        documents.put([replace(document("late"), fetched_at=at(2))])

        assert documents.active() == []


def test_a_tombstone_hides_a_document_and_a_new_fetch_revives_it(settings: Settings):
    with open_documents(settings) as documents:
        documents.put([document()])

        assert documents.mark_gone([document().id], at(1)) == 1
        assert documents.mark_gone([document().id], at(1)) == 0
        assert documents.active() == []
        assert documents.known_urls("blog") == set()

        documents.put([replace(document(), fetched_at=at(2))])
        assert len(documents.active()) == 1


def test_what_is_staged_waits_until_it_is_cleared(settings: Settings):
    with open_documents(settings) as documents:
        documents.stage([document()])
        documents.stage([document()])

        assert documents.staged() == [document()]
        documents.unstage([document().id])
        assert documents.staged() == []


def test_clean_documents_of_another_fingerprint_are_not_seen(settings: Settings):
    with open_documents(settings) as documents:
        documents.put_clean([cleaned()], "f1")

        assert documents.clean("f1") == [cleaned()]
        assert documents.clean("f2") == []


def test_outlines_are_clean_documents_without_anybodys_words(settings: Settings):
    whole = replace(cleaned(), quotes=("Somebody else's.",), comments=("A reader's.",))
    with open_documents(settings) as documents:
        documents.put_clean([whole], "this way")

        (outline,) = documents.outlines("this way")

        assert outline == replace(whole, text="", quotes=(), comments=())
        assert documents.outlines("another way") == []


def test_the_index_state_names_revision_and_chunks(settings: Settings):
    state = IndexState("r", "f", ("c1", "c2"))
    with open_documents(settings) as documents:
        documents.mark_indexed({"d": state})

        assert documents.indexed() == {"d": state}
        documents.unmark_indexed(["d"])
        assert documents.indexed() == {}


def test_forgetting_leaves_nothing_of_a_document(settings: Settings):
    with open_documents(settings) as documents:
        empty = documents.digest()
        one = document()
        documents.put([one])
        documents.put_clean([cleaned()], "f")
        documents.put_page_state(one.url, etag="x", document=one.id)
        documents.reject([Rejected(one.url, "raw", "r")], at(1))

        documents.forget(one.id)

        assert documents.digest() == empty
        assert documents.page_state(one.url) == {}
        assert documents.rejected() == []


def test_what_was_stored_staged_or_refused_needs_no_second_look(settings: Settings):
    stored, staged = document(), document("another text", url="https://example.org/b/")
    refused = Rejected("https://example.org/c/", "raw", "language", revision="r")
    with open_documents(settings) as documents:
        documents.put([stored])
        documents.stage([staged])
        documents.reject([refused, Rejected("https://x/", "crawl", "empty")], at(1))

        assert documents.held() == {
            stored.url: {stored.revision},
            staged.url: {staged.revision},
            refused.where: {"r"},
        }
        documents.mark_gone([stored.id], at(1))
        assert stored.url not in documents.held()


def test_a_client_that_somebody_else_opened_gives_aware_times_too(settings: Settings):
    with pymongo.MongoClient(settings.mongo_url) as client:
        documents = open_documents(settings, client)
        documents.put([document()])

        assert documents.active() == [document()]


def test_no_server_is_a_sentence_that_says_what_to_do(settings: Settings):
    away = settings.model_copy(update={"mongo_url": "mongodb://u:secret@127.0.0.1:9/"})

    with pytest.raises(ConnectionError, match="make up") as error:
        open_documents(away)
    assert "secret" not in str(error.value)


def test_a_wrong_address_is_a_sentence(settings: Settings):
    with pytest.raises(ValueError, match="no MongoDB address"):
        open_documents(settings.model_copy(update={"mongo_url": "http://x"}))


def test_thousands_of_documents_are_written_in_parts(settings: Settings):
    many = [document(f"text {i}", url=f"https://x/{i}") for i in range(1200)]
    with open_documents(settings) as documents:
        assert documents.put(many)["new"] == 1200
        assert documents.put(many)["unchanged"] == 1200


def test_a_kill_between_any_two_writes_is_repaired_by_the_next_run(settings: Settings, monkeypatch):
    class Killed(BaseException):
        """What ends a process is nothing that code could catch by accident."""

    old, new = document("old text"), replace(document("new text"), fetched_at=at(1))
    left = 10**9

    def counted(self, name, *given, write):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return write(self, name, *given)

    for verb in ("_replace", "_delete"):
        monkeypatch.setattr(Documents, verb, partialmethod(counted, write=getattr(Documents, verb)))

    def run(documents: Documents) -> None:
        documents.stage([new])
        documents.put(documents.staged())
        documents.unstage([new.id])

    ends = set()
    with open_documents(settings) as documents:
        for writes in range(5):
            left = 10**9
            documents.forget(old.id)
            documents.put([old])

            left = writes
            with suppress(Killed):
                run(documents)
            left = 10**9
            run(documents)

            assert (documents.active(), documents.staged()) == ([new], [])
            ends.add(documents.digest())
            assert documents.forget(old.id)["revisions"] == 2

    assert len(ends) == 1
