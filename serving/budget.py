"""Tokens of a day: reserved before a model speaks, settled after, kept in MongoDB for all replicas together."""

import logging
from datetime import UTC, datetime

from include.documents import open_documents
from include.settings import Settings
from serving.keys import Key

log = logging.getLogger(__name__)


class SpentUp(PermissionError):
    """Raised when a key has too few tokens left today; `seconds` until there are new ones."""

    def __init__(self, key: Key, spent: int, seconds: int) -> None:
        super().__init__(
            f"The key {key.name!r} has spent {spent:,} of its {key.tokens:,} tokens of today (UTC); "
            f"there are new ones in {seconds:,} s."
        )
        self.seconds = seconds


def reserve(settings: Settings, key: Key, tokens: int, now: datetime) -> None:
    """Take tokens out of today's budget before they are used, so that a caller who leaves has paid as well.

    Keys without a budget are not counted. Raises SpentUp, and ConnectionError while MongoDB is away.
    """
    if not key.tokens:
        return
    with open_documents(settings) as documents:
        spent = documents.spend(key.name, now.date(), tokens)
        if spent > key.tokens:
            documents.spend(key.name, now.date(), -tokens)
            raise SpentUp(key, spent - tokens, _seconds_left(now))


def settle(settings: Settings, key: Key, reserved: int, used: int, now: datetime) -> None:
    """Replace a reservation by what was really used; one that cannot be settled stays as it is."""
    if not key.tokens:
        return
    try:
        with open_documents(settings) as documents:
            documents.spend(key.name, now.date(), used - reserved)
    except ConnectionError as error:
        log.warning("%s pays %d tokens for %d: %s", key.name, reserved, used, error)


def _seconds_left(now: datetime) -> int:
    """Count the seconds until midnight in UTC."""
    now = now.astimezone(UTC)
    return 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
