"""Tokens of a day: reserved, settled, shared by all replicas, and back at midnight."""

from datetime import UTC, datetime, timedelta

import pytest

from include.documents import open_documents
from include.settings import Settings
from serving.budget import SpentUp, reserve, settle
from serving.keys import Key

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRIEND = Key("friend", tokens=100)


def spent(world: Settings, key: Key = FRIEND, at: datetime = NOON) -> int:
    with open_documents(world) as documents:
        return documents.spend(key.name, at.date(), 0)


def test_what_was_reserved_is_settled_to_what_was_used(settings):
    reserve(settings, FRIEND, 60, NOON)
    settle(settings, FRIEND, 60, 25, NOON)

    assert spent(settings) == 25


def test_who_would_spend_more_than_a_day_has_is_told_when_to_come_back(settings):
    reserve(settings, FRIEND, 60, NOON)

    with pytest.raises(SpentUp, match="has spent 60 of its 100 tokens of today") as refused:
        reserve(settings, FRIEND, 60, NOON)

    assert refused.value.seconds == 12 * 3600
    assert spent(settings) == 60
    reserve(settings, FRIEND, 40, NOON)


def test_a_new_day_has_new_tokens(settings):
    reserve(settings, FRIEND, 100, NOON)
    reserve(settings, FRIEND, 100, NOON + timedelta(days=1))

    assert spent(settings) == spent(settings, at=NOON + timedelta(days=1)) == 100


def test_a_key_without_a_budget_needs_no_store(tmp_path):
    nowhere = Settings(data_dir=tmp_path, mongo_url="mongodb://127.0.0.1:1")

    reserve(nowhere, Key("platform"), 10**9, NOON)
    settle(nowhere, Key("platform"), 10**9, 5, NOON)


def test_a_key_with_a_budget_waits_while_the_store_is_away(tmp_path, caplog):
    nowhere = Settings(data_dir=tmp_path, mongo_url="mongodb://127.0.0.1:1/?connectTimeoutMS=200")

    with pytest.raises(ConnectionError):
        reserve(nowhere, FRIEND, 1, NOON)
    settle(nowhere, FRIEND, 50, 5, NOON)
    assert "friend pays 50 tokens for 5" in caplog.text
