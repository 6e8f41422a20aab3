"""The platform's programs: everything on loopback, every port a setting, nothing shared between two checkouts."""

import re
import stat
import sys

import pytest
from pydantic import SecretStr

from include.services import (
    WEAVIATE_VERSION,
    child_environment,
    clear_ray_folder,
    mongo_service,
    platform_services,
    prepare,
    ray_folder,
    ray_service,
    settings_environment,
    weaviate_binary,
    weaviate_service,
)
from include.settings import Settings, load_settings


@pytest.fixture
def world(tmp_path):
    (tmp_path / "weaviate").touch()
    return Settings(data_dir=tmp_path / "data", weaviate_binary=str(tmp_path / "weaviate"))


def ports(settings):
    return [p for s in platform_services(settings) for p in (s.port, *s.more_ports) if p]


def words(settings):
    for service in platform_services(settings):
        yield from service.argv
        yield from (v for k, v in service.environment.items() if not k.startswith("AIRFLOW__"))


def test_everything_that_runs_has_a_program_and_a_name_of_its_own(world):
    services = platform_services(world)
    assert len({s.name for s in services}) == len(services)
    assert all(s.argv[0].startswith("/") for s in services)
    assert [s.name for s in services if not s.starts] == ["demo-site"]


def test_no_program_listens_beyond_this_machine(world):
    assert not [w for w in words(world) if re.search(r"\b0\.0\.0\.0\b|^::$", w)]
    for service in platform_services(world):
        if service.health:
            assert service.health.startswith("http://127.0.0.1:")


def test_no_port_is_used_twice_and_all_move_with_the_offset(world):
    moved = world.model_copy(update={"port_offset": 1000})
    assert len(set(ports(world))) == len(ports(world))
    assert sorted(ports(moved)) == sorted(p + 1000 for p in ports(world))


def test_two_checkouts_with_their_own_offset_share_no_port(world):
    moved = world.model_copy(update={"port_offset": 200})
    ray = range(world.port("ray"), world.port("ray") + 111)
    others = range(moved.port("ray"), moved.port("ray") + 111)
    assert not set(ports(world)) & set(ports(moved))
    assert not set(ray) & set(others)


def test_a_server_by_url_is_not_started_here(world):
    names = {s.name for s in platform_services(world)}
    changes = {"mongo_url": "mongodb://db", "vectors_url": "weaviate://v:8080"}
    elsewhere = {s.name for s in platform_services(world.model_copy(update=changes))}
    assert names - elsewhere == {"mongo", "weaviate"}


def test_the_weaviate_program_is_the_named_one_then_the_cached_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    world = Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert weaviate_binary(world) is None
    cached = tmp_path / "cache" / "bin" / f"weaviate-server-{WEAVIATE_VERSION}"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert weaviate_binary(world) == cached
    (tmp_path / "mine").touch()
    named = world.model_copy(update={"weaviate_binary": str(tmp_path / "mine")})
    assert weaviate_binary(named) == tmp_path / "mine"


def test_without_a_weaviate_program_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make setup.*TWIN_VECTORS_URL=lancedb"):
        weaviate_service(Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache"))


def test_weaviate_asks_for_the_key_where_there_is_one(world):
    with_key = world.model_copy(update={"vectors_api_key": SecretStr("k")})
    open_one, closed = weaviate_service(world).environment, weaviate_service(with_key).environment
    assert open_one["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "true"
    assert closed["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert closed["AUTHENTICATION_APIKEY_ALLOWED_KEYS"] == "k"


def test_the_document_server_keeps_all_of_its_files_in_the_data_folder(world):
    files = [w for w in mongo_service(world).argv[1:] if w.startswith("/") and w != "/dev/null"]
    assert files
    assert all(file.startswith(str(world.data_dir)) for file in files)


def test_rays_folder_is_short_closed_and_one_per_world(tmp_path):
    world = Settings(data_dir=tmp_path / ("long/" * 40))
    folder = ray_folder(world)
    # Ray adds about 60 characters to it, of the 107 that a socket may have.
    assert len(str(folder)) < 40
    assert str(folder) in ray_service(world).argv
    assert folder != ray_folder(Settings(data_dir=tmp_path))
    clear_ray_folder(world)
    (folder.parent / "old").touch()
    prepare(ray_service(world), world)
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert list(folder.parent.iterdir()) == []
    folder.parent.rmdir()


def test_a_child_sees_this_very_world_whatever_the_env_file_says(world, tmp_path):
    told = settings_environment(world.model_copy(update={"api_key": SecretStr("k"), "seed": 3}))
    (tmp_path / ".env").write_text("TWIN_SEED=9\nTWIN_AUTHOR=somebody\n")
    child = load_settings(told, tmp_path / ".env")
    assert (child.seed, child.author, child.data_dir) == (3, world.author, world.data_dir)
    assert child.api_key.get_secret_value() == "k"


def test_a_child_finds_our_programs_and_guards_ray_with_a_token(world, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = child_environment(world)
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert sys.executable.startswith(environment["PATH"].split(":")[0])
    assert environment["RAY_AUTH_MODE"] == "token"
    token = environment["RAY_AUTH_TOKEN_PATH"]
    assert token.startswith(str(world.data_dir))
    assert stat.S_IMODE(world.data_dir.joinpath("run", "ray_token").stat().st_mode) == 0o600
