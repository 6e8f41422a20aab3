"""A schedule says when a source is due again: a word or cron, and always where there is none."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from include.schedules import WORDS, is_due, may_try_again, read_schedule

# A Wednesday.
LAST = datetime(2026, 11, 25, 0, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "at", "due"),
    [
        ("", LAST, True),
        ("daily", LAST.replace(hour=23), False),
        ("daily", datetime(2026, 11, 26, 0, 0, 5, tzinfo=UTC), True),
        ("Daily ", LAST + timedelta(days=1), True),
        ("hourly", LAST.replace(minute=59), False),
        ("hourly", LAST.replace(hour=1, minute=0), True),
        ("weekly", LAST + timedelta(days=4), False),
        ("weekly", datetime(2026, 11, 30, 0, 0, 1, tzinfo=UTC), True),
        ("monthly", datetime(2026, 12, 1, tzinfo=UTC), True),
        ("0 6 * * *", LAST.replace(hour=5), False),
        ("0 6 * * *", LAST.replace(hour=6), True),
    ],
)
def test_a_source_is_due_when_a_moment_of_its_schedule_has_passed(schedule, at, due):
    assert is_due(schedule, LAST, at) == due
    elsewhere = timezone(timedelta(hours=9))
    assert is_due(schedule, LAST.astimezone(elsewhere), at.astimezone(elsewhere)) == due


def test_what_was_never_crawled_is_due():
    assert is_due("weekly", None, LAST)


@pytest.mark.parametrize(
    ("schedule", "hours", "may"),
    [("hourly", 1, True), ("daily", 1, False), ("monthly", 23, False), ("monthly", 24, True)],
)
def test_what_failed_is_tried_again_by_its_schedule_but_every_day_at_the_least(
    schedule, hours, may
):
    assert may_try_again(schedule, LAST, LAST + timedelta(hours=hours)) == may
    assert may_try_again(schedule, None, LAST)


@pytest.mark.parametrize("said", ["sometimes", "* * *", "99 * * * *", "0 0 * * * *", "@daily"])
def test_what_is_no_schedule_is_a_sentence(said):
    with pytest.raises(ValueError, match="none of hourly, daily, weekly, monthly, nor the five"):
        read_schedule(said)


def test_every_word_is_a_schedule():
    assert all(read_schedule(word) == fields for word, fields in WORDS.items())
