"""The sources file: what is wrong with it is a sentence, and nobody is crawled without consent."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from demo.site import lap_file
from include.documents import open_documents
from include.settings import ROOT, Settings
from include.sources import KINDS, crawl, find_source, load_sources
from ml.types import Author, Source

GOOD = {
    "authors": [{"id": "maren", "name": "Maren Oduya", "emails": ["m@oduya.example"]}],
    "sources": [
        {
            "id": "blog",
            "author": "maren",
            "kind": "feed",
            "where": "${DEMO_URL}/feed.xml",
            "consent": "yes, 2026",
        }
    ],
}


def world(tmp_path: Path, content: object, **changes) -> Settings:
    file = tmp_path / "sources.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Settings(data_dir=tmp_path / "data", sources_file=file, **changes)


def changed(**entry) -> dict:
    return {**GOOD, "sources": [{**GOOD["sources"][0], **entry}]}


def test_a_source_knows_its_author_and_where_it_is(tmp_path):
    (source,) = load_sources(world(tmp_path, GOOD, port_offset=5))

    assert source.author == Author("maren", "Maren Oduya", ("m@oduya.example",))
    assert (source.where, source.consent) == ("http://127.0.0.1:8295/feed.xml", "yes, 2026")


def test_paths_start_beside_the_file_or_where_a_variable_says(tmp_path):
    places = {
        "posts/a.csv": tmp_path / "posts/a.csv",
        "${ROOT}/x": ROOT / "x",
        "${DATA_DIR}/g": tmp_path / "data/g",
    }
    for where, path in places.items():
        (source,) = load_sources(world(tmp_path, changed(where=where)))
        assert Path(source.where) == path


def test_options_are_text(tmp_path):
    (source,) = load_sources(world(tmp_path, changed(options={"limit": 5, "any_author": True})))

    assert source.options == {"limit": "5", "any_author": "true"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("authors: [", "no YAML"),
        ("just text", "no list `authors`"),
        ({**GOOD, "sources": {}}, "no list `sources`"),
        (changed(id=""), "no `id`"),
        (changed(id="../x"), "small letters"),
        (changed(author="nobody"), "unknown author 'nobody'"),
        (changed(url="x"), "unknown key `url`"),
        (changed(where="${HOME}/x"), "is not known"),
        (changed(options=["a"]), "no pairs"),
        (changed(schedule="now and then"), "none of hourly"),
        (changed(trust="half"), "`trust` of source 'blog' is 'half'; it is one of own, shared"),
        ({**GOOD, "sources": GOOD["sources"] * 2}, "used twice"),
        ({**GOOD, "authors": [{"id": "maren", "name": "M", "emails": "m@x"}]}, "no list"),
    ],
)
def test_a_wrong_sources_file_is_a_sentence(tmp_path, content, said):
    settings = world(tmp_path, content)

    with pytest.raises(ValueError, match=said) as error:
        load_sources(settings)
    assert str(settings.sources_file) in str(error.value)


def test_a_missing_sources_file_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="TWIN_SOURCES_FILE"):
        load_sources(Settings(sources_file=tmp_path / "none.yaml"))


def test_an_unknown_source_id_names_those_that_there_are(tmp_path):
    settings = world(tmp_path, GOOD)

    assert find_source(settings, "blog").kind == "feed"
    with pytest.raises(ValueError, match="no source 'bog'.*blog"):
        find_source(settings, "bog")


def test_nobody_is_crawled_without_consent(settings):
    source = Source("blog", Author("a", "A"), "feed", "http://127.0.0.1:9/", " ")
    with open_documents(settings) as documents, pytest.raises(PermissionError, match="No consent"):
        crawl(settings, source, documents)


def test_an_unknown_kind_names_the_kinds_and_stops_no_other_source(tmp_path, settings):
    (source,) = load_sources(world(tmp_path, changed(kind="gopher")))
    with open_documents(settings) as documents, pytest.raises(ValueError, match="gopher") as error:
        crawl(settings, source, documents)
    assert all(kind in str(error.value) for kind in KINDS)


def test_the_file_that_comes_with_the_platform_is_right():
    sources = load_sources(Settings())

    assert {source.kind for source in sources} <= KINDS.keys()
    assert all(source.consent for source in sources)
    assert Settings().author in {source.author.id for source in sources}


def crawl_all(world: Settings, lap: int) -> list[dict[str, int]]:
    """Crawl every source of the demo once; returns what was found, as counts."""
    lap_file(world).write_text(str(lap))
    counts = []
    with open_documents(world) as documents:
        for source in load_sources(world):
            found = crawl(world, source, documents)
            documents.put(found.documents)
            documents.mark_gone(found.gone, datetime.now(UTC))
            counts.append(
                {"new": len(found.documents), "same": found.unchanged, "gone": len(found.gone)}
            )
    return counts


def test_the_demo_is_crawled_in_full_once_and_then_only_what_changed(demo):
    first, again, second = (crawl_all(demo, lap) for lap in (1, 1, 2))

    assert all(c["new"] and not c["same"] and not c["gone"] for c in first)
    assert again == [{"new": 0, "same": c["new"], "gone": 0} for c in first]
    assert [c["new"] for c in second] == [2, *[0] * (len(second) - 1)]
    assert [c["gone"] for c in second] == [1, *[0] * (len(second) - 1)]
