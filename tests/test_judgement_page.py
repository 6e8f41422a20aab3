"""What a judge's word is worth, as a page: figures on pairs whose truth is known, and no texts."""

import re

from test_judge import FALSE, KNOWN, TRUE, always_first, knows, longest

from ml.judge import NoChoice, Pair, judge_pairs, known_pairs
from ml.judgement_page import draw_judgement

MODELS = ("m<1>", "base")


def drawn(ask, known=KNOWN) -> str:
    """Draw a judge who was asked about two models once, and about pairs whose truth is known."""
    compared = judge_pairs([Pair("q", TRUE, FALSE)], "author", knows)
    judged = judge_pairs(known, "author", ask, control_length=False)
    return draw_judgement(MODELS, compared, judged, {"judge": "<b>"})


def figures(page: str) -> dict[str, float]:
    """Read the figures as somebody hears them who cannot see the page."""
    return {n: float(v) for n, v in re.findall(r'aria-label="([^:]+): (-?[\d.]+), ideal', page)}


def counts(page: str) -> list[int]:
    """Read how many pairs there are, and how many of them are correct, wrong, ties and failed."""
    row = re.search(r"<th>failed</th></tr><tr>(.*?)</tr>", page)[1]
    return [int(n) for n in re.findall(r"<td>(\d+)</td>", row)]


def test_a_judge_without_fault_stands_on_every_ideal() -> None:
    page = drawn(knows)

    assert figures(page) == {
        "correct": 1.0,
        "pull of the first place": 0.0,
        "pull of length": 0.0,
        "agrees in both orders": 1.0,
        "agrees when asked again": 1.0,
    }
    assert counts(page) == [8, 8, 0, 0, 0]


def test_who_goes_by_the_place_or_by_length_is_seen_to() -> None:
    by_place, by_length = drawn(always_first), drawn(longest)

    assert figures(by_place)["pull of the first place"] == 0.5
    assert figures(by_place)["agrees in both orders"] == 0.0
    assert counts(by_place) == [8, 0, 0, 8, 0]
    assert figures(by_length)["pull of length"] == 1.0
    assert counts(by_length) == [8, 4, 4, 0, 0]


def test_of_a_judge_who_never_judged_no_bias_is_shown() -> None:
    def refuses(messages, take):
        raise NoChoice("I would rather not")

    page = drawn(refuses)

    assert "nothing is known of its biases" in page and figures(page) == {}
    assert counts(page) == [8, 0, 0, 0, 8]


def test_the_page_has_figures_and_no_texts_and_names_are_text() -> None:
    known = known_pairs([("a <secret> question", TRUE, FALSE)])

    page = drawn(knows, known)

    assert not any(said in page for said in ("secret", TRUE, FALSE, "m<1>", "<b>"))
    assert "<th>m&lt;1&gt;</th>" in page and "&lt;b&gt;" in page
