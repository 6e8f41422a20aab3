"""The loop, all of it moving: from two people's sites, posts and code to a twin that answers; three times round.

Between the laps the demo's site moves on: one new article, one changed, one gone; then nothing
changes. Here the champion is set through the registry; the roll-out itself is in test_deploy.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from conftest import empty_database
from demo_world import POSTS, Site, demo_world, index_of, kill_while_embedding

from demo.site import lap_file, load_pages
from include import registry
from include.cleaning import clean_documents, clean_originals
from include.datasets import build_dataset
from include.documents import open_documents
from include.evaluation import decide_promotion, evaluate_model, next_candidate, watch_serving
from include.indexing import index_chunks, index_mark, store_digest
from include.ingestion import (
    check_ingestion,
    crawl_source,
    list_sources,
    store_documents,
)
from include.learning import next_dataset, train_model
from include.measuring import store_features
from include.publishing import list_indexes
from include.reconciling import reconcile_stores
from include.settings import Settings
from include.vectors import open_vectors
from ml.answer import Ask, finish
from ml.types import Feedback, digest
from serving.slot import load_model
from serving.traces import new_trace
from serving.twin import Twin

# A crowded machine needs minutes for a lap.
pytestmark = pytest.mark.timeout(900)

NEW, CHANGED = "/maren/rate-limiting-the-nightly-export/", "/maren/sizing-the-connection-pool/"
GONE = "/maren/garbage-collection-pauses/"


@dataclass(frozen=True)
class Lap:
    """What every verb said in one lap; `index` holds the ids of the chunks of each page or post."""

    crawled: dict
    stored: dict
    cleaned: dict
    indexed: dict
    measured: dict
    reconciled: dict
    dataset: dict
    model_id: str
    verdict: dict
    champion: str
    index: dict[str, frozenset[str]]
    asked: list[tuple[str, int]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[Site]:
    with demo_world(tmp_path_factory.mktemp("story"), tiny_base) as site:
        yield site


def go_round(site: Site) -> Lap:
    """Do what the DAGs do, in their order."""
    world = site.world
    site.asked.clear()
    crawled = {source: crawl_source(world, source) for source in list_sources(world)}
    stored = store_documents(world)
    check_ingestion(world)
    feature_pipeline = (clean_documents, index_chunks, store_features, reconcile_stores)
    cleaned, indexed, measured, reconciled = [verb(world) for verb in feature_pipeline]
    dataset = build_dataset(world)
    model_id, verdict = learn(world)
    return Lap(
        *(crawled, stored, cleaned, indexed, measured, reconciled, dataset, model_id, verdict),
        champion=registry.champion(world) or "",
        index=index_of(site),
        asked=list(site.asked),
    )


def learn(world: Settings) -> tuple[str, dict]:
    """Train on a dataset that nobody has trained on, and let the gate decide what becomes of the model."""
    dataset_id = next_dataset(world)
    if dataset_id is None:
        return "", {}
    model_id = str(train_model(world, dataset_id)["model_id"])
    evaluate_model(world, model_id)
    assert next_candidate(world) == model_id
    verdict = decide_promotion(world, model_id)
    if verdict["promote"]:
        registry.move_champion(world, model_id)
    return model_id, verdict


@pytest.fixture(scope="module")
def first(site: Site) -> Lap:
    return go_round(site)


@pytest.fixture(scope="module")
def second(site: Site, first: Lap) -> Lap:
    lap_file(site.world).write_text("2")
    return go_round(site)


@pytest.fixture(scope="module")
def third(site: Site, second: Lap) -> Lap:
    return go_round(site)


def test_once_round_makes_a_champion_out_of_everything_that_was_written(first: Lap) -> None:
    fetched = sum(found["fetched"] for found in first.crawled.values())
    assert all(found["fetched"] and not found["unchanged"] for found in first.crawled.values())
    assert first.stored == {**first.stored, "new": fetched - 1, "quarantined": 1, "broken": []}
    assert first.cleaned["cleaned"] == fetched - 1
    assert (first.indexed["embedded"], first.indexed["reused"]) == (first.indexed["chunks"], 0)
    assert first.indexed["chunks"] > fetched
    assert first.measured["rows"] == len(first.index)
    assert (first.reconciled["missing"], first.reconciled["orphans"]) == (0, 0)

    assert first.dataset["created"] and first.dataset["examples"] > 100
    assert first.verdict["promote"] and first.champion == first.model_id
    assert "surely lower than that of its base model" in first.verdict["reasons"][0]


def test_the_twin_answers_in_the_authors_own_words_with_a_link_that_opens(site: Site, first: Lap):
    world = site.world
    twin, loaded = Twin(world), load_model(world, registry.champion(world))
    question = "How much commit throughput did batching the flushes deliver?"
    ready = twin.prepare(Ask(question, world.author))
    said = loaded.engine.generator.complete(
        ready.messages, max_tokens=12, temperature=0.0, top_p=1.0, seed=1
    )
    answer = finish(ready, said, 0, 0)

    cited = answer.sources[0]
    assert cited.url == f"{site.url}/maren/why-does-fsync-lie/" and "[1]" in answer.quoted
    source = next(d for d in clean_originals(world) if d.id == cited.document_id)
    assert all(sentence in source.text for sentence in cited.quote.split(" … "))
    assert cited.title in httpx.get(cited.url, trust_env=False).text
    assert answer.content.endswith(f"(generated): {answer.generated}")

    trace = new_trace(question, answer.content, loaded.version.id, ready, {"generate": 0.5})
    twin.remember(trace)
    twin.judge(Feedback(trace.id, 1, "just so", datetime.now(UTC)))
    lately = watch_serving(world)
    assert (lately["questions"], lately["feedback"], lately["score"]) == (1, 1, 1.0)

    unknown = twin.prepare(Ask("How long do I boil an egg?", world.author))
    assert unknown.abstained and not unknown.sources
    twin.close()


def test_what_must_not_be_read_is_refused_with_its_reason(site: Site, first: Lap) -> None:
    with open_documents(site.world) as documents:
        refused = {r.where.removeprefix(site.url): r.reason for r in documents.rejected()}

    assert refused == {
        "/maren/drafts/not-yet/": "robots",
        "/maren/broken/": "http-500",
        "/maren/empty/": "empty",
        "/maren/ueber-sicherungen/": "language:values-to-be-in-set",
    }
    assert ("/robots.txt", 200) in first.asked
    assert not [path for path, _ in first.asked if path.startswith("/maren/drafts/")]
    assert refused.keys().isdisjoint(first.index)


def test_of_several_copies_only_the_original_is_learned(site: Site, first: Lap) -> None:
    with open_documents(site.world) as documents:
        paths = {d.id: d.url.removeprefix(f"{site.url}/maren/") for d in documents.active()}
        cleaned = documents.clean(index_mark(site.world))
    copies = {
        paths[c.id]: (paths[c.duplicate_of], c.duplicate_how) for c in cleaned if c.duplicate_of
    }

    assert copies == {
        "reprints/why-does-fsync-lie/": ("why-does-fsync-lie/", "exact"),
        "the-cache-that-lied/": ("caching-and-the-invalidation-that-saved-us/", "exact"),
        "clock-skew-and-leases-newsletter/": ("clock-skew-and-leases/", "near"),
    }
    assert first.index.keys().isdisjoint(f"/maren/{path}" for path in copies)


def test_nobody_elses_words_and_no_secret_are_indexed_or_learned(site: Site, first: Lap) -> None:
    world = site.world
    originals = clean_originals(world)
    examples = registry.read_examples(world, registry.list_datasets(world)[0])
    with open_vectors(world) as vectors:
        indexed = "\n".join(chunk.text for chunk, _ in vectors.scan())
    learned = "\n".join(message.content for e in examples for message in e.messages)

    own = {d.id for d in originals if d.author == world.author}
    assert {e.span.document_id for e in examples} <= own < {d.id for d in originals}
    quoted = "Of course it's nine per cent!"
    assert any(quoted in quote for d in originals for quote in d.quotes)
    commented, secrets = "bought more RAM", ("AKIAQ7TIDES4EXAMPLE3", "ghp_FakeToken")
    for text in (quoted, commented, *secrets):
        assert text not in indexed and text not in learned
    assert 'AWS_ACCESS_KEY_ID = "[SECRET_1]"' in indexed


def test_the_second_time_only_what_changed_is_done(first: Lap, second: Lap) -> None:
    new, changed = second.index[NEW], second.index[CHANGED]

    assert {path for path, status in second.asked if status == 200} >= {NEW, CHANGED}
    fetched = {source: found["fetched"] for source, found in second.crawled.items()}
    assert fetched == {**dict.fromkeys(fetched, 0), "maren-blog": 2}
    assert second.stored == {**second.stored, "new": 1, "changed": 1, "unchanged": 0}
    assert second.cleaned == {**second.cleaned, "cleaned": 2, "removed": 1}
    assert second.indexed["embedded"] + second.indexed["reused"] == len(new) + len(changed)
    dropped = first.index[GONE] | first.index[CHANGED]
    assert second.indexed["deleted"] == len(dropped - changed)
    others = first.index.keys() - {GONE, CHANGED}
    assert second.index == {p: first.index[p] for p in others} | {NEW: new, CHANGED: changed}


def test_a_deleted_article_has_a_tombstone_and_is_not_found_any_more(
    site: Site, first: Lap, second: Lap
) -> None:
    twin, gone = Twin(site.world), load_pages(1)[GONE]

    hits = twin.retrieve(Ask(gone.title, site.world.author, limit=50))

    assert GONE in first.index and second.crawled["maren-blog"]["gone"] == 1
    assert hits and not [h for h in hits if h.chunk.url.endswith(GONE)]
    with open_documents(site.world) as documents:
        assert documents.get(digest("document", site.url + GONE)) is None
    twin.close()


def test_a_second_dataset_makes_a_model_that_is_compared_with_the_champion(
    site: Site, first: Lap, second: Lap
) -> None:
    dataset = registry.read_dataset(site.world, str(second.dataset["dataset_id"]))

    assert second.dataset["created"] and dataset.parent == first.dataset["dataset_id"]
    assert "of the samples are new or gone" in str(second.dataset["reason"])
    model = registry.read_model(site.world, second.model_id)
    assert (model.dataset_id, model.parent) == (dataset.id, first.model_id)
    assert all("the champion" in reason for reason in second.verdict["reasons"][:2])
    assert second.champion == second.model_id and registry.previous(site.world) == first.model_id


def test_the_third_time_there_is_nothing_to_do(second: Lap, third: Lap) -> None:
    assert all(
        (found["fetched"], found["gone"]) == (0, 0) and found["unchanged"]
        for found in third.crawled.values()
    )
    pages = load_pages(2).keys()
    assert not {path for path, status in third.asked if status == 200} & pages
    assert third.cleaned == {**third.cleaned, "cleaned": 0, "rejected": 0, "removed": 0}
    nothing = {"embedded": 0, "reused": 0, "deleted": 0}
    assert third.indexed == second.indexed | nothing
    assert third.measured == {"rows": 0, "materialized": 0}
    assert third.reconciled == second.reconciled
    assert not third.dataset["created"] and str(third.dataset["reason"]).startswith("0.0%")
    assert (third.model_id, third.champion) == ("", second.champion)


def test_killed_in_the_midst_of_embedding_the_next_run_ends_where_an_unbroken_one_does(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(POSTS)
    unbroken = settings.model_copy(update={"sources_file": file})
    clean_posts(unbroken)
    whole = index_chunks(unbroken)["chunks"]
    expected = store_digest(unbroken)
    empty_database(settings.mongo_url)

    anew = {"data_dir": tmp_path / "anew", "vectors_url": f"lancedb://{tmp_path}/again"}
    broken = unbroken.model_copy(update=anew)
    clean_posts(broken)
    kill_while_embedding(broken)
    (building,) = list_indexes(broken)
    assert 0 < building["chunks"] < whole and not building["live"]
    assert index_chunks(broken)["embedded"] < whole

    assert store_digest(broken) == expected


def clean_posts(world: Settings) -> None:
    for source in list_sources(world):
        crawl_source(world, source)
    store_documents(world)
    clean_documents(world)
