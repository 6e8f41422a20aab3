"""The page over the Data Docs: readable without a network, and nothing of the data runs in it."""

from pathlib import Path

import pytest

from include.settings import Settings
from include.validation import data_docs, validate


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("docs"))
    good = {"words": 90, "letter_share": 0.8, "boilerplate_share": 0.0, "heard": "en"}
    good |= {"code_kept": True, "secret": False}
    rows = [{"id": "a", **good}, {"id": "b", **good, "words": 2}]
    rows.append({"id": "c", **good, "heard": "<img src=x><script>alert(1)</script>"})
    for volume in (90, 90, 90, 9):
        validate(settings, "clean", rows, batch="test", volume=volume)
    return settings


@pytest.fixture
def page(world: Settings) -> str:
    return (data_docs(world) / "overview.html").read_text(encoding="utf-8")


def test_the_overview_names_the_suite_its_rows_and_what_it_refused(page: str):
    assert "<td>clean</td>" in page
    assert '<td class="n">3</td>' in page
    assert "7 of 9" in page and "6 of 9" in page
    assert "1 × words:values-to-be-between" in page


def test_every_suite_shows_its_runs_as_a_picture_and_what_is_usual(page: str):
    assert page.count("<title>") == 1 + 4
    assert "3 rows, 2 refused, 9 in all (usually 90)" in page
    assert page.count("no run yet") == 4
    assert '<span class="mark bad">refused some</span>' in page


def test_the_latest_refusals_are_shown_with_their_values(page: str):
    refusals = page.partition("Latest refusals")[2].partition("<h2>Runs")[0]

    assert refusals.count("<td>words:values-to-be-between</td>") == 4
    assert '<td class="v">2</td><td class="v">b</td>' in refusals


def test_a_warning_is_said_where_its_suite_is_shown(page: str):
    assert 'class="amber">Not met: There is at least half of what the last runs had' in page


def test_every_run_links_to_its_own_page(world: Settings, page: str):
    link = page.partition('<td><a href="')[2].partition('"')[0]

    assert (data_docs(world) / link).is_file()


def test_the_overview_fetches_nothing(page: str):
    assert "src=" not in page.replace("&lt;img src=x&gt;", "")
    assert "http" not in page


def test_values_are_shown_and_not_run(page: str):
    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page


def test_an_index_page_of_great_expectations_is_there_too(world: Settings):
    assert Path(data_docs(world) / "index.html").is_file()
