"""Changes: what no cleaning has seen is told, by whichever way it came; events are hints only."""

import asyncio
import time
from collections.abc import Callable

import pytest
from airflow_world import enter, first_event
from builders import MOMENT, document
from conftest import free_port
from pymongo import monitoring
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)
from twin_airflow.triggers import NewDocumentsTrigger

from include import changes
from include.changes import document_changes, unseen_documents
from include.cleaning import clean_documents
from include.documents import open_documents
from include.settings import Settings, load_settings


def store(settings: Settings, **changes: object) -> None:
    with open_documents(settings) as documents:
        documents.put([document(**changes)])


def seconds_until_asked_again(settings: Settings, poll: float, act: Callable[[], None]) -> float:
    """Ask once, act until it is worth asking again, and return after how many seconds it was."""

    async def asked() -> float:
        asking = document_changes(settings, poll)
        await anext(asking)
        again = asyncio.ensure_future(anext(asking))
        started = time.monotonic()
        while not again.done():
            assert time.monotonic() < started + 30, "nobody asked again"
            await asyncio.to_thread(act)
            await asyncio.sleep(0.2)
        return time.monotonic() - started

    return asyncio.run(asked())


def test_documents_are_unseen_until_a_cleaning_began_with_just_these(settings: Settings) -> None:
    nothing = unseen_documents(settings)
    store(settings)
    first = unseen_documents(settings)
    clean_documents(settings)
    seen = unseen_documents(settings)
    store(settings, text="Another text. " * 30)
    changed = unseen_documents(settings)
    with open_documents(settings) as documents:
        documents.mark_gone([document().id], MOMENT)

    assert first and not seen
    assert len({nothing, first, changed, unseen_documents(settings)}) == 4


def test_a_write_is_noticed_long_before_the_next_look(settings: Settings) -> None:
    store(settings)

    waited = seconds_until_asked_again(settings, 60, lambda: store(settings))

    assert waited < 20


class Looks(CommandListener):
    """Counts what a change stream asks of the server."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.count += event.command_name == "getMore"

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to count."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to count."""


def test_a_server_that_answers_at_once_is_not_asked_without_pause(
    settings: Settings,
) -> None:
    store(settings)
    looks = Looks()
    monitoring.register(looks)

    seconds_until_asked_again(settings, 3, lambda: None)

    # One a second, with the first at once.
    assert 1 <= looks.count <= 5


def test_without_a_server_it_is_asked_again_and_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "CONNECT_MILLISECONDS", 200)
    away = settings.model_copy(update={"mongo_url": f"mongodb://127.0.0.1:{free_port()}"})

    assert seconds_until_asked_again(away, 0.6, lambda: None) < 20


def test_unseen_documents_are_told_once_and_what_was_cleaned_meanwhile_is_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(monkeypatch, settings)
    store(settings)

    async def told() -> list[object]:
        events = NewDocumentsTrigger(0.3, 0.0).run()
        heard = [(await anext(events)).payload]
        again = asyncio.ensure_future(anext(events))
        await asyncio.sleep(1.0)
        assert not again.done()
        await asyncio.to_thread(clean_documents, settings)
        await asyncio.to_thread(store, settings, text="New. " * 60)
        heard.append((await asyncio.wait_for(again, 20)).payload)
        return heard

    first, second = asyncio.run(told())

    assert second == {"documents": unseen_documents(settings)} != first


class Settling(NewDocumentsTrigger):
    """A trigger during whose pause the pipeline sees the documents."""

    cleaned = 0

    async def settle(self) -> None:
        await asyncio.to_thread(clean_documents, load_settings())
        self.cleaned += 1


def test_documents_that_are_cleaned_in_the_pause_are_not_told_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(monkeypatch, settings)
    store(settings)
    trigger = Settling(0.2)

    async def told() -> bool:
        waiting = asyncio.ensure_future(first_event(trigger))
        while not trigger.cleaned and not waiting.done():
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        done = waiting.done()
        waiting.cancel()
        return done

    assert not asyncio.run(told())
    assert (trigger.cleaned, unseen_documents(settings)) == (1, "")
