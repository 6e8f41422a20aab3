"""How far a training is: a bar in a terminal, and lines in a log."""

import io
import logging
import re

import pytest

from include.progress import show_progress
from ml.curve import Step


class Terminal(io.StringIO):
    """Text that says that a person looks at it."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_for_each_stage_and_the_lines_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    with show_progress(terminal) as (say, watch):
        say("sft step 1/60 begins [early]")
        watch(Step("sft", 30, 60, 3.21, 12.4))
        watch(Step("dpo", 3, 12, 0.5, 2.0))
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())

    assert "sft step 1/60 begins [early]" in shown
    assert "learning the answers" in shown and "30/60" in shown
    assert "loss 3.210, 12 s left" in shown
    assert "preferring them" in shown and "3/12" in shown


def test_a_log_gets_the_lines_alone(caplog: pytest.LogCaptureFixture) -> None:
    file = io.StringIO()
    with caplog.at_level(logging.INFO), show_progress(file) as (say, watch):
        say("sft step 1/60 loss 3.2 eta 12 s")
        watch(Step("sft", 30, 60, 3.21, 12.4))

    assert file.getvalue() == ""
    assert [r.message for r in caplog.records] == ["sft step 1/60 loss 3.2 eta 12 s"]
