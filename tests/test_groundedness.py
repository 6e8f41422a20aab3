"""Groundedness: what passages support scores high, what they do not scores low, and context is measured both ways."""

import random

import numpy as np
import pytest

from ml.groundedness import (
    USUAL,
    claims_of,
    context_precision,
    context_recall,
    learn_support,
    measure_support,
    overlap,
)

SYLLABLES = "ba den fi gol hu jar kem lo mip nu ras sel to vun wex".split()


def passage_of(document: int, number: int) -> str:
    """Write two sentences in words of their own; a third of them are those of the whole document."""
    chance, shared = random.Random(1000 * document + number), random.Random(document)
    said = []
    for _ in range(2):
        own = ["".join(chance.choices(SYLLABLES, k=3)) for _ in range(8)]
        said.append(" ".join([*own, *("".join(shared.choices(SYLLABLES, k=3)) for _ in range(4))]))
    return " ".join(f"The {sentence}." for sentence in said)


DOCUMENTS = [[passage_of(d, n) for n in range(3)] for d in range(12)]


def encode(texts):
    """Embed a text as the set of its longer words."""
    vectors = np.zeros((len(texts), 512), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in {w.strip(".,;?").lower() for w in text.split() if len(w) > 3}:
            row[sum(map(ord, word)) % 512] = 1.0
        row /= max(np.linalg.norm(row), 1e-9)
    return vectors


@pytest.fixture(scope="module")
def support():
    return learn_support(DOCUMENTS, encode)


def test_known_pairs_are_told_apart_and_the_measure_says_how_well(support):
    assert support.separation > 0.9
    assert 0 <= support.error < 0.3
    assert support == learn_support(DOCUMENTS, encode)


def test_what_a_passage_says_is_supported_and_what_it_does_not_say_is_not(support):
    passage = DOCUMENTS[0][0]
    said = passage.split(". ")[0]

    assert measure_support(said, [DOCUMENTS[3][0], passage], support, encode) > 0.8
    assert measure_support(said, [DOCUMENTS[3][0]], support, encode) < 0.5
    invented = "Purple elephants dance quietly beneath seventeen frozen umbrellas."
    assert measure_support(invented, [passage], support, encode) < 0.1


def test_half_of_an_answer_invented_is_half_supported(support):
    passage = DOCUMENTS[0][0]
    said = passage.split(". ")[0] + ". Purple elephants dance beneath seventeen frozen umbrellas."

    assert 0.4 < measure_support(said, [passage], support, encode) < 0.6


def test_silence_is_even_odds_and_without_passages_nothing_is_supported(support):
    assert measure_support("", ["anything"], support, encode) == 0.5
    assert measure_support("So it is.", [], support, encode) == 0.5
    assert measure_support("The anchor holds the mooring barrel.", [], support, encode) == 0.0


def test_texts_that_teach_nothing_leave_the_usual_measure():
    assert learn_support([["One passage only."]], encode) == USUAL
    assert learn_support([DOCUMENTS[0][:1]] * 12, encode) == USUAL
    assert USUAL.chance(1.0, 0.9) > 0.9 and USUAL.chance(0.2, 0.3) < 0.1


def test_a_text_without_a_full_stop_is_one_claim():
    assert claims_of("the anchor holds the mooring barrel") == [
        "the anchor holds the mooring barrel"
    ]
    assert claims_of("Yes. The anchor holds the mooring barrel! Fine.") == [
        "The anchor holds the mooring barrel!"
    ]


def test_overlap_counts_content_words_only():
    assert overlap("The anchor of the barrel", "a barrel and an anchor") == 1.0
    assert overlap("The anchor of the lantern", "a barrel and an anchor") == 0.5
    assert overlap("of the", "of the") == 0.0


def test_context_precision_rewards_what_stands_high():
    assert context_precision(["a", "b", "c"], ["a"]) == 1.0
    assert context_precision(["b", "a", "c"], ["a"]) == 0.5
    assert context_precision(["b", "a", "c"], ["a", "b"]) == 1.0
    assert context_precision(["b"], ["a"]) == context_precision([], ["a"]) == 0.0


def test_context_recall_is_the_share_of_sentences_that_were_found():
    reference = "The anchor holds the barrel. The lantern shows the way home."

    assert context_recall(reference, ["Well: The anchor holds  the barrel. More."]) == 0.5
    assert context_recall(reference, [reference]) == 1.0
    assert context_recall("", ["anything"]) == 0.0
