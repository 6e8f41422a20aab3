"""Several processes that train one model together: each takes its share of a step, and all make the same step.

One per GPU, or some on a CPU. The process group is set up by accelerate, which also knows the groups
of `accelerate launch` and Ray Train. Whoever calls keeps the run and the report: the first process
sends it what there is to tell. They end with the process that started them.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Of Linux: send me this signal when the process that started me ends.
PR_SET_PDEATHSIG = 1
PATIENCE_SECONDS = 0.2

Tell = Callable[[str, tuple[Any, ...]], None]


@dataclass(frozen=True, slots=True)
class Team:
    """Which of how many processes this one is."""

    index: int = 0
    size: int = 1

    def meet(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            import torch

            torch.distributed.barrier()


ALONE = Team()


def in_team(
    size: int, work: Callable[..., dict[str, Any]], given: tuple[Any, ...], hear: Tell
) -> dict[str, Any]:
    """Run `work(team, tell, *given)` in so many processes at once; returns what the first one returned.

    What the first one tells is heard here, in the calling process; an exception in `hear` ends all
    of them, and so does an exception in any of them, which is raised here.
    """
    import torch
    from torch.multiprocessing.spawn import ProcessRaisedException, start_processes

    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()
    if sys.platform != "linux" and size > 1:
        raise ValueError("Training in several processes needs Linux. Set TWIN_TRAIN_WORKERS=1.")
    threads = max(torch.get_num_threads() // size, 1)
    arguments = (size, _free_port(), threads, os.getpid(), queue, work, given)
    team = start_processes(_member, arguments, nprocs=size, join=False, start_method="spawn")
    ends: dict[str, Any] = {}
    try:
        ended = False
        while not ended:
            ended = team.join(timeout=PATIENCE_SECONDS)
            _listen(queue, ends, hear)
    except ProcessRaisedException as failed:
        _listen(queue, ends, hear)
        raise ends.get("error", failed) from failed
    finally:
        for process in team.processes:
            if process.is_alive():
                process.kill()
            process.join()
    return ends["answer"]


def _listen(queue: Any, ends: dict[str, Any], hear: Tell) -> None:
    """Hear what was told; the answer, and the first error, are how a team ends."""
    while not queue.empty():
        what, values = queue.get()
        if what in ("answer", "error"):
            ends.setdefault(what, values[0])
        else:
            hear(what, values)


def _member(
    index: int,
    size: int,
    port: int,
    threads: int,
    parent: int,
    queue: Any,
    work: Callable[..., dict[str, Any]],
    given: tuple[Any, ...],
) -> None:
    """Be one process of a team."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os.kill(os.getpid(), signal.SIGKILL)
    places = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    for name, value in (*places.items(), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port)):
        os.environ[name] = str(value)
    import torch
    from accelerate import PartialState

    torch.set_num_threads(threads)
    state = PartialState(cpu=not torch.cuda.is_available())

    def tell(what: str, values: tuple[Any, ...]) -> None:
        if index == 0:
            queue.put((what, values))

    try:
        tell("answer", (work(Team(state.process_index, state.num_processes), tell, *given),))
    except Exception as error:
        queue.put(("error", (error,)))
        raise
    state.wait_for_everyone()
    state.destroy_process_group()


def _free_port() -> int:
    """Ask the system for a port on which the processes find each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
