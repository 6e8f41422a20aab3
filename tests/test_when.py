"""Times that a question names, in words; a year that is a topic is none."""

from datetime import UTC, datetime

import pytest

from ml.when import read_period, without

TODAY = datetime(2026, 11, 29, tzinfo=UTC)


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


@pytest.mark.parametrize(
    ("question", "since", "until"),
    [
        ("What did I think in 2022 about backups?", "", "2023-01-01"),
        ("What did you write in 2022?", "2022-01-01", "2023-01-01"),
        ("Which posts are from March 2024?", "2024-03-01", "2024-04-01"),
        ("What have you learned since March?", "2026-03-01", ""),
        ("What have you learned since December?", "2025-12-01", ""),
        ("What changed after 2023?", "2024-01-01", ""),
        ("What did you recommend before June 2023?", "", "2023-06-01"),
        ("As of 2021, how do you deploy?", "", "2022-01-01"),
        ("What was said between 2021 and March 2023?", "2021-01-01", "2023-04-01"),
        ("What did you publish last year?", "2025-01-01", "2026-01-01"),
        ("What did you publish this month?", "2026-11-01", "2026-12-01"),
        ("What did you write last month?", "2026-10-01", "2026-11-01"),
        ("What did you write in December 2025?", "2025-12-01", "2026-01-01"),
        ("What did you write in may 2021?", "2021-05-01", "2021-06-01"),
        ("What may you have written in 2021?", "2021-01-01", "2022-01-01"),
        ("What did you tweet in March of 2021?", "2021-03-01", "2021-04-01"),
        ("What did you write in the last two years?", "2024-11-29", ""),
        ("What did you write over the past 6 months?", "2026-05-29", ""),
        ("What did you write within the last ten days?", "2026-11-19", ""),
        ("What did you write in the last year?", "2025-11-29", ""),
        ("What did you write two years ago about fsync?", "2024-01-01", "2025-01-01"),
        ("What did you think two years ago about fsync?", "", "2025-01-01"),
        ("What did you blog a couple of months ago?", "2026-09-01", "2026-10-01"),
        ("Which posts were written a week ago?", "2026-11-16", "2026-11-23"),
        ("What have you learned since two years ago?", "2024-01-01", ""),
        ("What did you publish in summer 2021?", "2021-06-01", "2021-09-01"),
        ("What did you publish in the winter of 2021?", "2021-12-01", "2022-03-01"),
        ("What did you do last winter?", "2025-12-01", "2026-03-01"),
        ("What did you do last summer?", "2026-06-01", "2026-09-01"),
        ("What did you write this autumn?", "2026-09-01", "2026-12-01"),
        ("What have you learned since last spring?", "2026-03-01", ""),
        ("What have you learned since last year?", "2025-01-01", ""),
        ("What changed since the beginning of this year?", "2026-01-01", ""),
        ("What did you say before last summer?", "", "2026-06-01"),
        ("What did you write last week?", "2026-11-16", "2026-11-23"),
    ],
)
def test_a_period_is_read(question, since, until):
    period = read_period(question, TODAY)

    assert (period.since, period.until) == (day(since), day(until))


@pytest.mark.parametrize(
    "question",
    [
        "How does one start with machine learning in 2022?",
        "Why does fsync lie?",
        "What is HTTP 2019?",
        "What did you write about two years of fsync?",
        "Was fsync broken two years ago?",
        "What goes wrong in the last two days of a migration?",
        "What did the last fall of a climber teach you?",
        "Does this spring break?",
        "Do post-mortems from 2021 still help?",
        "What may you recommend?",
        "How was the sea 3000 years ago, as you say?",
    ],
)
def test_a_year_that_is_a_topic_is_left_alone(question):
    period = read_period(question, TODAY)

    assert (period.since, period.until, period.words) == (None, None, ())
    assert without(question, period) == question


def test_a_season_that_runs_is_this_one_and_no_last_one():
    summer = datetime(2026, 7, 1, tzinfo=UTC)

    assert read_period("What did you write this summer?", summer).since == day("2026-06-01")
    assert read_period("What did you write last summer?", summer).since == day("2025-06-01")


def test_a_month_before_a_long_one_ends_with_its_own_last_day():
    period = read_period("What did you write in the last month?", day("2026-03-31"))

    assert period.since == day("2026-02-28")


def test_what_named_the_period_is_not_searched_for():
    question = "What did I think in 2022 about backups?"

    assert without(question, read_period(question, TODAY)) == "What did I think about backups?"
