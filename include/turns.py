"""Take turns at a host: one request at a time from this machine, with the pause that the host asks for in between.

Every source is crawled by a process of its own, and two sources may be on one host; so the turn is a locked file that
says when the host was last asked. The system lets go of the lock of a process that dies.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


@contextmanager
def host_turn(folder: Path, origin: str, pause: float) -> Iterator[float]:
    """Wait for the turn, hold it for the length of a `with` block; yields the seconds that were waited."""
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with (folder / f"{quote(origin, safe='')[:200]}.turn").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        # A clock that was set back must not make anybody wait for longer than the pause.
        left = float(file.read() or 0.0) + pause - time.time()
        time.sleep(min(max(0.0, left), pause))
        try:
            yield time.monotonic() - started
        finally:
            file.truncate(0)
            file.write(repr(time.time()))
