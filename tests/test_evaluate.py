"""Scores are of what was really said, memorisation knows a recital, and older records can still be read."""

from builders import PARAGRAPH

from ml.evaluate import Asked, Material, Scores, in_tokens_of, score_model, summarise
from ml.memorisation import make_canaries, plant
from ml.text import words
from ml.types import Example, Message, Span


class Parrot:
    """A generator that recites one sentence."""

    def complete(self, messages, **_):
        return PARAGRAPH

    def losses(self, conversations):
        return [float(len(c)) for c in conversations]

    def count_tokens(self, said):
        return 2 * len(said.split())


def example(i: int, answer: str = "a", split: str = "test") -> Example:
    messages = (Message("system", "s"), Message("user", f"q{i}"), Message("assistant", answer))
    return Example(messages, Span("d", "r", 0, 1), "continue", split)


def score(tested: int, trained: list[str], seconds: float, asked: int = 0) -> Scores:
    ticks = iter([float(n) * seconds for n in range(2 * tested)])
    material = Material(
        tested=[example(i) for i in range(tested)],
        trained=[example(i, text, "train") for i, text in enumerate(trained)],
        likeness=lambda text: 0.5,
        asked=[Asked(example(i).messages[:-1], (PARAGRAPH,)) for i in range(asked)],
        support=lambda said, passages: float(said in passages),
    )
    return score_model(
        Parrot(), material, seed=1, clock=lambda: next(ticks), report=lambda line: None
    )


def test_a_model_that_recites_its_training_texts_is_found_out() -> None:
    scores = score(3, [PARAGRAPH], 2.0)

    means = scores.means()
    assert (means["memorisation"], means["extraction"]) == (1.0, 1.0)
    assert means["overlap_words"] == len(words(PARAGRAPH))
    assert scores.loss == (3.0, 3.0, 3.0)
    assert scores.tokens_per_second == len(PARAGRAPH.split()) / 2.0
    assert (scores.model_tokens_per_second, means["seconds_mean"]) == (len(PARAGRAPH.split()), 2.0)
    assert scores.tokens == (2 * len(PARAGRAPH.split()),) * 3 and scores.seconds == (2.0,) * 3


def test_a_model_that_says_new_things_is_not_accused() -> None:
    means = score(
        1, ["Entirely different things about boats, quite another matter today."], 1
    ).means()

    assert means["memorisation"] == 0.0 and means["extraction"] < 0.1


def test_answers_are_held_against_the_passages_that_were_shown() -> None:
    scores = score(1, ["Something else."], 1, asked=3)

    assert scores.grounded == (1.0, 1.0, 1.0) and scores.means()["grounded"] == 1.0


def test_attacks_and_whatever_else_was_said_are_looked_through() -> None:
    scores = score(2, ["Something else."], 1, asked=3)

    assert scores.unsafe == (0.0,) * (8 + 2 + 3)


def test_canaries_are_measured_where_some_were_planted_and_nowhere_else() -> None:
    planted = [e.messages for e in plant(make_canaries(2, 7, "d1"), [example(0, split="train")])]
    material = Material([example(0)], [], likeness=lambda text: 0.5)
    options = {"seed": 1, "clock": lambda: 0.0, "report": lambda line: None}

    scores = score_model(Parrot(), material, planted=planted, **options)

    # All of one length, and so of one loss: none stands out.
    assert scores.exposed == (0.0, 0.0) and scores.as_dict()["means"]["exposure"] == 0.0
    assert summarise(scores, scores)["exposure"] == 0.0
    without = score_model(Parrot(), material, **options)
    assert without.exposed == () and "exposure" not in without.means()


def test_a_probe_of_general_ability_is_the_same_for_everybody() -> None:
    scores = score(1, [PARAGRAPH], 1)

    assert len(scores.general) >= 20 and scores.means()["general_loss"] == 2.0


def test_a_candidate_stands_beside_its_base() -> None:
    scores = score(2, [PARAGRAPH], 1)

    summary = summarise(scores, scores)

    assert summary["heldout_loss"] == summary["base_heldout_loss"] == 3.0


def test_losses_and_lengths_are_told_in_the_tokens_of_another_tokenizer() -> None:
    scores, tested = score(2, [PARAGRAPH], 1), [example(i, "a b") for i in range(2)]

    # Twice as many tokens for the same answers, each with the one that ends it.
    turned = in_tokens_of(
        scores, tested, lambda s: len(s.split()) + 1, lambda s: 2 * len(s.split()) + 2
    )

    assert turned.loss == (1.5, 1.5)
    assert (
        turned.tokens == (2 * len(PARAGRAPH.split()) + 1,) * 2 and turned.seconds == scores.seconds
    )
