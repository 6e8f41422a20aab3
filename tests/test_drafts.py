"""What is asked follows from headings, questions, quotations, readers and code; the answer is always the author's."""

from dataclasses import replace

import pytest
from builders import cleaned
from own_articles import article, sentences

from ml.drafts import COVERS, RARELY, draft_samples
from ml.grounding import count_terms, coverage
from ml.types import CleanDocument

OPENING = (
    "A lease is a promise with an end. The harbour lease names one holder and one clock, and when the clock of the "
    "holder drifts, two cranes believe that they hold the same row of the quay."
)
FIRST = "The clock drifts by minutes. A holder whose clock is slow keeps the lease for longer than was promised to it."
SECOND = "The holder never asks the server twice. It trusts its clock, and the lease is what the clock says it is."
THIRD = "Two cranes met over one row of the quay. Each had a lease, and each clock said that there was time left."


def tasks(document: CleanDocument, task: str) -> list:
    """Draft the samples of one task."""
    return [d for d in draft_samples(document) if d.task == task]


def test_a_heading_that_asks_is_the_instruction_of_its_section_and_another_is_asked_about() -> None:
    document = article(0)
    told = cleaned(document.text.replace("Why does number 0 matter?", "**On** ropes"), title="T")

    assert tasks(document, "answer")[0].instruction == "Why does number 0 matter?"
    assert tasks(told, "answer")[0].instruction == "What do you say about on ropes in “T”?"


def test_a_question_in_the_text_is_answered_by_what_follows_it() -> None:
    document = cleaned(f"Who paid for the retry? {FIRST}")

    (draft,) = tasks(document, "answer")

    assert (draft.instruction, draft.answer) == ("Who paid for the retry?", FIRST)
    assert document.text[draft.span.start : draft.span.end] == FIRST


def test_a_paragraph_is_continued_from_its_first_sentence() -> None:
    (draft,) = tasks(cleaned(FIRST), "continue")

    assert draft.instruction == "Continue: The clock drifts by minutes."
    assert draft.answer == FIRST.removeprefix("The clock drifts by minutes. ")


def test_some_paragraphs_are_to_be_said_again_from_a_text_without_voice() -> None:
    texts = [cleaned(sentences(n, 3), url=f"https://x/{n}") for n in range(30)]

    again = [d for t in texts for d in tasks(t, "rewrite")]

    assert 30 / RARELY / 2 < len(again) < 30 / RARELY * 2
    for draft in again:
        told = draft.instruction.removeprefix("Say this in your own words: ")
        assert told != draft.answer and ";" not in told and ";" in draft.answer


def test_a_paragraph_that_covers_the_others_sums_them_up_and_one_that_does_not_never_does() -> None:
    document = cleaned("\n\n".join([OPENING, FIRST, SECOND, THIRD]), title="Leases")
    strange = cleaned("\n\n".join([sentences(1, 1), FIRST, SECOND, THIRD, sentences(2, 1)]))

    (draft,) = tasks(document, "summarise")

    assert draft.instruction == "Sum up “Leases” in one paragraph." and draft.answer == OPENING
    assert coverage(OPENING, count_terms([OPENING, FIRST, SECOND, THIRD])) >= COVERS
    assert "The clock drifts by minutes." in draft.evidence[0]
    assert tasks(strange, "summarise") == []


def test_a_post_with_a_quotation_is_the_reply_to_it() -> None:
    said = "Nobody restores a backup until the day on which it has to be restored; we do it every Tuesday."
    post = replace(cleaned(said, kind="post"), quotes=("Backups are boring.",))

    assert tasks(post, "reply")[0].instruction == "Reply to this post: Backups are boring."
    assert tasks(cleaned(said, kind="post"), "post")[0].answer == said


def test_a_readers_question_is_answered_by_the_paragraph_that_is_about_it_or_by_none() -> None:
    asked = "Great piece. Does the holder trust its clock without asking the server? I wonder."
    document = cleaned("\n\n".join([FIRST, SECOND]))
    off = "Did you ever think of writing about gardens, flowers and vegetables?"

    (draft,) = tasks(replace(document, comments=(asked, off)), "reply")

    assert (
        draft.instruction
        == "A reader asks: Does the holder trust its clock without asking the server?"
    )
    assert draft.answer == SECOND


@pytest.mark.parametrize(
    ("said", "explained"),
    [
        (
            "The `deadline` is computed before the request leaves, and everything after it is pessimistic.",
            True,
        ),
        (
            "A lease has an owner, and the owner of the lease is the only one that may extend the deadline of it.",
            True,
        ),
        (
            "Gardens are pleasant in the evening, and nobody is surprised that people sit in them for hours.",
            False,
        ),
    ],
)
def test_code_is_explained_by_the_paragraph_behind_it_if_that_one_speaks_of_it(
    said: str, explained: bool
) -> None:
    document = cleaned(
        f"```go\ntype Lease struct {{\n\tOwner string\n\tdeadline Time\n}}\n```\n\n{said}\n"
    )

    drafts = tasks(document, "explain")

    assert [d.answer for d in drafts] == ([said] if explained else [])
    assert all(d.instruction.startswith("Explain this code (go):\ntype Lease") for d in drafts)


def test_code_blocks_lists_and_tables_of_an_article_are_never_answers() -> None:
    words = " ".join(f"word{n}" for n in range(20))
    listed = cleaned(f"- one {words}\n\n  * two {words}\n\n| three {words} |\n\n1. four {words}\n")

    assert not any("SELECT" in d.answer for d in draft_samples(article(0)))
    assert draft_samples(listed) == []
