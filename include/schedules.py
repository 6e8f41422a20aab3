"""How often a source is looked at: a word, or the five fields of cron, in UTC. Pure: when it was last is given."""

from collections.abc import Mapping
from datetime import UTC, datetime

WORDS: Mapping[str, str] = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *",
}
EVERY_DAY = WORDS["daily"]


def read_schedule(said: str) -> str:
    """Return a schedule as cron fields, empty for none; raises ValueError for what is no schedule."""
    from croniter import croniter

    fields = WORDS.get(said.strip().lower(), said.strip())
    if fields and (len(fields.split()) != 5 or not croniter.is_valid(fields)):
        raise ValueError(
            f"schedule {said!r} is none of {', '.join(WORDS)}, nor the five fields of cron, such as '0 6 * * 1'"
        )
    return fields


def is_due(schedule: str, last: datetime | None, at: datetime) -> bool:
    """Tell whether a moment of the schedule has passed since the last time; without schedule or last time, always."""
    from croniter import croniter

    fields = read_schedule(schedule)
    if not fields or last is None:
        return True
    following: datetime = croniter(fields, last.astimezone(UTC)).get_next(datetime)
    return following <= at


def may_try_again(schedule: str, failed: datetime | None, at: datetime) -> bool:
    """Tell whether what failed may be tried again: when its schedule says so, or a day has begun."""
    return is_due(schedule, failed, at) or is_due(EVERY_DAY, failed, at)
