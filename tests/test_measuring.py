"""Features: every original has its row, and a second run writes none."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from own_texts import clean_all, entry, own_world, prose, write_entries
from pyarrow import parquet

from include import measuring, quality
from include.documents import open_documents
from include.features import FEATURE_SERVICE, Features, open_features
from include.settings import Settings
from ml.types import CleanDocument


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of three articles."""
    return own_world(settings, tmp_path, *map(entry, range(3)))


def test_rows_are_stored_once(world: Settings) -> None:
    clean_all(world)

    first = measuring.store_features(world)

    assert first["rows"] == 3 and first["materialized"] >= 3
    assert measuring.store_features(world) == {"rows": 0, "materialized": 0}


def test_only_what_changed_is_measured_and_written(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_all(world)
    measuring.store_features(world)
    measured: list[str] = []
    measure = measuring.measure

    def told(document: CleanDocument, *rest):
        measured.append(document.url)
        return measure(document, *rest)

    monkeypatch.setattr(measuring, "measure", told)
    write_entries(world, entry(0), entry(1, prose(99)), entry(2))
    clean_all(world)

    # The document's row and its author's.
    assert measuring.store_features(world) == {"rows": 1, "materialized": 2}
    assert measured == ["https://own.example/1/"]
    assert measuring.store_features(world) == {"rows": 0, "materialized": 0}


def test_what_others_may_have_written_is_measured_but_is_no_habit_of_the_author(
    world: Settings,
) -> None:
    clean_all(world)
    measuring.store_features(world)
    with open_features(world) as features:
        alone = features.author_style(FEATURE_SERVICE, world.author)
    sources = yaml.safe_load(world.sources_file.read_text())
    sources["sources"][0]["trust"] = "shared"
    world.sources_file.write_text(yaml.safe_dump(sources))

    assert measuring.store_features(world)["rows"] == 3
    assert measuring.store_features(world) == {"rows": 0, "materialized": 0}
    with open_features(world) as features:
        assert features.author_style(FEATURE_SERVICE, measuring.OTHERS) == alone
        with pytest.raises(LookupError, match="No style of author"):
            features.author_style(FEATURE_SERVICE, world.author)


def test_the_size_of_the_batches_changes_nothing(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_all(world)
    measuring.store_features(world)
    rows = sorted(
        parquet.read_table(world.data_dir / "document_style.parquet").to_pylist(), key=str
    )
    with open_documents(world) as documents:
        states = documents.measured()
        documents.unmark_measured(states)
    monkeypatch.setattr(measuring, "MEASURE_BATCH", 2)
    monkeypatch.setattr(quality, "JUDGED_TOGETHER", 2)

    assert measuring.store_features(world)["rows"] == 3

    with open_documents(world) as documents:
        assert documents.measured() == states
    again = parquet.read_table(world.data_dir / "document_style.parquet").to_pylist()
    assert sorted(again, key=str) == rows


def test_after_a_kill_before_the_rows_are_online_a_second_run_brings_them(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_all(world)
    with monkeypatch.context() as broken:

        def killed(*_: object) -> int:
            raise KeyboardInterrupt

        broken.setattr(Features, "materialize", killed)
        with pytest.raises(KeyboardInterrupt):
            measuring.store_features(world)

    assert measuring.store_features(world) == {"rows": 3, "materialized": 4}
    with open_features(world) as features:
        assert features.author_style(FEATURE_SERVICE, "maren-oduya")["documents"] == 3


def test_one_bad_row_that_comes_alone_is_left_out_and_stops_nothing(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_all(world)
    measuring.store_features(world)
    write_entries(world, entry(0), entry(1, prose(99)), entry(2))
    clean_all(world)
    measure = measuring.measure
    with monkeypatch.context() as broken:
        broken.setattr(measuring, "measure", lambda *a: replace(measure(*a), sentence_words=1e6))
        assert measuring.store_features(world.model_copy(update={"error_budget": 0.4}))["rows"] == 0

    with open_features(world) as features:
        assert features.author_style(FEATURE_SERVICE, "maren-oduya")["documents"] == 2


def test_the_buckets_that_values_share_are_shown(world: Settings) -> None:
    clean_all(world)
    shown = measuring.feature_collisions(world)

    assert shown["kind"] == {"values": 1, "buckets": 16, "used": 1, "shared": {}}
    assert shown["heading"]["values"] >= 1
