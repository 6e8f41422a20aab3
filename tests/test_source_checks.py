"""What is wrong with a source is said for each source, in sentences, and nothing is fetched for it."""

import pytest
import yaml
from own_texts import AUTHOR, own_source

from include.ingestion import check_sources
from include.settings import ROOT, Settings
from include.source_checks import FINE, OPTIONS
from include.sources import KINDS

FEED = {"kind": "feed", "where": "https://quay.example/feed.xml"}


@pytest.fixture
def say(tmp_path):
    def say(*sources: dict) -> dict[str, str]:
        (tmp_path / "own.jsonl").touch()
        file = tmp_path / "sources.yaml"
        file.write_text(yaml.safe_dump({"authors": [AUTHOR], "sources": list(sources)}))
        return check_sources(Settings(data_dir=tmp_path, sources_file=file))

    return say


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({}, FINE),
        (FEED, FINE),
        ({**FEED, "schedule": "weekly", "options": {"limit": 5}}, FINE),
        ({"consent": ""}, "No consent is recorded, so it is never crawled"),
        ({"kind": "gopher"}, "kind 'gopher' is unknown"),
        ({"where": "none.jsonl"}, "There is nothing at"),
        ({"kind": "feed"}, "is no address"),
        ({"kind": "feed", "where": "ftp://quay.example/"}, "only http and https"),
        ({"kind": "folder", "where": "https://quay.example/"}, "A folder is on this machine"),
        (
            {**FEED, "options": {"handle": "m"}},
            "Kind feed has no option `handle`; it has any_author",
        ),
        ({**FEED, "options": {"limit": "many"}}, "give a number"),
        ({**FEED, "kind": "sitemap", "options": {"match": "("}}, "no regular expression"),
        ({**FEED, "schedule": "sometimes"}, "'sometimes' is none of hourly"),
        ({"kind": "substack"}, "option `web_url`"),
        ({"author": "nobody"}, "unknown author 'nobody'"),
        ({"colour": "red"}, "unknown key `colour`"),
    ],
)
def test_what_is_wrong_is_a_sentence(say, entry, said):
    assert said in say(own_source("own", **entry))["own"]


def test_a_bad_source_hides_no_other_and_two_faults_are_two_sentences(say):
    bad = own_source("bad", kind="feed", consent="")
    said = say(bad, own_source("own"), own_source("own"), {"kind": "feed"})

    assert said["own"] == FINE and "used twice" in said["own (entry 3)"]
    assert "No consent" in said["bad"] and "is no address" in said["bad"]
    assert "no `author`" in said["entry 4"]


def test_a_git_repository_needs_to_know_its_authors_addresses(tmp_path):
    file = tmp_path / "sources.yaml"
    source = own_source("own", kind="git", where="https://quay.example/r.git", author="ada")
    authors = [{"id": "ada", "name": "Ada"}]
    file.write_text(yaml.safe_dump({"authors": authors, "sources": [source]}))

    assert "has no `emails`" in check_sources(Settings(sources_file=file))["own"]


def test_options_are_those_of_kinds_that_there_are():
    assert OPTIONS.keys() <= KINDS.keys()


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="There is no sources file"):
        check_sources(Settings(sources_file=tmp_path / "none.yaml"))


def test_the_file_that_comes_with_the_platform_is_fine_but_for_what_the_demo_makes(tmp_path):
    said = check_sources(Settings(data_dir=tmp_path))

    assert {s for s in said.values() if s != FINE} == {
        f"There is nothing at {tmp_path}/demo/tidelog.git; correct `where`."
    }
    assert (ROOT / "include" / "sources.yaml").exists()
