"""Likeness knows the author on texts that it never saw, and admits where nothing can be told apart."""

from builders import PARAGRAPH

from ml.likeness import area_under_curve, habits, learn_likeness, passages

LOUD = (
    "Stop! You don't need that meeting. Really! Delete it. Ship it, eat lunch, go home! Why wait? "
)


def texts(text: str, count: int) -> list[str]:
    return ["\n\n".join(f"{text} Number {i}-{j}." for j in range(6)) for i in range(count)]


def test_likeness_tells_the_author_from_somebody_else_on_unseen_text() -> None:
    likeness = learn_likeness(texts(PARAGRAPH, 4), texts(LOUD, 4), 7)

    assert likeness(PARAGRAPH) > 0.7 > 0.3 > likeness(LOUD)
    assert area_under_curve(likeness, texts(PARAGRAPH, 2), texts(LOUD, 2)) == 1.0


def test_the_same_seed_gives_the_same_judge() -> None:
    one, two = (learn_likeness(texts(PARAGRAPH, 3), texts(LOUD, 3), 7) for _ in range(2))

    assert one("Why wait for it?") == two("Why wait for it?")


def test_without_other_people_nothing_can_be_told_apart() -> None:
    assert learn_likeness(texts(PARAGRAPH, 4), [], 7)("anything") == 0.5
    assert area_under_curve(lambda text: 0.5, texts(PARAGRAPH, 1), []) == 0.5


def test_a_text_without_words_still_has_measures() -> None:
    assert all(value == value for value in habits("")) and len(habits("")) == len(habits("Aye."))


def test_passages_are_long_enough_to_tell_whose_they_are() -> None:
    found = passages(["one two three\n\n" * 40, "too short"])

    assert found and all(len(p.split()) >= 40 for p in found)
