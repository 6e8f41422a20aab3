"""Any cross-encoder of Hugging Face may order the passages; a tiny one is made here."""

import pytest
from builders import chunk
from small_embedders import make_cross_encoder

from ml.crossencoder import load_cross_encoder

CHUNKS = [chunk("We check the rope.", position=0), chunk("A soup " * 300, position=1)]


@pytest.mark.parametrize("labels", [1, 2])
def test_every_passage_gets_a_score_however_long_it_is(tmp_path, labels):
    judge = load_cross_encoder(str(make_cross_encoder(tmp_path / "judge", labels=labels)))

    scores = judge("Which rope?", CHUNKS)

    assert len(scores) == 2
    assert all(isinstance(s, float) for s in scores)
    assert scores[0] != scores[1]
    assert judge("Which rope?", CHUNKS[:1]) == pytest.approx(scores[:1], abs=1e-4)
    assert judge("Which rope?", []) == []


def test_a_cross_encoder_that_is_none_is_named_with_what_to_do(tmp_path):
    with pytest.raises(OSError, match="nowhere.*Set TWIN_RERANKER to own"):
        load_cross_encoder(str(tmp_path / "nowhere"))
