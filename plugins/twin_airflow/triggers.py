"""Waiting without holding a worker: for documents to clean, a dataset to train on, a job to end.

Triggers carry plain values only. Datasets are folders and jobs are processes, which need no Airflow
connection; where MongoDB is, the triggerer is told by `TWIN_MONGO_URL`.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from include.settings import load_settings


class NewDatasetTrigger(BaseTrigger):
    """Fire with the id of a dataset that nobody has trained on."""

    def __init__(self, poll_seconds: float = 3.0) -> None:
        super().__init__()
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, float]]:
        """Name this class and its arguments for the triggerer."""
        return "twin_airflow.triggers.NewDatasetTrigger", {"poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask the registry until it names a dataset."""
        while not (dataset_id := await asyncio.to_thread(_next_dataset)):
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent(dataset_id)


class JobTrigger(BaseTrigger):
    """Fire when a job has ended, however it ended; its log is passed on while it runs."""

    def __init__(self, job_id: str, poll_seconds: float = 2.0) -> None:
        super().__init__()
        self.job_id = job_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, str | float]]:
        """Name this class and its arguments for the triggerer."""
        arguments = {"job_id": self.job_id, "poll_seconds": self.poll_seconds}
        return "twin_airflow.triggers.JobTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job's log until the job is no longer running."""
        from include.jobs import job_log, job_state

        settings, offset = load_settings(), 0
        while True:
            state = await asyncio.to_thread(job_state, settings, self.job_id)
            text, offset = await asyncio.to_thread(job_log, settings, self.job_id, offset)
            for line in text.splitlines():
                self.log.info("%s", line)
            if state.status != "running":
                break
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"job_id": self.job_id, "status": state.status})

    async def on_kill(self) -> None:
        """End the job and its children when somebody ends or clears the waiting task."""
        from include.jobs import cancel_job

        await asyncio.to_thread(cancel_job, load_settings(), self.job_id)


class NewDocumentsTrigger(BaseEventTrigger):
    """Tell, for an asset's watcher, that there are stored documents which no cleaning has seen.

    An ingestion tells of its own writes: what is still unseen after `settle_seconds` came another way,
    or its event was lost.
    """

    def __init__(
        self,
        poll_seconds: float = 30.0,
        settle_seconds: float = 30.0,
        repeat_seconds: float = 900.0,
    ) -> None:
        super().__init__()
        self.poll_seconds = poll_seconds
        self.settle_seconds = settle_seconds
        self.repeat_seconds = repeat_seconds

    def serialize(self) -> tuple[str, dict[str, float]]:
        """Name this class and its arguments for the triggerer."""
        names = ("poll_seconds", "settle_seconds", "repeat_seconds")
        arguments = {name: getattr(self, name) for name in names}
        return "twin_airflow.triggers.NewDocumentsTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the documents for ever; each state is told once, and again after `repeat_seconds`."""
        from include.changes import document_changes

        told, told_at = "", 0.0
        async for _ in document_changes(load_settings(), self.poll_seconds):
            mark = await asyncio.to_thread(_unseen)
            if not mark or (mark == told and time.monotonic() < told_at + self.repeat_seconds):
                continue
            await self.settle()
            if await asyncio.to_thread(_unseen) == mark:
                told, told_at = mark, time.monotonic()
                yield TriggerEvent({"documents": mark})

    async def settle(self) -> None:
        """Leave a run that the ingestion itself has started the time to see the documents."""
        await asyncio.sleep(self.settle_seconds)


def _unseen() -> str:
    """Ask for unseen documents; a MongoDB that is away has none to tell of."""
    from include.changes import unseen_documents

    try:
        return unseen_documents(load_settings())
    except ConnectionError:
        return ""


def _next_dataset() -> str | None:
    from include.learning import next_dataset

    return next_dataset(load_settings())
