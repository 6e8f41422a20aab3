"""The ranking of an index is learned from it, kept beside it, and read again when it was learned anew."""

import json

import pytest
from own_texts import know
from small_embedders import make_cross_encoder

from include import indexing
from include.ranking import Rankings, fit_ranking, open_judge, read_ranking, shared_terms
from include.registry import map_folder
from include.settings import Settings
from ml.rerank import WEIGHTS, Ranking


@pytest.fixture
def world(settings: Settings) -> Settings:
    """Make a world with six indexed articles."""
    know(settings, *range(6))
    indexing.index_chunks(settings)
    return settings


def test_indexing_brings_a_ranking_with_the_words_that_several_texts_share(world):
    ranking = read_ranking(world, indexing.index_mark(world))

    assert (ranking.fingerprint, ranking.weights) == (indexing.index_mark(world), WEIGHTS)
    assert ranking.passages > 0
    assert "wrong" in ranking.counts


def test_a_ranking_is_learned_anew_only_when_the_index_has_changed_much(world):
    assert fit_ranking(world)["learned"] is False

    know(world, *range(12))
    before = read_ranking(world, indexing.index_mark(world)).passages
    indexing.index_chunks(world)

    assert read_ranking(world, indexing.index_mark(world)).passages > before


def test_a_word_of_one_text_alone_is_not_kept():
    from builders import chunk, cleaned

    texts = ["a shared rope", "the shared rope", "shared by all", "a secret"]
    chunks = [
        chunk(t, document=cleaned(t, url=f"https://example.org/{n}/")) for n, t in enumerate(texts)
    ]

    assert shared_terms(chunks) == {"shar": 3} or shared_terms(chunks) == {"shared": 3}


def test_a_world_without_an_index_has_no_ranking_of_its_own(settings):
    assert fit_ranking(settings) == {"passages": 0, "pairs": 0, "learned": False}
    assert read_ranking(settings, "") == read_ranking(settings, "f" * 32) == Ranking()


def test_a_ranking_of_another_code_is_not_used(world, caplog):
    (file,) = map_folder(world).with_name("rankings").glob("*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"weights": {"magic": 1.0}}))

    assert read_ranking(world, file.stem) == Ranking()
    assert "Run fit_ranking again" in caplog.text


def test_what_is_learned_while_one_serves_is_read_at_the_next_question(world):
    rankings, mark = Rankings(world), indexing.index_mark(world)
    before = rankings.of(mark)
    assert rankings.of(mark) is before

    know(world, *range(12))
    indexing.index_chunks(world)

    assert rankings.of(mark).ranking.passages > before.ranking.passages
    assert rankings.of("").ranking == Ranking()


def test_the_settings_say_who_judges(settings, tmp_path):
    name = str(make_cross_encoder(tmp_path / "judge", labels=1))

    assert open_judge(settings) is None
    assert open_judge(settings.model_copy(update={"reranker": name})) is not None
