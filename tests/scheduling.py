"""Which worker runs which test: files together, and what a worker that crashed has not run is run by others."""

import re
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# What a file says that asks the session's endpoint, or its world.
ASKS = re.compile(r"\b(served|answering|deployed|serving_world)\b")


class Together(LoadFileScheduling):
    """Keep all files that ask the session's endpoint on one worker, which makes its world and its Ray once.

    xdist 3.8 waits for ever after a worker has crashed: it hands files again that are done, and leaves a new worker
    with its last test, which a worker begins only when it knows that another follows or none.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "endpoint" if ASKS.search((self.config.rootpath / file).read_text()) else file

    def remove_node(self, node: "WorkerController") -> str | None:
        """Hand what a worker leaves to others, but the test that it crashed in."""
        left = self.assigned_work.pop(node)
        waiting = [
            (unit, test) for unit in left.values() for test, done in unit.items() if not done
        ]
        if not waiting:
            return None
        unit, crashed = waiting[0]
        unit[crashed] = True
        self.workqueue.update({file: unit for file, unit in left.items() if not all(unit.values())})
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: "WorkerController") -> None:
        super()._reschedule(node)
        while (
            self.workqueue
            and not node.shutting_down
            and self._pending_of(self.assigned_work[node]) < 2
        ):
            super()._reschedule(node)
        if not self.workqueue:
            node.shutdown()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let xdist schedule so."""
    return Together(config, log)
