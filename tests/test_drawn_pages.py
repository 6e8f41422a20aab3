"""The platform's pages in one place: what is drawn is listed, and nothing else can be read."""

import pytest

from include.drawn_pages import TITLES, draw_overview, find_page, list_pages, page_path
from include.manifests import artifacts_root
from include.settings import Settings


@pytest.fixture
def drawn(tmp_path):
    """Make a world in which some pages were drawn, and which has a key."""
    world = Settings(data_dir=tmp_path / "data")
    artifacts = artifacts_root(world)
    for file in (
        artifacts / "verdicts" / "m1.html",
        artifacts / "judgements" / "m1-base.html",
        artifacts / "judgements" / "m1-base.json",
        artifacts / "runs.html",
        artifacts / "corpus" / "corpus.png",
        world.data_dir / "duplicates.html",
        world.data_dir / "run" / "api_key",
        world.data_dir / "run" / "page.html",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("<!doctype html>")
    return world


def test_what_was_drawn_is_listed_and_found_by_its_path(drawn):
    listed = list_pages(drawn)

    assert [p.path for p in listed] == [
        "verdicts/m1.html",
        "judgements/m1-base.html",
        "runs",
        "duplicates",
    ]
    assert {p.group for p in listed} <= set(TITLES)
    assert [page_path(drawn, find_page(drawn, p.path)) for p in listed] == [p.path for p in listed]
    assert find_page(drawn, "corpus/corpus.png").is_file()


@pytest.mark.parametrize(
    "path",
    [
        "run/api_key",
        "run/page.html",
        "verdicts/../../run/page.html",
        "verdicts//etc/hosts.html",
        "verdicts/m2.html",
        "judgements/m1-base.json",
        "verdicts",
        "duplicates/../run/page.html",
        "",
    ],
)
def test_nothing_else_is_shown(drawn, path):
    with pytest.raises(LookupError, match="page"):
        find_page(drawn, path)


def test_a_link_out_of_the_folder_leads_nowhere(drawn):
    link = artifacts_root(drawn) / "verdicts" / "out.html"
    link.symlink_to(drawn.data_dir / "run" / "page.html")

    with pytest.raises(LookupError):
        find_page(drawn, "verdicts/out.html")
    assert page_path(drawn, link) == ""


def test_the_overview_says_what_to_do_while_there_is_nothing(tmp_path):
    assert "ingest_documents" in draw_overview(Settings(data_dir=tmp_path / "data"), "/twin/")


def test_names_of_files_are_text(drawn):
    (artifacts_root(drawn) / "worth").mkdir()
    (artifacts_root(drawn) / "worth" / "<img src=x>.html").write_text("")

    page = draw_overview(drawn, "/twin/pages/")

    assert "<img" not in page
    assert "/twin/pages/worth/%3Cimg%20src%3Dx%3E.html" in page
