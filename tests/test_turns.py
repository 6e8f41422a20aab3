"""Two crawls of one host take turns, also where they are two processes, and a dead one holds nobody up."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from include.settings import ROOT
from include.turns import host_turn

HOST = "https://quay.example"
HOLDER = """
import sys, pathlib
from include.turns import host_turn
with host_turn(pathlib.Path(sys.argv[1]), "https://quay.example", 0.0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_pause_of_a_host_lies_between_two_turns_and_others_do_not_wait(tmp_path):
    with host_turn(tmp_path, HOST, 600.0) as waited:
        assert waited < 600
        ended = time.time()
    with host_turn(tmp_path, "https://other.example", 600.0) as waited:
        assert waited < 600
    with host_turn(tmp_path, HOST, 0.2):
        assert time.time() - ended >= 0.2


def test_one_at_a_time(tmp_path):
    holding, most = [], []

    def turn(_: int) -> None:
        with host_turn(tmp_path, HOST, 0.0):
            holding.append(1)
            most.append(len(holding))
            time.sleep(0.005)
            holding.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(turn, range(24)))
    assert most == [1] * 24


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_pause(tmp_path):
    with host_turn(tmp_path, HOST, 0.0):
        pass
    (file,) = tmp_path.iterdir()
    file.write_text(repr(time.time() + 9999))

    with host_turn(tmp_path, HOST, 0.1) as waited:
        assert 0.1 <= waited < 60


def test_the_turn_of_a_killed_process_is_free(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: host_turn(tmp_path, HOST, 0.0).__enter__())
        assert not waiting.done()
        holder.kill()
        holder.wait()
        assert waiting.result() >= 0
