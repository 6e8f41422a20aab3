"""API keys: made once, kept as hashes, each with scopes, a rate and a budget of its own."""

import json
import stat

import pytest
from pydantic import SecretStr

from include.keys import api_key
from include.settings import Settings
from serving.keys import (
    SCOPES,
    Buckets,
    Key,
    allow_key,
    ensure_key,
    list_keys,
    main,
    recognise,
    revoke_key,
)

FRIEND = Key("friend", ("chat",), rate=1.0, burst=2.0, tokens=500)


@pytest.fixture
def world(tmp_path):
    return Settings(data_dir=tmp_path)


def test_the_platforms_key_is_made_once_and_let_in(world):
    key = ensure_key(world)

    assert ensure_key(world) == key == api_key(world)
    assert len(key) >= 24
    assert recognise(world, key) == Key("platform", SCOPES)


def test_only_hashes_are_kept_and_only_the_owner_reads_them(world):
    key = ensure_key(world)
    file = world.data_dir / "run" / "keys.json"

    assert key not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("presented", ["", "wrong", "ключ", "a" * 10_000])
def test_an_unknown_key_is_nobody(world, presented):
    ensure_key(world)

    assert recognise(world, presented) is None


def test_a_key_that_somebody_chose_is_never_written(world):
    chosen = world.model_copy(update={"api_key": SecretStr("my-own-key")})

    assert ensure_key(chosen) == "my-own-key"
    assert recognise(chosen, "my-own-key").name == "platform"
    assert not (world.data_dir / "run" / "keys.json").exists()


def test_a_second_key_leaves_the_first_alone_and_keeps_what_it_may(world):
    first = ensure_key(world)
    allow_key(world, "for-a-friend", FRIEND)

    assert recognise(world, first).name == "platform"
    assert recognise(world, "for-a-friend") == FRIEND
    assert [k.name for k in list_keys(world)] == ["friend", "platform"]


def test_a_key_of_an_older_platform_is_still_known(world):
    key = ensure_key(world)
    file = world.data_dir / "run" / "keys.json"
    (hashed,) = json.loads(file.read_text())
    file.write_text(json.dumps({hashed: {"name": "old", "scopes": ["chat"]}}))

    assert recognise(world, key) == Key("old", ("chat",))


def test_a_revoked_key_is_nobody_at_once(world):
    allow_key(world, "for-a-friend", FRIEND)

    assert revoke_key(world, "friend") == 1
    assert recognise(world, "for-a-friend") is None
    assert revoke_key(world, "friend") == 0


def test_a_scope_that_does_not_exist_is_named(world):
    with pytest.raises(ValueError, match="There is no scope 'admin'; there are: chat"):
        allow_key(world, "k", Key("x", ("chat", "admin")))


def test_the_command_shows_a_new_key_once(world, capsys, monkeypatch):
    monkeypatch.setenv("TWIN_DATA_DIR", str(world.data_dir))

    assert main(["allow", "phone", "--scopes", "chat, search", "--tokens", "900"]) == 0
    key = capsys.readouterr().out.strip()
    assert recognise(world, key) == Key("phone", ("chat", "search"), tokens=900)
    assert main(["list"]) == 0 and key not in capsys.readouterr().out
    assert main(["revoke", "phone"]) == 0
    assert capsys.readouterr().out == "1 keys of phone revoked\n"


def test_a_bucket_gives_a_burst_and_then_its_rate():
    buckets, a, b = Buckets(rate=2.0, burst=3.0), Key("a"), Key("b")

    assert [buckets.take(a, 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take(a, 0.0) == pytest.approx(0.5)
    assert buckets.take(b, 0.0) == 0.0
    assert buckets.take(a, 0.5) == 0.0
    assert buckets.take(a, 0.5) > 0


def test_several_processes_share_a_keys_limits():
    halves = [Buckets(rate=2.0, burst=4.0, processes=2) for _ in range(2)]
    key, hermit = Key("a"), Key("b", burst=1.0)

    assert [half.take(key, 0.0) for half in halves * 2] == [0.0] * 4
    assert [half.take(key, 0.0) for half in halves] == [pytest.approx(1.0)] * 2
    assert halves[0].take(hermit, 0.0) == 0.0


def test_a_key_with_a_rate_of_its_own_is_held_to_that():
    buckets = Buckets(rate=100.0, burst=100.0)

    assert [buckets.take(FRIEND, 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
