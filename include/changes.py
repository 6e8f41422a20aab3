"""What `build_features` has not looked at yet, and when to ask.

The stored documents are the truth; a change stream only says that asking is worth while. So an event
that is lost, doubled or late changes nothing, and a server without change streams is asked every so
often instead.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from include.documents import CONNECT_MILLISECONDS, mongo_address, open_documents
from include.records import Record
from include.settings import Settings

log = logging.getLogger(__name__)

# Between two looks at a change stream.
LOOK_SECONDS = 1.0


def unseen_documents(settings: Settings) -> str:
    """Return the mark of the stored documents; empty when the last cleaning began with just these."""
    with open_documents(settings) as documents:
        mark, runs = documents.mark(), documents.runs("clean_documents")
    return "" if runs and runs[-1]["mark"] == mark else mark


async def document_changes(settings: Settings, poll_seconds: float) -> AsyncIterator[None]:
    """Yield at once, then whenever the documents may have changed, at least every `poll_seconds`; never ends.

    A server that is away, or that has no change streams, is asked again after that time.
    """
    while True:
        yield
        started = time.monotonic()
        if not await _changed_within(settings, poll_seconds):
            await asyncio.sleep(max(0.0, started + poll_seconds - time.monotonic()))


async def _changed_within(settings: Settings, seconds: float) -> bool:
    """Wait for a write to the documents; False when none came, or when nobody can tell."""
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    address = mongo_address(settings)
    try:
        client: AsyncMongoClient[Record] = AsyncMongoClient(
            address, serverSelectionTimeoutMS=CONNECT_MILLISECONDS
        )
        async with client:
            documents = client[settings.mongo_database]["documents"]
            async with await documents.watch(max_await_time_ms=int(LOOK_SECONDS * 1000)) as stream:
                until = time.monotonic() + seconds
                while (looked := time.monotonic()) < until:
                    if await stream.try_next():
                        return True
                    # MongoDB has waited by now; the embedded server answers at once.
                    await asyncio.sleep(max(0.0, looked + LOOK_SECONDS - time.monotonic()))
    except PyMongoError as error:
        log.info("no change stream here, asked every %g s instead: %s", seconds, error)
    return False
