"""From clean documents to a dataset: a new version only where it is worth it, and the reason in words."""

from pathlib import Path

import pytest
from own_texts import entry, index_all, own_world, prose, take_in, write_entries

from include import registry
from include.datasets import build_dataset
from include.learning import next_dataset
from include.settings import Settings
from include.sources import author_name
from ml.splits import find_leaks, held_out

ARTICLES = 6


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> Settings:
    """Make a world of six articles that is content with few samples; nothing is taken in yet."""
    few = settings.model_copy(update={"min_examples": 5, "base_model": "any"})
    return own_world(few, tmp_path, *map(entry, range(ARTICLES)))


def build(world: Settings, articles: int, **settings: object) -> dict[str, object]:
    """Build a dataset of a world that now holds so many articles."""
    write_entries(world, *map(entry, range(articles)))
    take_in(world)
    return build_dataset(world.model_copy(update=settings))


def test_a_version_is_built_once_and_the_next_when_enough_has_changed(world: Settings) -> None:
    first = build(world, ARTICLES)
    again = build_dataset(world)
    unmoved = build(world, ARTICLES + 1, dataset_change=0.9)
    second = build_dataset(world)

    assert (first["created"], first["reason"]) == (True, "It is the first version.")
    assert again == first | {
        "created": False,
        "reason": "0.0% of the samples are new or gone; a version needs 0.5%.",
    }
    assert (unmoved["created"], unmoved["dataset_id"]) == (False, first["dataset_id"])
    assert str(unmoved["reason"]).endswith("a version needs 90.0%.")
    assert second["created"] and next_dataset(world) == second["dataset_id"]
    version = registry.read_dataset(world, str(second["dataset_id"]))
    assert (version.parent, len(version.documents)) == (first["dataset_id"], ARTICLES + 1)

    # The article is withdrawn: no word is new, and yet a model that never read it is wanted.
    third = build(world, ARTICLES)
    assert third["created"] and third["dataset_id"] not in (first["dataset_id"], version.id)
    assert next_dataset(world) == third["dataset_id"] and not build_dataset(world)["created"]


def test_what_is_too_little_makes_no_version_and_the_reason_says_why(world: Settings) -> None:
    nothing = build_dataset(world)
    few = build(world, 3, min_examples=1000)
    untested = build_dataset(world)

    assert nothing["reason"] == "0 examples are too few; 5 are needed."
    assert few["reason"] == f"{few['examples']} examples are too few; 1000 are needed."
    assert "held out for evaluation; four documents of one kind" in str(untested["reason"])
    for built in (nothing, few, untested):
        assert (built["dataset_id"], built["created"]) == ("", False)
    assert registry.list_datasets(world) == [] and next_dataset(world) is None


def test_a_version_has_a_card_and_pictures_and_another_base_model_wants_its_own(
    world: Settings,
) -> None:
    first = build(world, ARTICLES)
    folder = registry.dataset_folder(world, str(first["dataset_id"]))
    version, card = registry.read_dataset(world, folder.name), (folder / "README.md").read_text()
    other = build_dataset(world.model_copy(update={"base_model": "another"}))

    assert f"The words of Maren Oduya, from {ARTICLES} documents. It is the first version." in card
    assert {"README.md", "answers.png", "pairs.png", "tasks.png"} < version.files.keys()
    assert other["created"] and other["dataset_id"] != first["dataset_id"]
    assert other["reason"] == "Samples or base model are made in another way than before."


def test_a_corpus_of_one_author_only_makes_no_version_and_the_sentence_says_what_to_do(
    world: Settings,
) -> None:
    alone = build(world, ARTICLES, min_other_texts=1)

    assert (alone["created"], alone["dataset_id"]) == (False, "")
    assert str(alone["reason"]).startswith(
        "The corpus holds 0 articles by other authors; 1 are needed"
    )
    assert "TWIN_MIN_OTHER_TEXTS" in str(alone["reason"]) and registry.list_datasets(world) == []


def test_nothing_that_the_test_says_is_trained_on(world: Settings) -> None:
    write_entries(world, *map(entry, range(8)), entry(8, prose(8) + "\n\n" + prose(2, 4)))
    take_in(world)
    dataset_id = str(build_dataset(world)["dataset_id"])
    examples = registry.read_examples(world, dataset_id)
    pairs = registry.read_preferences(world, dataset_id)
    tested = held_out(examples)

    assert tested and tested.isdisjoint(e.span.document_id for e in examples if e.split == "train")
    assert find_leaks(examples, pairs, world.leak_words) == set()


def test_without_measured_style_the_sentence_says_which_verb_comes_first(world: Settings) -> None:
    index_all(world)

    with pytest.raises(LookupError, match="No style of author maren-oduya.*store_features"):
        build_dataset(world)


def test_an_author_whom_nobody_knows_is_a_sentence(world: Settings) -> None:
    with pytest.raises(ValueError, match=r"TWIN_AUTHOR is 'me', but .* knows \['maren-oduya'\]"):
        author_name(world.model_copy(update={"author": "me"}))
    assert author_name(world) == "Maren Oduya"
