"""Models that come and go in one process harm neither each other nor the process."""

import os
import subprocess
import sys
import threading

import pytest
from small_models import make_model

from include.settings import ROOT
from ml.llama import load_llama
from ml.llama_server import GRAMMAR
from ml.types import Message

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "maximum": 99}},
    "required": ["n"],
}
ASKED = {"max_tokens": 40, "temperature": 1.5, "top_p": 0.95, "seed": 1}

# Without a first word, llama.cpp waits for ever for its own beginning, with Python's lock in its hand.
DROPPED = """
import sys
from pathlib import Path
from ml.llama import load_llama
for _ in range(12):
    load_llama(Path(sys.argv[1]), None, Path(sys.argv[2]), "f32")
"""

# With its one tokenizer for all models unlocked, and known by an address that another model may have by now, two of
# three such lives ended in a segmentation fault or a double free within two minutes.
LIVES = """
import random, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ml.llama import load_llama
from ml.types import Message
from tests.test_llama_server import ASKED, SCHEMA
*bases, cache, seconds = sys.argv[1:]
chance, end = random.Random(2), time.monotonic() + float(seconds)
load = lambda base: load_llama(Path(base), None, Path(cache), "f32")
live = [load(base) for base in bases]
def ask(turn):
    said = "".join(live[turn % 2].stream([Message("user", f"{turn}")], **{**ASKED, "seed": turn}, schema=SCHEMA))
    assert said.startswith('{"n":'), said
    return said
while time.monotonic() < end:
    if chance.random() < 0.3:
        place = chance.randrange(2)
        live[place] = None
        live[place] = load(chance.choice(bases))
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(ask, range(16)))
"""


def run(program, *arguments, timeout):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model("smollm2", tmp_path_factory.mktemp("model"))


def test_a_model_that_goes_before_it_was_asked_anything_goes_in_peace(base, tmp_path):
    ended = run(DROPPED, base, tmp_path, timeout=100)

    assert (ended.returncode, ended.stderr[-500:]) == (0, "")


def test_answers_under_a_grammar_begin_one_after_another_and_others_do_not_wait(base, tmp_path):
    llama = load_llama(base, None, tmp_path, "f32")
    asked, heard = [Message("user", "x")], list[str]()

    def ask():
        heard.append("".join(llama.stream(asked, **ASKED, schema=SCHEMA)))

    with GRAMMAR:  # as if another model's answer were about to begin
        waiting = threading.Thread(target=ask)
        waiting.start()
        assert llama.complete(asked, **ASKED)
        assert not heard
    waiting.join(60)
    assert heard[0].startswith('{"n":')
    assert not GRAMMAR.locked()


def test_a_grammar_that_cannot_begin_lets_others_begin(base, tmp_path):
    llama = load_llama(base, None, tmp_path, "f32")
    with pytest.raises(ValueError, match="cannot be followed"):
        llama.complete([Message("user", "x")], **ASKED, schema={"type": "rope"})
    # A stream that is closed before its first word.
    speech = llama.stream([Message("user", "x")], **ASKED, schema=SCHEMA)
    speech.pieces.close()

    assert llama.complete([Message("user", "x")], **ASKED, schema=SCHEMA).startswith('{"n":')


@pytest.mark.faults
def test_models_of_two_tokenizers_that_come_and_go_keep_to_their_grammars(
    base, tiny_base, tmp_path
):
    ended = run(LIVES, base, tiny_base, tmp_path, 100, timeout=200)

    assert (ended.returncode, ended.stderr[-2_000:]) == (0, "")
