"""Settings: where they come from, what is refused, and `.env.example` in step with the code."""

import re

import pytest

from include.settings import ROOT, Settings, load_settings

EXAMPLE = (ROOT / ".env.example").read_text()
SECRETS = {"TWIN_VECTORS_API_KEY", "TWIN_API_KEY", "TWIN_LLM_KEY"}


@pytest.fixture
def env_file(tmp_path):
    return tmp_path / ".env"


def test_without_anything_the_defaults_hold(env_file):
    assert load_settings({}, env_file) == Settings()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(env_file):
    env_file.write_text("TWIN_SEED=1\nTWIN_AUTHOR=one\nOTHER=2\n")
    found = load_settings({"TWIN_SEED": "2"}, env_file)
    assert (found.seed, found.author) == (2, "one")


def test_an_empty_value_means_the_default(env_file):
    env_file.write_text("TWIN_AUTHOR=\n")
    assert load_settings({"TWIN_SEED": ""}, env_file) == Settings()


def test_an_unknown_setting_is_named_and_where_all_of_them_stand(env_file):
    with pytest.raises(ValueError, match=r"TWIN_SEDE: there is no such setting.*\.env\.example"):
        load_settings({"TWIN_SEDE": "2"}, env_file)


def test_a_malformed_value_is_named(env_file):
    with pytest.raises(ValueError, match="TWIN_MONGO_PORT: .*integer"):
        load_settings({"TWIN_MONGO_PORT": "many"}, env_file)


def test_a_secret_does_not_show_when_settings_are_printed(env_file):
    found = load_settings({"TWIN_API_KEY": "hidden-key"}, env_file)
    assert "hidden-key" not in repr(found)
    assert found.api_key.get_secret_value() == "hidden-key"


def test_the_offset_moves_every_port():
    names = [n.removesuffix("_port") for n in Settings.model_fields if n.endswith("_port")]
    assert len(names) == 10
    plain, moved = Settings(), Settings(port_offset=7)
    assert all(moved.port(n) == plain.port(n) + 7 for n in names)


def test_the_example_lists_every_setting_once_with_its_default_and_nothing_else(env_file):
    listed = re.findall(r"^# (TWIN_\w+)=", EXAMPLE, re.MULTILINE)
    assert sorted(listed) == sorted(f"TWIN_{n.upper()}" for n in Settings.model_fields)
    env_file.write_text(re.sub(r"^# (?=TWIN_)", "", EXAMPLE, flags=re.MULTILINE))
    # Paths are written as a reader sees them, seen from the checkout.
    paths = {n: getattr(Settings(), n) for n in ("data_dir", "cache_dir", "sources_file")}
    read = load_settings({}, env_file)
    assert read.model_copy(update=paths) == Settings()
    assert ROOT / read.data_dir == Settings().data_dir
    assert ROOT / read.sources_file == Settings().sources_file
    assert read.cache_dir.expanduser() == Settings().cache_dir


def test_every_setting_in_the_example_has_a_comment_of_its_own():
    lines = EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"# \w+=", line):
            assert re.match(r"# .* ", lines[number - 1]), line
            assert not re.match(r"# \w+=", lines[number - 1]), line


def test_the_example_holds_no_secret():
    for name in (
        *SECRETS,
        "MONGO_PASSWORD",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "GRAFANA_PASSWORD",
    ):
        assert re.search(rf"^# {name}=$", EXAMPLE, re.MULTILINE), name
