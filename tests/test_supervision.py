"""The supervisor: its configuration, one program stopped and started, and whose supervisor it is."""

import configparser
import os
import stat

import pytest
from small_world import pids, small_services, small_world

from include import supervision
from include.services import port_is_open
from include.supervision import Program, configuration, last_lines, state_of_settings


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = small_world(tmp_path_factory.mktemp("100% mine"))
    supervision.start_supervisor(settings, small_services(settings))
    yield settings
    supervision.stop_supervisor(settings)
    assert pids(settings) == set()


def test_it_runs_what_it_was_given_also_in_a_folder_with_odd_characters(world):
    found = supervision.programs(world)
    assert set(found) == {"mongo", "demo-site"}
    assert isinstance(found["mongo"], Program)
    assert found["demo-site"].pid == 0


def test_a_program_is_restarted_with_a_new_process(world):
    before = supervision.programs(world)["mongo"].pid
    supervision.restart_program(world, "mongo")
    assert supervision.programs(world)["mongo"].pid not in (0, before)


def test_starting_what_runs_and_restarting_what_does_not_are_no_errors(world):
    supervision.start_program(world, "mongo")
    supervision.restart_program(world, "demo-site")
    assert supervision.programs(world)["demo-site"].state in ("STARTING", "RUNNING")


def test_a_supervisor_of_another_platform_is_not_taken_for_ours(world, tmp_path):
    stranger = small_world(tmp_path, supervisor_port=world.supervisor_port)
    assert port_is_open(stranger.port("supervisor"))
    assert not supervision.is_supervised(stranger)
    assert supervision.is_supervised(world)


def test_it_outlives_the_terminal_that_started_it(world):
    pid = int((world.data_dir / "run" / "supervisord.pid").read_text())
    assert os.getsid(pid) != os.getsid(0)


def test_its_configuration_is_for_its_owner_only(world):
    file = world.data_dir / "run" / "supervisord.conf"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_listens_on_loopback_only_and_asks_for_a_password(tmp_path):
    settings = small_world(tmp_path)
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(configuration(settings, small_services(settings)))
    assert parser["inet_http_server"]["port"] == f"127.0.0.1:{settings.port('supervisor')}"
    assert len(parser["inet_http_server"]["password"]) == 32
    assert parser["program:mongo"]["autorestart"] == "true"
    assert parser["program:demo-site"]["autostart"] == "false"


def test_a_changed_setting_changes_the_state(tmp_path):
    settings = small_world(tmp_path)
    other = settings.model_copy(update={"sft_steps": 1})
    state = state_of_settings(settings, small_services(settings))
    assert state == state_of_settings(settings, small_services(settings))
    assert state != state_of_settings(other, small_services(other))


def test_a_supervisor_that_cannot_start_is_told_with_its_log(tmp_path, world):
    settings = small_world(tmp_path, supervisor_port=world.supervisor_port)
    with pytest.raises(OSError, match="The supervisor did not start"):
        supervision.start_supervisor(settings, ())


def test_the_end_of_a_log_is_its_last_lines(tmp_path):
    file = tmp_path / "x.log"
    assert last_lines(file, 3) == ""
    file.write_text("\n".join(str(n) for n in range(9000)))
    assert last_lines(file, 2) == "8998\n8999"
