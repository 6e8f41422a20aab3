"""One program for the length of a `with` block."""

import socket

import pymongo
import pytest
from conftest import free_port

from include.running import running
from include.services import Service, mongo_service, port_is_open
from include.settings import Settings


def test_a_program_runs_inside_the_block_and_not_after_it(tmp_path):
    service = mongo_service(Settings(data_dir=tmp_path, mongo_port=free_port()))
    with (
        running(service, tmp_path),
        pymongo.MongoClient(f"mongodb://127.0.0.1:{service.port}") as client,
    ):
        client["twin"]["things"].insert_one({"a": 1})
    assert not port_is_open(service.port)
    assert (tmp_path / "mongo.log").exists()


def test_a_taken_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"Port {port} for x is taken"),
            running(Service("x", ("/bin/true",), port), tmp_path),
        ):
            raise AssertionError("the block must not run")


def test_a_program_that_ends_at_once_is_told_with_its_log(tmp_path):
    service = Service("x", ("/bin/false",), free_port())
    with pytest.raises(OSError, match=r"x did not come up on port"), running(service, tmp_path):
        raise AssertionError("the block must not run")
