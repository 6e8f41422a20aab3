"""The suites: a failing row is named with the rule and the value, and people can read about it in the Data Docs."""

from pathlib import Path

import pytest

from include.settings import Settings
from include.suites import SUITES
from include.validation import Report, validate


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def raw(name: str = "a", **values: object) -> dict[str, object]:
    """Make a row that the raw suite likes."""
    known = {
        "id": name,
        "title": "A rope",
        "author": "maren",
        "fetched_at": "2026-03-01",
        "characters": 44,
        "kind": "article",
        "language": "en",
        "url": f"https://example.org/{name}/",
        "days_ahead": -3,
    }
    return known | values


def cleaned(name: str = "a", **values: object) -> dict[str, object]:
    """Make a row that the clean suite likes."""
    known = {"words": 90, "letter_share": 0.9, "boilerplate_share": 0.1, "heard": "en"}
    return {"id": name, **known, "code_kept": True, "secret": False} | values


def passage(name: str = "a", **values: object) -> dict[str, object]:
    """Make a row that the chunk suite likes."""
    known = {"characters": 500, "tokens": 120, "tokens_over": 0, "lost": 0, "in_place": True}
    return {"id": name, "document_id": "d", **known, "secret": False} | values


def feature(name: str = "a", **values: object) -> dict[str, object]:
    """Make a row that the feature suite likes."""
    known = {"words": 90, "sentence_words": 17.5, "vocabulary_richness": 0.7, "author": "maren"}
    return {"id": name, "event_timestamp": "2026-03-01", "days_old": 2.0, **known} | values


def sample(name: str = "a", **values: object) -> dict[str, object]:
    """Make a row that the dataset suite likes."""
    known = {"grounded": True, "leaked": False, "tied": False, "characters": 3, "crossed": False}
    measured = {"containment": 1.0, "topic": 1.0, "length_difference": 0.0, "length_surprise": 0.0}
    return {"id": name, "document_id": "d", **known, **measured} | values


ROWS = {
    "raw": raw,
    "clean": cleaned,
    "chunk": passage,
    "feature": feature,
    "dataset": sample,
}
BROKEN = {
    "raw": (
        ({"title": None}, "title:values-to-not-be-null"),
        ({"author": None}, "author:values-to-not-be-null"),
        ({"fetched_at": None}, "fetched_at:values-to-not-be-null"),
        ({"characters": 5}, "characters:values-to-be-between"),
        ({"kind": "video"}, "kind:values-to-be-in-set"),
        ({"language": "de"}, "language:values-to-be-in-set"),
        ({"url": "//example.org/"}, "url:values-to-match-regex"),
        ({"days_ahead": 30}, "days_ahead:values-to-be-between"),
    ),
    "clean": (
        ({"words": 2}, "words:values-to-be-between"),
        ({"letter_share": 0.1}, "letter_share:values-to-be-between"),
        ({"boilerplate_share": 0.95}, "boilerplate_share:values-to-be-between"),
        ({"heard": "de"}, "heard:values-to-be-in-set"),
        ({"code_kept": False}, "code_kept:values-to-be-in-set"),
        ({"secret": True}, "secret:values-to-be-in-set"),
    ),
    "chunk": (
        ({"characters": 0}, "characters:values-to-be-between"),
        ({"tokens": 0}, "tokens:values-to-be-between"),
        ({"tokens_over": 7}, "tokens_over:values-to-be-between"),
        ({"lost": 3}, "lost:values-to-be-between"),
        ({"in_place": False}, "in_place:values-to-be-in-set"),
        ({"secret": True}, "secret:values-to-be-in-set"),
    ),
    "feature": (
        ({"words": 0}, "words:values-to-be-between"),
        ({"sentence_words": 900.0}, "sentence_words:values-to-be-between"),
        ({"vocabulary_richness": 1.5}, "vocabulary_richness:values-to-be-between"),
        ({"author": None}, "author:values-to-not-be-null"),
        ({"event_timestamp": None}, "event_timestamp:values-to-not-be-null"),
    ),
    "dataset": (
        ({"grounded": False}, "grounded:values-to-be-in-set"),
        ({"leaked": True}, "leaked:values-to-be-in-set"),
        ({"characters": 0}, "characters:values-to-be-between"),
        ({"tied": True}, "tied:values-to-be-in-set"),
        ({"crossed": True}, "crossed:values-to-be-in-set"),
        ({"containment": 0.2}, "containment:values-to-be-between"),
        ({"topic": 0.1}, "topic:values-to-be-between"),
    ),
}


@pytest.mark.parametrize("suite", SUITES)
def test_every_broken_rule_names_the_row_the_rule_and_the_value(world: Settings, suite) -> None:
    good, broken = ROWS[suite], BROKEN[suite]
    rows = [good("good"), *(good(f"bad{n}", **values) for n, (values, _) in enumerate(broken))]

    report = validate(world, suite, rows, batch="one")

    found = {(f.row_id, f.reason, f.value) for f in report.failures}
    assert found == {
        (f"bad{n}", reason, str(*values.values())) for n, (values, reason) in enumerate(broken)
    }
    assert (report.total, report.batch_failures) == (len(rows), ())
    assert report.failing_ids == {f"bad{n}" for n in range(len(broken))}


def test_an_id_twice_is_both_rows_fault(world: Settings) -> None:
    report = validate(world, "raw", [raw("a"), raw("a"), raw("b")], batch="one")

    assert [(f.row_id, f.reason) for f in report.failures] == [("a", "id:values-to-be-unique")] * 2
    assert report.failing_ids == {"a"}


def test_two_bad_rows_of_fifty_pass_and_fifty_bad_ones_do_not(world: Settings) -> None:
    good, bad = [raw(f"g{n}") for n in range(48)], [raw(f"b{n}", kind="video") for n in range(50)]

    amber = validate(world, "raw", [*good, *bad[:2]], batch="amber")
    red = validate(world, "raw", bad, batch="red")

    assert amber.failing_ids == {"b0", "b1"} and not amber.bad(0.3, amber.total)
    assert len(red.failing_ids) == 50 and red.bad(0.3, red.total)


def test_a_missing_column_fails_the_whole_batch_and_is_named(world: Settings) -> None:
    rows = [{k: v for k, v in raw().items() if k != "language"}]

    report = validate(world, "raw", rows, batch="one")

    unjudged, schema = report.batch_failures
    assert "expect_column_values_to_be_in_set could not be judged" in unjudged
    assert "language" in unjudged and schema.startswith("Not met: Every column")
    assert report.failures == () and report.bad(0.3, report.total)


def test_half_of_what_is_usual_is_a_warning_and_what_stays_so_is_the_usual(world: Settings) -> None:
    for _ in range(3):
        assert validate(world, "clean", [cleaned()], batch="few", volume=40).warnings == ()

    said = [validate(world, "clean", [cleaned()], batch="few", volume=9) for _ in range(4)]

    assert "less is more likely a loss" in said[0].warnings[0]
    assert "(volume_share: 0.225)" in said[0].warnings[0]
    assert [bool(r.warnings) for r in said] == [True, True, True, False]
    assert not any(r.bad(0.0, r.total) for r in said)


def test_features_of_which_the_newest_is_old_are_a_warning(world: Settings) -> None:
    rows = [feature("a", days_old=60.0), feature("b", days_old=90.0)]

    (warning,) = validate(world, "feature", rows, batch="old").warnings

    assert "the crawl may stand still" in warning and "days_old: 60" in warning


def test_an_empty_batch_is_no_good_batch(world: Settings) -> None:
    report = validate(world, "clean", [], batch="cleaned")

    assert report == Report("clean", "cleaned", 0, (), ("The batch cleaned is empty.",))
    assert report.bad(0.3, report.total)


def test_data_docs_tell_people_what_was_expected_and_what_came(world: Settings) -> None:
    validate(world, "raw", [raw("a", language="de")], batch="one")
    validate(world, "raw", [raw("a")], batch="two")

    docs = world.data_dir / "data_docs"
    assert "raw" in (docs / "index.html").read_text()
    (suite,) = docs.glob("expectations/*.html")
    assert "The voice is learned in English." in suite.read_text()
    results = [" ".join(f.read_text().split()) for f in docs.glob("validations/**/*.html")]
    assert [sum(f"</i> {status}" in r for r in results) for status in ("Failed", "Succeeded")] == [
        1,
        1,
    ]
