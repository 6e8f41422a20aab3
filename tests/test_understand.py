"""A question is understood by rules: what kind it is, what it filters by, and what it leaves to the turns before it."""

import time
from datetime import UTC, datetime

import pytest

from ml.types import Message
from ml.understand import understand

TODAY = datetime(2026, 11, 29, tzinfo=UTC)
AUTHORS = {"maren-oduya": "Maren Oduya", "tobias-reck": "Tobias Reck"}


def said(*turns):
    return [Message("assistant" if n % 2 else "user", t) for n, t in enumerate(turns)]


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("Hello there!", "small talk"),
        ("thanks a lot, but why does fsync lie?", "knowledge"),
        ("Who are you?", "small talk"),
        ("Thank you very much.", "small talk"),
        ("Thanks, that helps!", "small talk"),
        ("Great, that makes sense. Thanks a lot for your help!", "small talk"),
        ("Got it, see you tomorrow!", "small talk"),
        ("That helps against rot?", "knowledge"),
        ("Great, but is that helpful for backups?", "knowledge"),
        ("Write a poem about the sea", "voice"),
        ("Tell me a joke", "voice"),
        ("Could you please write me a short, funny limerick?", "voice"),
        ("Tell me another joke about pagers!", "voice"),
        ("Tell me the story of fsync.", "knowledge"),
        ("Write a poem parser in Python.", "knowledge"),
        ("What is a joke worth in a code review?", "knowledge"),
        ("Give me a list of poems", "knowledge"),
        ("Continue: The rope that looks sound", "voice"),
        ("Write a short post that begins with: The pager woke me", "voice"),
        ("Write about backups.", "knowledge"),
        ("What is the weather like today?", "out of scope"),
        ("What is 2 + 2?", "out of scope"),
        ("What time is it?", "out of scope"),
        ("How much time does a backup take?", "knowledge"),
        ("Why does fsync lie?", "knowledge"),
    ],
)
def test_a_question_is_sent_the_right_way(question, route):
    assert understand(question, TODAY).route == route


def test_a_long_row_of_greetings_that_is_none_takes_no_time():
    started = time.monotonic()

    assert understand("hi " * 25 + "x", TODAY).route == "knowledge"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("question", "kind", "search"),
    [
        ("In my posts, what about the pager?", "post", "what about the pager?"),
        (
            "What do you say in your articles about caches?",
            "article",
            "What do you say about caches?",
        ),
        ("How is it done in your code?", "code", "How is it done?"),
        ("What do your posts say about caches?", "post", "What about caches?"),
        ("Your posts say that fsync lies. Why?", "post", "that fsync lies. Why?"),
        ("What did you tweet about caches?", "post", "What about caches?"),
        ("What have you blogged about caches?", "article", "What about caches?"),
        ("Which of your tweets mention caches?", "post", "caches?"),
        ("Which articles are from March 2024 and why?", "article", "and why?"),
        *(
            (q, None, q)
            for q in (
                *("In your post-mortems, what went wrong?", "What does a tweet cost?"),
                *("How do I write tweets that are read?", "Which functions are about dates?"),
                *("How do posts hold a fence?", "Is your blog fast?"),
            )
        ),
        ("What do you look for in a code review?", None, "What do you look for in a code review?"),
    ],
)
def test_a_kind_of_text_is_a_filter_and_not_searched_for(question, kind, search):
    understood = understand(question, TODAY)

    assert (understood.kind, understood.search) == (kind, search)


@pytest.mark.parametrize(
    ("question", "author"),
    [
        ("What does Tobias say about makefiles?", "tobias-reck"),
        ("Is there anything by Maren Oduya about ropes?", "maren-oduya"),
        ("Why do marens swim?", ""),
    ],
)
def test_an_author_who_is_named_is_a_filter(question, author):
    assert understand(question, TODAY, authors=AUTHORS).author == author


def test_dates_are_filters():
    understood = understand("What did I think in 2022 about backups?", TODAY)

    assert understood.until == datetime(2023, 1, 1, tzinfo=UTC)
    assert understood.search == "What did I think about backups?"


def test_without_a_day_nothing_is_read_out_of_a_question():
    understood = understand("In my posts, what did I think in 2022?", None)

    assert (understood.kind, understood.until) == (None, None)
    assert understood.search == "In my posts, what did I think in 2022?"


@pytest.mark.parametrize("question", ["And why?", "How long does it take?", "What about that?"])
def test_a_question_that_leans_on_the_last_one_is_completed_with_it(question):
    understood = understand(question, TODAY, said("Why does fsync lie?", "It does not."))

    assert understood.search == f"Why does fsync lie? {question}"


def test_a_question_that_stands_alone_is_left_alone():
    question = "How large should a connection pool be?"

    assert (
        understand(question, TODAY, said("Why does fsync lie?", "It does not.")).search == question
    )


def test_a_follow_up_of_a_follow_up_reaches_the_subject_and_no_further():
    turns = said("An old subject", "Yes.", "Why does fsync lie?", "It does not.", "And why?", "So.")

    search = understand("Really?", TODAY, turns).search

    assert search == "Why does fsync lie? And why? Really?"


def test_what_is_remembered_is_bounded():
    search = understand("And why?", TODAY, said("x" * 5_000, "Yes.")).search

    assert len(search) < 500
