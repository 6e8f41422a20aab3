"""Feast against what was measured: rows that are missing, altered or nobody's are found, repaired and reported."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow
import pytest
from own_texts import entry, own_world, store_state, take_in
from pyarrow import parquet

from include import indexing, measuring, reconciling
from include.documents import open_documents
from include.feature_faults import find_faults
from include.features import FEATURE_SERVICE, open_features
from include.reconciling import reconcile_stores
from include.settings import Settings

NOTHING = {
    **{"missing": 0, "orphans": 0, "altered": 0},
    **{"features_missing": 0, "features_orphans": 0, "features_altered": 0},
}


class Feast:
    """What somebody else may do to the features behind the platform's back."""

    def __init__(self, world: Settings) -> None:
        self.world = world
        self.file = world.data_dir / "document_style.parquet"

    def rows(self) -> list[dict]:
        """Return the history of the documents."""
        return parquet.read_table(self.file).to_pylist()

    def keep(self, rows: list[dict]) -> None:
        """Make rows the history of the documents."""
        schema = parquet.read_schema(self.file)
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), self.file)

    def push(self, *rows: dict) -> None:
        """Write rows to the online store."""
        import pandas
        from feast import FeatureStore

        store = FeatureStore(repo_path=str(self.world.data_dir / "feature_repo"))
        store.write_to_online_store("document_style", pandas.DataFrame(rows))

    def lose_online(self, view: str, key: str) -> None:
        """Take one row out of the online store."""
        with open_features(self.world) as features:
            features.erase_online(view, [key])


@pytest.fixture
def measured(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of four articles whose features are in Feast."""
    world = own_world(settings, tmp_path, *map(entry, range(4)))
    take_in(world)
    return world


def without_digest(said: dict) -> dict:
    """Return what was reported, but for the digest."""
    return {name: count for name, count in said.items() if name != "digest"}


def test_rows_in_feast_that_are_missing_altered_or_nobodys_are_repaired_and_reported_once(
    measured: Settings,
) -> None:
    before, feast = store_state(measured), Feast(measured)
    assert without_digest(reconcile_stores(measured)) == NOTHING
    lost, lied, pushed, _ = history = feast.rows()
    stray = {**lied, "document_id": "nobody", "words": 3}
    feast.lose_online("document_style", lost["document_id"])
    feast.push({**pushed, "words": 777}, {**stray, "document_id": "only-online"})
    later = lied["event_timestamp"] + timedelta(days=3)
    feast.keep([*history[:1], {**lied, "words": 5}, *history[2:], stray])
    feast.keep([*feast.rows(), {**history[3], "mtld": 1.0, "event_timestamp": later}])
    with open_documents(measured) as documents, open_features(measured) as features:
        wrong = find_faults(features, documents.measured(), {})["document_style"]
    assert (wrong.missing, len(wrong.altered)) == ({lost["document_id"]}, 3)
    assert wrong.orphans == {"nobody", "only-online"}

    said = reconcile_stores(measured)

    # The author's rows followed from what was altered.
    found = {"features_missing": 1, "features_altered": 4, "features_orphans": 2}
    assert without_digest(said) == NOTHING | found
    assert store_state(measured) == before
    assert sorted(feast.rows(), key=str) == sorted(history, key=str)
    assert without_digest(reconcile_stores(measured)) == NOTHING
    assert measuring.store_features(measured) == {"rows": 0, "materialized": 0}


def test_an_authors_row_that_is_lost_or_altered_is_worked_out_anew(measured: Settings) -> None:
    before, file = store_state(measured), measured.data_dir / "author_style.parquet"
    Feast(measured).lose_online("author_style", measured.author)
    assert reconcile_stores(measured)["features_missing"] == 1
    assert store_state(measured) == before

    kept = parquet.read_table(file)
    lie = kept.set_column(kept.column_names.index("mtld"), "mtld", [[1.0] * kept.num_rows])
    parquet.write_table(lie.cast(kept.schema), file)
    assert reconcile_stores(measured)["features_altered"] == 1
    assert parquet.read_table(file) == kept
    assert store_state(measured) == before


def test_a_feature_store_that_is_gone_is_filled_again(measured: Settings) -> None:
    before = store_state(measured)
    for file in measured.data_dir.glob("features-online.db*"):
        file.unlink()
    (measured.data_dir / "document_style.parquet").unlink()
    (measured.data_dir / "author_style.parquet").unlink()

    assert reconcile_stores(measured)["features_missing"] == 4
    assert store_state(measured) == before


def test_a_repair_of_feast_that_is_killed_is_finished_by_the_next_run(
    measured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_state(measured)
    feast = Feast(measured)
    feast.keep(feast.rows()[1:])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(reconciling, "store_features", killed)
        with pytest.raises(KeyboardInterrupt):
            reconcile_stores(measured)

    assert measuring.store_features(measured)["rows"] == 1
    assert store_state(measured) == before
    assert without_digest(reconcile_stores(measured)) == NOTHING


def test_a_text_that_was_altered_is_measured_anew(measured: Settings) -> None:
    mark = indexing.index_mark(measured)
    with open_documents(measured) as documents:
        one = documents.clean(mark)[0]
        documents.put_clean([replace(one, text=one.text + "\n\nWhat? Really? Yes?")], mark)

    assert reconcile_stores(measured)["features_altered"] == 1
    with open_features(measured) as features:
        row = features.document_features(FEATURE_SERVICE, [one.id])[one.id]
    assert row["question_rate"] > 0
    assert without_digest(reconcile_stores(measured)) == NOTHING
