"""What is read out of a job's output, wherever it ran: its result, its complaint, its latest lines."""

import json
import signal
from dataclasses import dataclass
from typing import Literal

Status = Literal["running", "succeeded", "failed", "lost"]
CANCELLED = "It was cancelled."
# Characters of a failure's own words that are kept; the log has them all.
ERROR_LENGTH = 2_000
TRACEBACK = "Traceback (most recent call last):\n"


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job is doing. `result` is what its verb returned, `error` what it failed with.

    `log` says where everything that it said can be read; `seconds` is how long it has run.
    """

    id: str
    status: Status
    result: object
    error: str
    log: str
    seconds: float


def find_result(output: str) -> object:
    """Return the value of the last line that is JSON; a ValueError if none is."""
    for line in reversed(output.splitlines()):
        try:
            return json.loads(line)
        except ValueError:
            continue
    raise ValueError("It printed no result.")


def complaint(text: str) -> str:
    """Return a failed program's own words: the message under its last traceback, or else its last line."""
    _, found, tail = text.rstrip().rpartition(TRACEBACK)
    if not found:
        return (text.strip().splitlines() or ["It said nothing."])[-1][:ERROR_LENGTH]
    lines = tail.splitlines()
    first = next((n for n, line in enumerate(lines) if not line.startswith(" ")), 0)
    return "\n".join(lines[first:])[:ERROR_LENGTH]


def killed(code: int) -> str:
    """Say by which signal a process was ended; `code` is its exit status, below 0."""
    name = signal.Signals(-code).name
    hint = " Perhaps the machine ran out of memory." if name == "SIGKILL" else ""
    return f"Its process was ended by {name}.{hint}"


def whole_lines(data: bytes, offset: int) -> tuple[str, int]:
    """Cut what follows a byte after its last line; a log that was begun anew is read from its start."""
    offset = offset if offset <= len(data) else 0
    end = data.rfind(b"\n") + 1
    if end <= offset:
        return "", offset
    return data[offset:end].decode("utf-8", "replace"), end
