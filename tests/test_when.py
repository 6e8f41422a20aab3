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
    ],
)
def test_a_year_that_is_a_topic_is_left_alone(question):
    period = read_period(question, TODAY)

    assert (period.since, period.until, period.words) == (None, None, ())
    assert without(question, period) == question


def test_what_named_the_period_is_not_searched_for():
    question = "What did I think in 2022 about backups?"

    assert without(question, read_period(question, TODAY)) == "What did I think about backups?"
