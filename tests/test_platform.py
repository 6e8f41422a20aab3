"""`make up`, `status`, `logs`, `down`: real processes under a real supervisor, but only the cheap ones."""

import io
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pymongo
import pytest
from rich.console import Console
from small_world import pids, small_services, small_world

from include import platform, supervision
from include.processes import WORLD_MARK
from include.services import clear_ray_folder, port_is_open, ray_folder

QUIET = Console(quiet=True)


@pytest.fixture(scope="module", autouse=True)
def cheap():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "platform_services", small_services)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = small_world(tmp_path_factory.mktemp("world"))
    platform.up(settings, QUIET)
    yield settings
    platform.down(settings)


def mongo(settings):
    return supervision.programs(settings)["mongo"]


def seen(settings):
    text = io.StringIO()
    well = platform.status(settings, Console(file=text, width=200))
    return well, text.getvalue()


def test_a_second_up_changes_nothing(world):
    before = mongo(world).pid
    platform.up(world, QUIET)
    assert mongo(world).pid == before


def test_status_tells_state_health_memory_and_where_to_look(world):
    well, text = seen(world)
    assert well
    assert "RUNNING  yes" in text
    assert " MB" in text
    assert "Airflow" in text
    assert str(world.port("mongo")) in text


def test_a_killed_program_is_restarted_and_keeps_what_was_stored(world):
    url = f"mongodb://127.0.0.1:{world.port('mongo')}"
    with pymongo.MongoClient(url) as client:
        client["twin"]["things"].insert_one({"_id": 1})
    before = mongo(world).pid
    os.kill(before, signal.SIGKILL)
    platform.up(world, QUIET)
    deadline = time.monotonic() + 15
    while mongo(world).pid in (0, before) or not port_is_open(world.port("mongo")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pymongo.MongoClient(url) as client:
        assert client["twin"]["things"].find_one({"_id": 1})


def test_a_program_that_up_leaves_alone_can_be_started_later(world):
    assert supervision.programs(world)["demo-site"].state == "STOPPED"
    platform.start_program(world, "demo-site")
    assert port_is_open(world.port("demo"))


def test_two_platforms_run_side_by_side_and_one_ends_alone(world, tmp_path):
    other = small_world(tmp_path)
    platform.up(other, QUIET)
    before = mongo(world).pid
    assert platform.down(other) == 0
    assert pids(other) == set()
    assert mongo(world).pid == before
    assert not seen(other)[0]


def test_changed_settings_start_everything_anew(world):
    before = mongo(world).pid
    platform.up(world.model_copy(update={"seed": 8}), QUIET)
    after = mongo(world).pid
    assert after not in (0, before)


def test_a_killed_supervisor_leaves_nothing_that_up_cannot_tidy(tmp_path):
    settings = small_world(tmp_path)
    platform.up(settings, QUIET)
    orphan = mongo(settings).pid
    os.kill(int((tmp_path / "data" / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    while supervision.is_supervised(settings):
        time.sleep(0.05)
    platform.up(settings, QUIET)
    assert mongo(settings).pid != orphan
    platform.down(settings)
    assert pids(settings) == set()


def test_down_also_ends_what_left_the_supervisors_session(world, tmp_path):
    settings = small_world(tmp_path)
    marks = {WORLD_MARK: str(settings.data_dir.resolve())}
    code = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(60)"
    stray = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | marks, start_new_session=True
    )
    while stray.pid not in pids(settings):
        time.sleep(0.02)
    assert platform.down(settings) == 1
    assert stray.wait(timeout=5) != 0


def test_down_of_what_does_not_run_is_no_error(tmp_path):
    assert platform.down(small_world(tmp_path)) == 0


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path):
    settings = small_world(tmp_path)
    with socket.create_server(("127.0.0.1", settings.port("mongo"))):
        with pytest.raises(OSError) as raised:
            platform.up(settings, QUIET)
        said = str(raised.value)
    assert f"Port {settings.port('mongo')} for mongo is taken" in said
    assert f"pid {os.getpid()}" in said
    assert "TWIN_MONGO_PORT" in said
    assert pids(settings) == set()


def test_an_offset_that_is_too_large_is_named(tmp_path):
    with pytest.raises(ValueError, match="TWIN_PORT_OFFSET is 60000"):
        platform.check_ports(small_world(tmp_path, port_offset=60_000))


def test_a_program_that_does_not_come_up_is_named_with_its_log(tmp_path, monkeypatch):
    settings = small_world(tmp_path)
    (settings.data_dir / "mongo.db").mkdir(parents=True)
    monkeypatch.setattr(platform, "UP_SECONDS", 8.0)
    with pytest.raises(OSError, match="mongo did not come up") as raised:
        platform.up(settings, QUIET)
    assert str(settings.data_dir / "logs" / "mongo.log") in str(raised.value)
    assert "unable to open database" in str(raised.value)
    platform.down(settings)
    assert pids(settings) == set()


def test_the_log_of_an_unknown_program_is_named_with_those_there_are(world):
    with pytest.raises(FileNotFoundError, match=r"No log of nosuch .* mongo"):
        platform.logs(world, ["nosuch"])


def test_a_program_that_nobody_knows_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"'nosuch'; there are mongo, demo-site"):
        platform.launch(small_world(tmp_path), "nosuch")


def test_clean_takes_away_what_lies_outside_the_data_folder(tmp_path):
    settings = small_world(tmp_path)
    clear_ray_folder(settings)
    assert stat.S_IMODE(ray_folder(settings).parent.stat().st_mode) == 0o700
    platform.clean(settings)
    assert not ray_folder(settings).parent.exists()


def test_the_command_line_says_its_verbs_and_fails_in_one_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TWIN_DATA_DIR", str(tmp_path))
    assert platform.main(["dance"]) == 1
    said = capsys.readouterr().err
    assert "up, down, clean, status, logs" in said
    assert "Traceback" not in said
