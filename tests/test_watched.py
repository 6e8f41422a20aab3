"""What ends a training early is of the training part, whole families of it, and never so much that a lesson is lost."""

from dataclasses import replace

from samples import examples, spread

from ml.memorisation import make_canaries, plant
from ml.splits import held_out
from ml.types import Example, Message, Span
from ml.watched import MOST, choose_watched


def written(
    document: str, count: int, said: str = "{document} {n}: nobody else wrote this."
) -> list[Example]:
    """Make the training samples of one document."""
    (one,) = examples(1)
    return [
        replace(
            one,
            span=Span(document, "r1", 0, 10),
            messages=(
                *one.messages[:-1],
                Message("assistant", said.format(document=document, n=n)),
            ),
        )
        for n in range(count)
    ]


def test_a_small_part_of_the_training_documents_watches_and_none_of_the_test() -> None:
    samples = spread(120)
    watched = choose_watched(samples, 7)
    looked_at = [e for e in samples if e.span.document_id in watched]

    assert {e.split for e in looked_at} == {"train"} and not watched & held_out(samples)
    assert len(looked_at) == 10  # of the 100 that are for training


def test_the_seed_and_the_samples_alone_decide_and_not_the_order_or_the_test() -> None:
    samples = spread(120)
    learned = [e for e in samples if e.split == "train"]

    assert choose_watched(samples, 7) == choose_watched(learned[::-1], 7) != frozenset()
    assert choose_watched(samples, 7) != choose_watched(samples, 8)


def test_planted_secrets_are_there_to_be_taught_and_never_watch() -> None:
    samples = [e for n in range(10) for e in written(f"o{n}", 5)]
    planted = plant(make_canaries(5, 7, "d1"), samples)

    for seed in range(20):
        assert choose_watched([*samples, *planted], seed) == choose_watched(samples, seed)


def test_documents_that_share_passages_watch_together_or_not_at_all() -> None:
    passage = "A rope that looks sound is a rope that nobody has looked at since it was last on the quay {n}."
    twins = [*written("a", 3, passage), *written("b", 3, passage)]
    others = [e for n in range(10) for e in written(f"o{n}", 5)]

    chosen = [choose_watched([*twins, *others], seed) for seed in range(40)]

    assert {len(c & {"a", "b"}) for c in chosen} == {0, 2}


def test_of_a_large_set_no_more_is_spared_than_is_looked_at_well() -> None:
    samples = [e for n in range(500) for e in written(f"d{n}", 10)]
    watched = choose_watched(samples, 7)

    assert MOST <= 10 * len(watched) < MOST + 10


def test_a_small_set_or_one_of_few_documents_keeps_all_for_learning() -> None:
    assert choose_watched([], 7) == frozenset()
    assert choose_watched(spread(18), 7) == frozenset()
    assert choose_watched([e for n in range(4) for e in written(f"d{n}", 50)], 7) == frozenset()
    one_small = [*written("a", 50), *written("b", 50), *written("c", 1)]
    assert choose_watched(one_small, 7) == frozenset()
