"""API keys: made once, kept as hashes, and each with a budget of its own."""

import json
import stat

import pytest
from pydantic import SecretStr

from include.keys import api_key
from include.settings import Settings
from serving.keys import Buckets, allow_key, ensure_key, recognise


@pytest.fixture
def world(tmp_path):
    return Settings(data_dir=tmp_path)


def test_the_platforms_key_is_made_once_and_let_in(world):
    key = ensure_key(world)

    assert ensure_key(world) == key == api_key(world)
    assert len(key) >= 24
    assert recognise(world, key).name == "platform"


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


def test_a_second_key_leaves_the_first_alone(world):
    first = ensure_key(world)
    allow_key(world, "for-a-friend", "friend", ("chat",))

    assert {recognise(world, k).name for k in (first, "for-a-friend")} == {"platform", "friend"}
    assert len(json.loads((world.data_dir / "run" / "keys.json").read_text())) == 2


def test_a_bucket_gives_a_burst_and_then_its_rate():
    buckets = Buckets(rate=2.0, burst=3.0)

    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 0.0) == pytest.approx(0.5)
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.5) == 0.0
    assert buckets.take("a", 0.5) > 0
