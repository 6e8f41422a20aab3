"""Circumstances: what is needed to make a thing again, and nothing about whose machine it was."""

import json
import os
import platform
import re
from importlib.metadata import version

import pytest

from include.circumstances import PACKAGES, circumstances


def test_the_commit_the_python_and_the_packages_are_named() -> None:
    said = circumstances()

    assert re.fullmatch(r"[0-9a-f]{40}|", str(said["code"]))
    assert (said["python"], said["machine"]) == (platform.python_version(), platform.machine())
    assert said["processor"] and said["cores"] == len(os.sched_getaffinity(0))
    assert said["packages"] == {name: version(name) for name in PACKAGES}


def test_no_path_tells_whose_machine_it_was() -> None:
    assert "/" not in json.dumps(circumstances())


def test_without_git_and_packages_there_is_still_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("include.circumstances.PACKAGES", ("no-such-package",))

    said = circumstances()

    assert said["code"] == "" and said["packages"] == {"no-such-package": ""}
