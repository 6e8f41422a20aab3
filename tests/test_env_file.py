"""The `.env` file: variables are set in place, secrets are made once."""

import stat

from include.env_file import SECRETS, fill_in_secrets, read_env, write_env


def test_a_variable_is_replaced_and_every_other_line_stays(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# mine\nTWIN_SEED=1\n\nOTHER=x=y\n")
    write_env(file, {"TWIN_SEED": "2", "TWIN_AUTHOR": "me"})
    assert file.read_text() == "# mine\nTWIN_SEED=2\n\nOTHER=x=y\nTWIN_AUTHOR=me\n"
    assert read_env(file)["OTHER"] == "x=y"


def test_a_new_file_is_for_its_owner_only(tmp_path):
    file = tmp_path / ".env"
    write_env(file, {"A": "1"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_secrets_are_made_once_and_differ(tmp_path):
    file = tmp_path / ".env"
    file.write_text("TWIN_API_KEY=mine\nREDIS_PASSWORD=\n")
    assert set(fill_in_secrets(file)) == set(SECRETS) - {"TWIN_API_KEY"}
    made = read_env(file)
    assert made["TWIN_API_KEY"] == "mine"
    assert len(set(made.values())) == len(SECRETS)
    assert fill_in_secrets(file) == []
    assert read_env(file) == made
