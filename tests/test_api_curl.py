"""The endpoint from a shell: the README's own line, and what curl is told when something is wrong."""

import json
import re
import shutil
import subprocess

import pytest
from serving_world import QUESTION

from include.keys import api_key
from include.settings import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on this machine")


def curl(url: str, key: str, *options: str) -> tuple[int, str]:
    """Call a route; returns the status and the body."""
    told = ("curl", "-sN", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {key}", *options)
    ran = subprocess.run([*told, url], capture_output=True, text=True, timeout=60, check=True)
    body, _, status = ran.stdout.rpartition("\n")
    return int(status), body


def body(**changes: object) -> tuple[str, ...]:
    """Make the options that post a question."""
    asked = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 4, **changes}
    return ("-H", "Content-Type: application/json", "-d", json.dumps(asked))


def test_the_line_of_the_readme_streams_an_answer(answering):
    (line,) = re.findall(r"```sh\n(curl .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    line = line.replace("http://127.0.0.1:8200", answering.url)
    line = line.replace("$(cat data/run/api_key)", api_key(answering.world))

    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)

    *events, last = [e for e in ran.stdout.split("\n\n") if e]
    pieces = [json.loads(e.removeprefix("data: ")) for e in events]
    assert last == "data: [DONE]"
    assert {p["object"] for p in pieces} == {"chat.completion.chunk"}
    assert pieces[0]["choices"][0]["delta"]["role"] == "assistant"
    assert pieces[-1]["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    ("key", "options", "status", "said"),
    [
        pytest.param("nobody", body(), 401, "key", id="a key that nobody gave"),
        pytest.param("", body(n=2), 400, "n", id="two answers at once"),
        pytest.param("", body(logprobs=True), 400, "logprobs", id="logprobs"),
        pytest.param(
            "", ("-d", "{", "-H", "Content-Type: application/json"), 400, "JSON", id="torn"
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(answering, key, options, status, said):
    known = key or api_key(answering.world)

    told, answer = curl(f"{answering.url}/v1/chat/completions", known, *options)

    assert told == status
    assert said in json.loads(answer)["error"]["message"]
