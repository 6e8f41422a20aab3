"""Getting Weaviate: the order of the ways, what is written down, and LanceDB as the last resort."""

from pathlib import Path

import pytest
from conftest import free_port

from include import weaviate_setup
from include.env_file import read_env
from include.services import WEAVIATE_VERSION
from include.settings import Settings
from include.weaviate_setup import go_is_new_enough, setup_vectors


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


@pytest.fixture
def env_file(tmp_path):
    return tmp_path / ".env"


def refuse(settings):
    raise OSError("Not here.")


def with_url(world, url):
    return world.model_copy(update={"vectors_url": url})


def test_a_program_that_is_here_is_written_down_with_a_fresh_key(world, env_file, tmp_path):
    (tmp_path / "mine").touch()
    said = setup_vectors(
        world.model_copy(update={"weaviate_binary": str(tmp_path / "mine")}), env_file
    )
    written = read_env(env_file)
    assert "is here already" in said
    assert written["TWIN_WEAVIATE_BINARY"] == str(tmp_path / "mine")
    assert len(written["TWIN_VECTORS_API_KEY"]) >= 24


def test_a_download_comes_before_a_build(world, env_file, monkeypatch):
    monkeypatch.setattr(weaviate_setup, "download", lambda settings: Path("/downloaded"))
    monkeypatch.setattr(weaviate_setup, "build", refuse)
    setup_vectors(world, env_file)
    assert read_env(env_file)["TWIN_WEAVIATE_BINARY"] == "/downloaded"


def test_a_build_is_next(world, env_file, monkeypatch):
    monkeypatch.setattr(weaviate_setup, "download", refuse)
    monkeypatch.setattr(weaviate_setup, "build", lambda settings: Path("/built"))
    setup_vectors(world, env_file)
    assert read_env(env_file)["TWIN_WEAVIATE_BINARY"] == "/built"


def test_at_last_there_is_lancedb_and_it_is_said_why(world, env_file, monkeypatch):
    monkeypatch.setattr(weaviate_setup, "download", refuse)
    monkeypatch.setattr(weaviate_setup, "build", refuse)
    said = setup_vectors(world, env_file)
    assert said.startswith("vectors: LanceDB in ")
    assert "because no Weaviate could be had: Not here. Not here." in said
    assert read_env(env_file)["TWIN_VECTORS_URL"] == f"lancedb://{world.data_dir}/vectors"


def test_a_configured_folder_is_taken_as_it_is(world, env_file, tmp_path):
    assert str(tmp_path) in setup_vectors(with_url(world, f"lancedb://{tmp_path}/v"), env_file)
    assert not env_file.exists()


def test_a_configured_server_that_does_not_answer_is_named(world, env_file):
    url = f"weaviate://127.0.0.1:{free_port()}"
    with pytest.raises(OSError, match=f"TWIN_VECTORS_URL is {url}.*Start that server"):
        setup_vectors(with_url(world, url), env_file)


@pytest.mark.services
def test_a_configured_server_that_answers_is_used(world, env_file, weaviate_server):
    url = f"weaviate://127.0.0.1:{weaviate_server[0]}"
    assert "the Weaviate at 127.0.0.1" in setup_vectors(with_url(world, url), env_file)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "weaviate://", "chroma:///x"])
def test_what_is_no_url_for_vectors_is_refused_with_its_value(world, env_file, url):
    with pytest.raises(ValueError, match=f"TWIN_VECTORS_URL is '{url}'.*lancedb:///folder"):
        setup_vectors(with_url(world, url), env_file)


@pytest.mark.parametrize(
    ("version", "enough"),
    [("go1.26", True), ("go1.26.8\n", True), ("go1.25.9", False), ("go2.0", True), ("", False)],
)
def test_only_a_go_that_is_new_enough_is_used(version, enough):
    assert go_is_new_enough(version) == enough


def test_no_go_on_the_path_is_no_error(world):
    assert weaviate_setup.find_go() == ""


def test_a_program_is_kept_in_one_step_and_can_be_run(world, tmp_path):
    (tmp_path / "fresh").write_text("program")
    kept = weaviate_setup._keep(world, tmp_path / "fresh")
    assert kept.name == f"weaviate-server-{WEAVIATE_VERSION}"
    assert kept.stat().st_mode & 0o111
    assert [f.name for f in kept.parent.iterdir()] == [kept.name]
