"""The rejections of `include/rejections.py`: what is turned away is kept, once, with its reason."""

from datetime import datetime, timedelta

from builders import MOMENT, document

from include.documents import open_documents
from include.records import Release
from include.settings import Settings
from ml.types import Rejected


def at(hours: int) -> datetime:
    return MOMENT + timedelta(hours=hours)


def test_a_rejection_is_kept_once_with_its_reason_and_text(settings: Settings):
    rejected = Rejected("https://x/", "crawl", "empty", "blog", "0 words", "text", "r1")
    with open_documents(settings) as documents:
        documents.reject([rejected], at(1))
        documents.reject([rejected], at(2))

        assert documents.rejected() == [rejected]
        assert documents.rejected("raw") == []


def test_rejections_of_one_source_are_let_go_without_the_others(settings: Settings):
    with open_documents(settings) as documents:
        documents.reject([Rejected(f"https://{s}/", "crawl", "r", s) for s in "ab"], at(1))

        assert documents.clear_rejected("crawl", "a") == 1
        assert [r.source for r in documents.rejected()] == ["b"]
        assert documents.clear_rejected("raw") == 0


def test_a_refused_document_is_kept_whole_until_it_is_judged_again(settings: Settings):
    with open_documents(settings) as documents:
        documents.quarantine([document()])
        assert documents.quarantined() == [document()]

        documents.unquarantine([document().id])
        assert documents.quarantined() == []


def test_a_release_holds_for_one_revision_at_one_stage_and_is_kept_once(settings: Settings):
    release = Release("https://x/", "raw", "r1", "maren", "it is a poem", at(1))
    with open_documents(settings) as documents:
        documents.release([release])
        documents.release([release])

        assert documents.releases() == [release]
        assert documents.released("raw") == {("https://x/", "r1")}
        assert documents.released("clean") == frozenset()
        assert documents.forget(document(url="https://x/").id)["releases"] == 1
        assert documents.releases() == []
