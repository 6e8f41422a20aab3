"""Killed and rolled under load: what serves is broken on purpose while callers ask without a pause.

Only with `make test-faults`, which prints what came of it and keeps it in docs/faults.md.
"""

import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import yaml
from conftest import free_port, free_range
from fault_report import put_section, table
from openai import APIError
from serving_world import (
    ask,
    call,
    client,
    publish_broken,
    publish_copy,
    ray_processes,
    ray_world,
    wordy_seed,
)

from include import registry
from include.services import RAY_WORKER_PORTS
from serving import deploy, proving
from serving.deploy import DeployFailed, roll_back, roll_out

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(900)]

TITLE = "Killed while it serves"
HEAD = """\
{day}, 2 cores that had other work; two ingress replicas, two generators, four callers who ask without a pause,
streamed or not in turn. Lost is a request that was not answered whole; other words, an answer that differs from the
unbroken one of the same seed; mixed, one that names two versions. Back is when a request that began after the fault
was answered; whole, when every process was there again, or the roll-out had ended. What reaches a dead ingress or
proxy is asked again by the caller (`max_retries`, which every OpenAI client has); a stream that it was passing on is
lost, for nobody is left to go on with it.

"""
COUNTED = ("asked", "lost, unary", "lost, streamed", "other words", "mixed")
TIMED = ("slowest, s", "back, s", "whole, s")
COLUMNS = " | ".join(("broken", "invariant", *(f"#{name}" for name in (*COUNTED, *TIMED))))
WORSE = r"As a canary it is worse than the champion: .* failed.* is back on .* after ([\d.]+) s"
CALLERS, TOKENS = 4, 96
GENERATOR, INGRESS = "ServeReplica:twin:Generator", "ServeReplica:twin:Ingress"


@dataclass
class Heard:
    """What one caller heard of one request."""

    streamed: bool
    began: float
    ended: float = 0.0
    text: str = ""
    versions: set[str] = field(default_factory=set)
    error: str = ""
    same: bool = False


class Load:
    """Callers who ask without a pause; `retries` is how often each client asks again by itself."""

    def __init__(self, served, retries=0):
        self._stock = client(served.world, served.url).with_options(max_retries=retries)
        self._seeds, self._stop = served.texts, threading.Event()
        self.heard, self.fault, self.whole = list[Heard](), 0.0, 0.0

    def __enter__(self):
        each = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]
        self._threads = each
        for thread in each:
            thread.start()
        time.sleep(2.0)
        self.fault = time.monotonic()
        return self

    def __exit__(self, *raised):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number):
        seeds = list(self._seeds)
        while not self._stop.is_set():
            number += 1
            heard = Heard(bool(number % 2), time.monotonic())
            seed = seeds[number % len(seeds)]
            try:
                (hear_stream if heard.streamed else hear)(self._stock, seed, heard)
            except APIError as error:
                heard.error = f"{type(error).__name__}: {error}"
                time.sleep(0.1)
            heard.ended = time.monotonic()
            heard.same = heard.text == self._seeds[seed][heard.streamed]
            self.heard.append(heard)

    def wait(self, ready, seconds=60.0):
        """Wait until all is there again, and some requests were answered since."""
        deadline = self.fault + seconds
        while not ready():
            assert time.monotonic() < deadline, "it is not whole again"
            time.sleep(0.1)
        self.whole = time.monotonic() - self.fault
        done = len(self.heard)
        while len(self.heard) < done + 2 * CALLERS:
            assert time.monotonic() < deadline, "nobody is answered"
            time.sleep(0.1)

    def lost(self, streamed):
        return [h for h in self.heard if h.error and h.streamed == streamed]

    def row(self, broken, invariant):
        since = [h for h in self.heard if h.began > self.fault and not h.error]
        back = min((h.ended for h in since), default=self.fault) - self.fault
        slowest = max((h.ended - h.began for h in self.heard if not h.error), default=0.0)
        other = sum(not h.error and not h.same for h in self.heard)
        mixed = sum(len(h.versions) > 1 for h in self.heard)
        counts = len(self.heard), len(self.lost(False)), len(self.lost(True)), other, mixed
        return (broken, invariant, *counts, *(f"{x:.1f}" for x in (slowest, back, self.whole)))

    @property
    def versions(self):
        return Counter(v for h in self.heard for v in h.versions)


def hear(stock, seed, heard):
    answer = ask(stock, seed=seed, max_tokens=TOKENS)
    heard.text = answer.choices[0].message.content
    heard.versions = {answer.model, f"twin@{answer.model_version}"}
    return heard


def hear_stream(stock, seed, heard):
    with ask(stock, seed=seed, max_tokens=TOKENS, stream=True) as stream:
        for event in stream:
            heard.text += event.choices[0].delta.content or ""
            heard.versions.add(event.model)
            if event.choices[0].finish_reason:
                return heard
    heard.error = "the stream ended in the middle"
    return heard


@dataclass(frozen=True)
class Served:
    """A world of two ingress replicas and two generators, and what it says to some seeds, whole and streamed."""

    world: object
    url: str
    model_id: str
    texts: dict


@pytest.fixture(scope="module")
def running(served, tmp_path_factory):
    """Serve the world on a Ray of its own, with two replicas of each kind."""
    folder, (world, model_id) = tmp_path_factory.mktemp("faults"), served
    ports = {n: free_port() for n in ("serve_port", "ray_dashboard_port")}
    ports["ray_port"] = free_range(11 + RAY_WORKER_PORTS)
    changes = {**ports, "ingress_replicas": 2, "canary_quiet": 3.0}
    world = world.model_copy(update=changes)
    told = yaml.safe_load(deploy.CONFIG.read_text())
    (generator,) = (d for d in told["applications"][0]["deployments"] if d["name"] == "Generator")
    generator["autoscaling_config"]["min_replicas"] = 2
    (folder / "serve.yaml").write_text(yaml.safe_dump(told))
    with pytest.MonkeyPatch.context() as patch, ray_world(world, model_id, folder) as up:
        patch.setattr(deploy, "CONFIG", folder / "serve.yaml")
        roll_out(world, model_id)
        wait_for(lambda: len(replicas(world)) == 4)
        stock = client(world, up.url)
        first = wordy_seed(stock, TOKENS)
        texts = {
            s: [each(stock, s, Heard(False, 0.0)).text for each in (hear, hear_stream)]
            for s in (first, first + 1, first + 2)
        }
        yield Served(world, up.url, model_id, texts)


@pytest.fixture(scope="module")
def rows(request):
    """Gather what came of each fault, and write it down in the end."""
    found = []
    yield found
    text = HEAD.format(day=f"{datetime.now(UTC):%Y-%m-%d}") + table(COLUMNS, found)
    put_section(TITLE, text)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write(f"\n{text}")


def replicas(world):
    return ray_processes(world, "ServeReplica:twin:")


def wait_for(ready, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def replaced(world, name, gone, count):
    """Return whether as many processes of a name as before are there, without those that were killed."""

    def ready():
        now = {p.pid for p in ray_processes(world, name)}
        return len(now) >= count and not now & {p.pid for p in gone}

    return ready


def test_a_generator_that_is_killed_loses_nobody_a_word(running, rows):
    with Load(running) as load:
        killed = ray_processes(running.world, GENERATOR)[:1]
        killed[0].kill()
        load.wait(replaced(running.world, GENERATOR, killed, 2))

    rows.append(load.row("a generator, SIGKILL", "0 lost, the same words"))
    assert load.lost(False) == load.lost(True) == []
    assert [h for h in load.heard if not h.same or len(h.versions) > 1] == []


def test_generators_that_come_back_alone_hold_the_champion(running, rows):
    with Load(running) as load:
        killed = ray_processes(running.world, GENERATOR)
        for process in killed:
            process.kill()
        load.wait(replaced(running.world, GENERATOR, killed, 2))

    rows.append(load.row("all generators, SIGKILL", "0 lost, the champion comes back alone"))
    assert load.lost(False) == load.lost(True) == []
    assert set(load.versions) == {f"twin@{running.model_id}"}
    state = call(running.world, running.url).get("/model").json()
    assert (state["model_id"], state["status"]) == (running.model_id, "ready")


def test_one_of_two_ingress_replicas_that_is_killed_loses_only_what_it_streamed(running, rows):
    with Load(running, retries=3) as load:
        killed = ray_processes(running.world, INGRESS)[:1]
        killed[0].kill()
        load.wait(replaced(running.world, INGRESS, killed, 2))

    rows.append(load.row("one of two ingress replicas, SIGKILL", "0 unary lost, clients ask again"))
    assert load.lost(False) == []
    assert len(load.lost(True)) <= CALLERS


def test_a_controller_that_is_killed_loses_nobody(running, rows):
    with Load(running) as load:
        killed = ray_processes(running.world, "ServeController")
        killed[0].kill()
        load.wait(replaced(running.world, "ServeController", killed, 1))

    rows.append(load.row("the controller, SIGKILL", "0 lost"))
    assert load.lost(False) == load.lost(True) == []


def test_a_proxy_that_is_killed_is_back_within_seconds(running, rows):
    with Load(running, retries=8) as load:
        killed = ray_processes(running.world, "ProxyActor")
        killed[0].kill()
        load.wait(replaced(running.world, "ProxyActor", killed, 1))

    row = load.row("the HTTP proxy, SIGKILL", "0 unary lost, clients ask again; back in 8 s")
    rows.append(row)
    assert load.lost(False) == []
    assert float(row[-2]) < 8


def test_rolling_out_and_back_under_load_mixes_no_versions_and_takes_seconds(running, rows):
    second = publish_copy(running.world, running.model_id, "faults-second")
    with Load(running) as load:
        told = roll_out(running.world, second)
        load.whole = told["seconds"]
    rows.append(load.row("rolled out, by a canary", "0 lost, 0 mixed"))
    assert "of the champion, and no worse" in told["canary"]
    assert load.lost(False) == load.lost(True) == []
    assert set(load.versions) == {f"twin@{running.model_id}", f"twin@{second}"}
    assert not [h for h in load.heard if len(h.versions) > 1]

    with Load(running) as load:
        load.whole = roll_back(running.world)["seconds"]
        load.wait(lambda: True)
    rows.append(load.row("rolled back", "0 lost, 0 mixed, < 10 s"))
    assert load.lost(False) == load.lost(True) == []
    assert not [h for h in load.heard if len(h.versions) > 1]
    assert registry.champion(running.world) == running.model_id


def test_a_model_that_fails_its_callers_is_taken_back_and_the_reason_said(
    running, rows, monkeypatch
):
    broken = publish_broken(running.world, running.model_id, "faults-broken")
    with pytest.raises(DeployFailed, match="To 'Write .*' it answered 503: .*model failed"):
        roll_out(running.world, broken)

    # As if no question had found it: small talk needs no model.
    monkeypatch.setattr(proving, "GOLDEN_QUESTIONS", ("Hello!",))
    with Load(running) as load:
        started = time.monotonic()
        with pytest.raises(DeployFailed, match=WORSE) as raised:
            roll_out(running.world, broken)
        load.whole = time.monotonic() - started
        load.wait(lambda: True)

    rows.append(load.row("rolled out, a model that fails", "0 lost: the champion answers for it"))
    assert load.lost(False) == load.lost(True) == []
    assert float(re.search(WORSE, str(raised.value))[1]) < deploy.RESTORE_SECONDS
    assert registry.champion(running.world) == running.model_id
