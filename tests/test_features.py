"""The feature store: history kept, online values never older, removed documents gone, and Feast's own CLI."""

import importlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from include.feature_store import DECLARED, KEYS, MEANS, prepare_repo
from include.features import FEATURE_SERVICE, open_features
from include.settings import ROOT, Settings
from ml.style import StyleRow
from ml.types import FeatureRow

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
AUTHOR = "maren-oduya"


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def row(name: str, days: float = 0, words: int = 100, author: str = AUTHOR, **more) -> StyleRow:
    shares = {f.name: 0.5 for f in fields(StyleRow) if f.type is float}
    buckets = {f.name: 3 for f in fields(StyleRow) if f.name.endswith("_bucket")}
    named = {"document_id": name, "author": author, "topic": "pools", "heading_buckets": (3, 9)}
    measured = StyleRow(
        **shares,
        **buckets,
        **named,
        event_timestamp=MOMENT + timedelta(days=days),
        words=words,
        age_days=days,
        days_since_former=None,
    )
    known = {"sentence_words": 0.1 * words, "semicolon_rate": 1.5, "readability": 60.0}
    return replace(measured, **known | more)


def history(world: Settings, view: str) -> list[dict]:
    return parquet.read_table(world.data_dir / f"{view}.parquet").to_pylist()


def online_keys(world: Settings, view: str) -> int:
    with sqlite3.connect(world.data_dir / "features-online.db") as database:
        found = database.execute(f"SELECT COUNT(DISTINCT entity_key) FROM twin_{view}")
        return int(found.fetchone()[0])


def test_an_author_has_the_means_of_their_documents(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100), row("b", words=300)], [])
        features.store_rows([row("c", words=7, author="ines")], [])
        assert features.materialize(NOW) == 5
        style = features.author_style(FEATURE_SERVICE, AUTHOR)
    assert style["documents"] == 2
    assert style["words"] == 200
    assert style["sentence_words"] == pytest.approx(20)
    assert style["semicolon_rate"] == 1.5
    assert "kind_bucket" not in style


def test_who_has_no_style_yet_is_told_what_to_do(world):
    with open_features(world) as features:
        with pytest.raises(LookupError, match="No style of author nobody .* build_features"):
            features.author_style(FEATURE_SERVICE, "nobody")
        with pytest.raises(LookupError, match="no feature service twin_v0 .*feast apply"):
            features.author_style("twin_v0", AUTHOR)


def test_the_features_of_a_document_are_those_that_were_measured(world):
    measured = row("a", sentence_words=12.345)
    with open_features(world) as features:
        features.store_rows([measured], [])
        features.materialize(NOW)
        found = features.document_features(FEATURE_SERVICE, ["a", "unknown"])
    expected = {f.name: getattr(measured, f.name) for f in fields(StyleRow)}
    del expected["document_id"], expected["event_timestamp"], expected["days_since_former"]
    expected["written_by"] = expected.pop("author")
    expected["heading_buckets"] = [3, 9]
    assert found == {"a": expected}


def test_each_model_version_gets_the_features_that_it_was_trained_with(world):
    first = {f.name for f in fields(FeatureRow)} - {"document_id", "author", "event_timestamp"}
    with open_features(world) as features:
        features.store_rows([row("a", words=100)], [])
        features.materialize(NOW)
        before = features.author_style("twin_v1", AUTHOR)
        assert set(before) == {*first, "documents"} - {"kind_bucket"}
        assert set(features.author_style("twin_v2", AUTHOR)) > set(before)
        found = features.document_features("twin_v1", ["a"])["a"]
        assert set(found) == {*first, "written_by"}
        asked = [{"document_id": "a", "author": AUTHOR, "event_timestamp": NOW}]
        (trained,) = features.training_rows("twin_v1", asked)
        assert "document_style__mtld" not in trained
        assert features.training_rows("twin_v2", asked)[0]["document_style__mtld"] == 0.5


def test_a_history_from_before_a_measure_was_known_is_kept_and_gains_its_column(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100), row("b", words=300)], [])
    for view in KEYS:
        file = world.data_dir / f"{view}.parquet"
        parquet.write_table(parquet.read_table(file).drop_columns(["mtld", "list_share"]), file)
    (world.data_dir / "features-applied.txt").unlink()
    with open_features(world) as features:
        assert features.materialize(NOW) == 3
        assert "mtld" not in features.author_style(FEATURE_SERVICE, AUTHOR)
        features.store_rows([row("b", days=1, words=300, mtld=7.0)], [])
        assert features.materialize(NOW) == 2
        style = features.author_style(FEATURE_SERVICE, AUTHOR)
        assert (style["mtld"], style["words"], style["documents"]) == (7.0, 200, 2)
        assert features.materialize(NOW) == 0


def test_a_training_row_never_sees_the_future_however_late_a_fact_comes(world):
    asked = [{"document_id": "a", "author": AUTHOR, "event_timestamp": MOMENT + timedelta(days=2)}]
    with open_features(world) as features:
        features.store_rows([row("a", days=5, words=500)], [])
        features.materialize(NOW)
        assert features.training_rows(FEATURE_SERVICE, asked)[0]["document_style__words"] is None
        # A fact of day 1 that is learned of after that of day 5.
        features.store_rows([row("a", days=1, words=100), row("b", days=4, words=900)], [])
        assert features.materialize(NOW) == 2
        (joined,) = features.training_rows(FEATURE_SERVICE, asked)
        assert joined["document_style__words"] == joined["author_style__words"] == 100
        assert features.document_features(FEATURE_SERVICE, ["a"])["a"]["words"] == 500


@pytest.fixture
def two_worlds(tmp_path: Path) -> list[Settings]:
    return [Settings(data_dir=tmp_path / name) for name in ("one", "other")]


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), max_size=8, unique=True)


@given(EVENTS, st.randoms(use_true_random=False), st.data())
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_of_rows_gives_the_same_online_state(two_worlds, events, random, data):
    ids, states = [name for name, _ in events], []
    shuffled = random.sample(events, len(events))
    for order, size in ((events, max(len(events), 1)), (shuffled, data.draw(st.integers(1, 3)))):
        world = two_worlds[len(states)]
        with open_features(world) as features:
            for start in range(0, len(order), size):
                rows = [
                    row(n, days=d, words=10 * d + ord(n)) for n, d in order[start : start + size]
                ]
                features.store_rows(rows, [])
                features.materialize(NOW)
            author = features.author_style(FEATURE_SERVICE, AUTHOR) if events else {}
            states.append((features.document_features(FEATURE_SERVICE, ids), author))
            features.store_rows([], ids)
    newest = {n: max(d for m, d in events if m == n) for n in ids}
    assert states[0] == states[1]
    assert {n: f["words"] for n, f in states[0][0].items()} == {
        n: 10 * d + ord(n) for n, d in newest.items()
    }


def test_a_row_that_is_stored_twice_is_there_once_and_a_new_measure_replaces_it(world):
    with open_features(world) as features:
        for words in (100, 100, 120):
            features.store_rows([row("a", words=words)], [])
        assert [r["words"] for r in history(world, "document_style")] == [120]
        assert [r["words"] for r in history(world, "author_style")] == [120]
        assert features.materialize(NOW) == 2
        features.store_rows([row("a", words=130)], [])
        assert features.materialize(NOW) == 2
        assert features.author_style(FEATURE_SERVICE, AUTHOR)["words"] == 130


def test_a_training_row_sees_only_what_was_known_at_its_time(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100), row("b", days=2, words=300)], [])
        features.store_rows([row("a", days=4, words=500)], [])
        asked = [
            {"document_id": d, "author": AUTHOR, "event_timestamp": MOMENT + timedelta(days=t)}
            for d, t in (("a", 5), ("a", 1), ("b", 1), ("b", 3), ("a", -1), ("a", 5))
        ]
        rows = features.training_rows(FEATURE_SERVICE, asked)
        assert features.training_rows(FEATURE_SERVICE, []) == []
    assert [{k: r[k] for k in asked[0]} for r in rows] == asked
    assert [r["document_style__words"] for r in rows] == [500, 100, None, 300, None, 500]
    assert [r["author_style__words"] for r in rows] == [400, 100, 100, 200, None, 400]


def test_a_removed_document_is_gone_from_history_means_and_online_store(world):
    with open_features(world) as features:
        rows = [row("a", words=100), row("b", days=1, words=900)]
        features.store_rows([*rows, row("c", author="ines")], [])
        features.materialize(NOW)
        features.store_rows([], ["b", "c", "never-there"])
        assert features.document_features(FEATURE_SERVICE, ["a", "b", "c"]).keys() == {"a"}
        features.materialize(NOW)
        style = features.author_style(FEATURE_SERVICE, AUTHOR)
        assert (style["documents"], style["words"]) == (1, 100)
        with pytest.raises(LookupError, match="ines"):
            features.author_style(FEATURE_SERVICE, "ines")
    assert [r["document_id"] for r in history(world, "document_style")] == ["a"]
    assert {r["words"] for r in history(world, "author_style")} == {100}
    assert (online_keys(world, "document_style"), online_keys(world, "author_style")) == (1, 1)


def test_a_removed_document_may_come_back(world):
    with open_features(world) as features:
        for removed in ([], ["a"]):
            features.store_rows([] if removed else [row("a")], removed)
            features.materialize(NOW)
        features.store_rows([row("a", days=-3, words=50)], [])
        assert features.materialize(NOW) == 2
        assert features.author_style(FEATURE_SERVICE, AUTHOR)["words"] == 50


def test_a_late_row_comes_online_and_an_older_one_never_replaces_a_newer(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100)], [])
        features.materialize(NOW)
        features.store_rows([row("late", days=-40, words=1), row("a", days=-40, words=5)], [])
        assert features.materialize(NOW) == 2
        found = features.document_features(FEATURE_SERVICE, ["a", "late"])
        assert {k: v["words"] for k, v in found.items()} == {"a": 100, "late": 1}
        assert features.author_style(FEATURE_SERVICE, AUTHOR)["words"] == 50.5


def test_a_newer_row_that_someone_else_wrote_online_is_kept(world, caplog):
    import pandas
    from feast import FeatureStore

    with open_features(world) as features:
        features.store_rows([row("a", words=100)], [])
        features.materialize(NOW)
        pushed = {**history(world, "document_style")[0], "words": 777}
        pushed["event_timestamp"] = MOMENT + timedelta(days=9)
        store = FeatureStore(repo_path=str(prepare_repo(world)))
        store.write_to_online_store("document_style", pandas.DataFrame([pushed]))
        features.store_rows([row("a", days=3, words=300)], [])
        assert features.materialize(NOW) == 1
        found = features.document_features(FEATURE_SERVICE, ["a"])
    assert found["a"]["words"] == 777
    assert "document_style a is newer online" in caplog.text


def test_materializing_ends_at_the_time_asked_for_and_writes_nothing_twice(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100), row("a", days=5, words=500)], [])
        assert features.materialize(MOMENT + timedelta(days=1)) == 2
        assert features.document_features(FEATURE_SERVICE, ["a"])["a"]["words"] == 100
        assert features.materialize(NOW) == 2
        assert features.materialize(NOW) == 0
        assert features.document_features(FEATURE_SERVICE, ["a"])["a"]["words"] == 500


def test_means_do_not_depend_on_the_order_in_which_documents_came(tmp_path):
    rows = [row(f"d{n}", days=n % 7, words=n, readability=n / 7) for n in range(1, 30)]
    styles = []
    for name, order in (("one", rows), ("other", rows[::-1])):
        world = Settings(data_dir=tmp_path / name)
        with open_features(world) as features:
            for part in (order[:11], order[11:]):
                features.store_rows(part, [])
            features.materialize(NOW)
            styles.append(features.author_style(FEATURE_SERVICE, AUTHOR))
    assert styles[0] == styles[1]


def test_a_time_without_a_zone_is_refused(world):
    naive = row("a", event_timestamp=datetime(2026, 3, 1))
    with open_features(world) as features, pytest.raises(ValueError, match="without a zone"):
        features.store_rows([naive], [])


def test_a_write_that_fails_leaves_the_history_as_it_was(world, monkeypatch):
    with open_features(world) as features:
        features.store_rows([row("a")], [])
        with monkeypatch.context() as broken:

            def full(*_: object) -> None:
                raise OSError("No space left on device")

            broken.setattr(parquet, "write_table", full)
            with pytest.raises(OSError, match="No space"):
                features.store_rows([row("b")], [])
        assert [r["document_id"] for r in history(world, "document_style")] == ["a"]
        assert not list(world.data_dir.glob(".*parquet*"))
        features.store_rows([row("b")], [])
    assert len(history(world, "document_style")) == 2


def test_unchanged_declarations_are_not_applied_again_and_a_lost_store_is(world):
    open_features(world).close()
    registry = world.data_dir / "features-registry.db"
    before = registry.stat().st_mtime_ns
    open_features(world).close()
    assert registry.stat().st_mtime_ns == before
    (world.data_dir / "features-online.db").unlink()
    with open_features(world) as features:
        assert features.document_features(FEATURE_SERVICE, ["a"]) == {}
    assert registry.stat().st_mtime_ns > before


def test_the_declarations_name_every_measure_of_a_row(world):
    with open_features(world) as features:
        features.store_rows([row("a")], [])
        features.materialize(NOW)
    measures = {f.name for f in fields(StyleRow)} - {"document_id", "author", "event_timestamp"}
    columns = {view: set(history(world, view)[0]) for view in KEYS}
    assert columns["document_style"] - {"event_timestamp"} == {
        "document_id",
        "written_by",
        *measures,
    }
    assert columns["author_style"] - {"event_timestamp", "author", "documents"} == set(MEANS)


def test_the_default_world_uses_the_repository_of_the_checkout():
    assert prepare_repo(Settings()) == DECLARED == ROOT / "feature_repo"


def test_another_world_gets_a_copy_that_points_at_its_own_data(world):
    repo = prepare_repo(world)
    assert repo == world.data_dir / "feature_repo"
    assert {p.name for p in repo.iterdir()} == {p.name for p in DECLARED.glob("*.*")}
    for name in ("feature_store.yaml", "feature_definitions.py"):
        assert '"../data/' in (DECLARED / name).read_text()
        assert '"../data/' not in (repo / name).read_text()


def test_a_store_file_of_the_users_own_gets_the_platforms_declarations(world, tmp_path):
    mine = tmp_path / "mine" / "feature_store.yaml"
    mine.parent.mkdir()
    text = (DECLARED / "feature_store.yaml").read_text().replace("project: twin", "project: mine")
    mine.write_text(text.replace("../data/features-online.db", f"{tmp_path}/elsewhere.db"))
    settings = world.model_copy(update={"feature_store": str(mine)})
    with open_features(settings) as features:
        features.store_rows([row("a")], [])
        assert features.materialize(NOW) == 2
        features.store_rows([], ["a"])
    with sqlite3.connect(tmp_path / "elsewhere.db") as database:
        assert database.execute("SELECT COUNT(*) FROM mine_document_style").fetchone() == (0,)


def test_a_repository_of_the_users_own_is_used_but_never_applied(world, tmp_path):
    mine = Settings(data_dir=tmp_path / "mine")
    repo = prepare_repo(mine)
    settings = world.model_copy(update={"feature_store": str(repo)})
    assert prepare_repo(settings) == repo
    with open_features(settings) as features, pytest.raises(LookupError, match="feast apply"):
        features.author_style(FEATURE_SERVICE, AUTHOR)
    open_features(mine).close()
    with open_features(settings) as features:
        features.store_rows([row("a")], [])
        assert features.materialize(NOW) == 2
    assert not (world.data_dir / "document_style.parquet").exists()


def test_a_store_file_that_is_not_there_is_named(world, tmp_path):
    settings = world.model_copy(update={"feature_store": str(tmp_path / "nothing.yaml")})
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml.*feature_store\.yaml"):
        prepare_repo(settings)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from include.features import open_features
from include.settings import Settings
from test_features import NOW, row
print("ready", flush=True)
for round in range(8):
    with open_features(Settings(data_dir=Path({data!r}))) as features:
        features.store_rows([row(f"d{{n}}", days=round, words=round) for n in range(40)], [])
        features.materialize(NOW)
"""


def test_a_reader_is_not_disturbed_by_another_process_that_writes(world):
    code = WRITER.format(tests=str(ROOT / "tests"), data=str(world.data_dir))
    writer = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)

    def write() -> None:
        for n in range(8):
            with open_features(world) as features:
                features.store_rows([row("mine", days=n, words=n)], [])

    with open_features(world) as features:
        features.store_rows([row("d0", days=-1)], [])
        features.materialize(NOW)
        assert writer.stdout is not None
        writer.stdout.readline()
        thread = threading.Thread(target=write)
        thread.start()
        while writer.poll() is None or thread.is_alive():
            assert features.author_style(FEATURE_SERVICE, AUTHOR)["documents"] >= 1
            with open_features(world) as second:
                second.document_features(FEATURE_SERVICE, ["d0", "mine"])
        thread.join()
    assert writer.returncode == 0
    assert len(history(world, "document_style")) == 8 * 40 + 8 + 1


# Feast's own program for several commands: it takes seconds to load.
FEAST = """
import json, sys
from feast.cli.cli import cli
for words in json.loads(sys.argv[2]):
    print("$", *words, flush=True)
    cli(["-c", sys.argv[1], *words], standalone_mode=False)
"""


def feast(repo: Path, *commands: tuple[str, ...]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", FEAST, str(repo), json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("$ ")[1:]


@pytest.mark.slow
def test_feasts_own_commands_work_on_what_the_platform_stored(world):
    with open_features(world) as features:
        features.store_rows([row("a", words=100), row("b", words=300)], [])
    repo = prepare_repo(world)
    wanted = ("-f", "author_style:words", "-f", "author_style:documents")

    planned, _, _, said = feast(
        repo,
        ("plan",),
        ("apply",),
        ("materialize", "2026-01-01T00:00:00", "2026-06-01T00:00:00"),
        ("get-online-features", *wanted, "-e", f"author={AUTHOR}"),
    )

    assert "No changes to registry" in planned
    assert json.loads(said[said.index("{") :]) == {
        "author": [AUTHOR],
        "words": [200.0],
        "documents": [2],
    }
    with open_features(world) as features:
        assert features.materialize(NOW) == 0


def test_what_feasts_web_page_imports_is_installed() -> None:
    # Feast does not name all of it among its own requirements.
    assert importlib.import_module("feast.api.registry.rest.feature_views")
