"""What `include/erasures.py` finds of a document in MongoDB, and deletes."""

from dataclasses import replace

from builders import MOMENT, cleaned, document

from include.documents import Documents, open_documents
from include.settings import Settings
from ml.types import Feedback, Rejected, Trace

ONE, OTHER = document(), document("another text", url="https://example.org/b/")


def fill(documents: Documents) -> None:
    """Keep one document in every place, and another one beside it."""
    documents.put([ONE, OTHER])
    documents.put([replace(ONE, text="revised", fetched_at=MOMENT.replace(month=4))])
    documents.stage([ONE])
    documents.quarantine([ONE])
    documents.put_clean([replace(cleaned(), quotes=("Said by others.",))], "f")
    documents.put_page_state(ONE.url, etag="x", document=ONE.id)
    documents.reject([Rejected(ONE.url, "raw", "r", text="refused")], MOMENT)
    documents.reject([Rejected(ONE.url, "forgotten", "asked to be forgotten")], MOMENT)


def test_everything_of_a_document_is_counted_and_deleted_but_for_the_mark(settings: Settings):
    with open_documents(settings) as documents:
        fill(documents)
        before = documents.kept_of(ONE.id)
        assert documents.forget(ONE.id) == before

        assert before == {
            **dict.fromkeys(("rejected", "pages", "staged", "quarantined", "clean"), 1),
            **{"releases": 0, "indexed": 0, "measured": 0, "revisions": 2, "documents": 1},
        }
        assert set(documents.kept_of(ONE.id).values()) == {0}
        assert [d.url for d in documents.active()] == [OTHER.url]
        assert [r.stage for r in documents.rejected()] == ["forgotten"]


def test_every_text_that_is_kept_of_a_document_can_be_looked_for_elsewhere(settings: Settings):
    with open_documents(settings) as documents:
        fill(documents)

        texts = set(documents.texts_of(ONE.id))

    assert texts == {ONE.text, "revised", cleaned().text, "Said by others.", "refused"}


def test_a_source_knows_its_urls_and_a_text_its_copies(settings: Settings):
    copy = cleaned(url=OTHER.url)
    with open_documents(settings) as documents:
        fill(documents)
        documents.put_clean([replace(copy, duplicate_of=ONE.id)], "f")

        assert documents.urls_of("blog") == {ONE.url, OTHER.url}
        assert documents.urls_of("elsewhere") == set()
        assert documents.copies_of(ONE.id) == [OTHER.url]
        assert documents.copies_of(OTHER.id) == [ONE.url]


def test_answers_that_quote_go_with_what_was_said_of_them(settings: Settings):
    with open_documents(settings) as documents:
        for name, answer, edit in (("a", "a rope", ""), ("b", "a knot", ""), ("c", "", "my rope")):
            documents.put_trace(Trace(name, "m", MOMENT, "?", answer, (), False, {}))
            documents.put_feedback(Feedback(name, 1, "", MOMENT, edit))
        documents.reject([Rejected(n, "feedback", "no consent") for n in "ab"], MOMENT)

        found = documents.answers(lambda r: "rope" in r.get("answer", "") + r.get("edit", ""))
        documents.forget_answers(found)

        assert found == ["a", "c"] and documents.trace("a") is documents.trace("c") is None
        assert [r.where for r in documents.rejected("feedback")] == ["b"]
        assert [f.trace_id for f in documents.feedback(MOMENT)] == ["b"]
