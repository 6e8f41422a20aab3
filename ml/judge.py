"""Let a language model compare two answers, and find out what its word is worth.

Every pair is judged in both orders, with texts cut to one length; who changes his mind with the order has seen no
difference. Each pair is asked once more, to see whether the judge agrees with itself; and on pairs whose truth is
known it is measured how often it is right, and how far place and length sway it. Source: Zheng et al., "Judging
LLM-as-a-Judge with MT-Bench and Chatbot Arena", 2023. Not here: who is asked (`include/judging.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel

from ml.injection import neutralise
from ml.types import Message

# Texts of fewer words are not made a measure for others.
FEWEST_WORDS = 3
Side = Literal["left", "right", "tie", "failed"]
LEFT_FIRST: Mapping[str, Side] = {"A": "left", "B": "right", "tie": "tie"}
RIGHT_FIRST: Mapping[str, Side] = {"A": "right", "B": "left", "tie": "tie"}


class Choice(BaseModel):
    """What a judge has to answer: a short reason first, then which one."""

    reason: str
    better: Literal["A", "B", "tie"]


class NoChoice(RuntimeError):
    """Raised by whoever is asked when no choice came back: a refusal, or an answer out of form."""


# Asks a judge: the conversation, and which take of it; another take is another draw.
AskJudge = Callable[[Sequence[Message], int], Choice]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question; `truth` names the better one where it is known."""

    asked: str
    left: str
    right: str
    truth: Side | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said about a pair: with the left one first, with the right one first, and first again."""

    pair: Pair
    left_first: Side
    right_first: Side
    again: Side

    @property
    def side(self) -> Side:
        """Return the judgement: who is preferred in both orders, or a tie; failed where one order is missing."""
        said = (self.left_first, self.right_first)
        if "failed" in said:
            return "failed"
        return self.left_first if self.left_first == self.right_first else "tie"


@cache
def rubric() -> Mapping[str, str]:
    """Read the rubric: `version`, `system`, `question`."""
    file = Path(__file__).with_name("rubric.yaml")
    values: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values


def judge_pairs(
    pairs: Sequence[Pair], author: str, ask: AskJudge, *, control_length: bool = True
) -> list[Judged]:
    """Have pairs judged; `author` are passages that show the voice."""
    return [_judge(pair, author, ask, control_length) for pair in pairs]


def _judge(pair: Pair, author: str, ask: AskJudge, control_length: bool) -> Judged:
    left, right = equal_length(pair.left, pair.right) if control_length else (pair.left, pair.right)
    if left == right:
        # Nobody has to be asked which of two equal texts is the better one.
        return Judged(pair, "tie", "tie", "tie")
    first, second = (
        _messages(author, pair.asked, *said) for said in ((left, right), (right, left))
    )
    return Judged(
        pair,
        _one(ask, first, 0, LEFT_FIRST),
        _one(ask, second, 0, RIGHT_FIRST),
        _one(ask, first, 1, LEFT_FIRST),
    )


def equal_length(left: str, right: str) -> tuple[str, str]:
    """Cut the longer of two texts to the words of the shorter one, so that length says nothing.

    Who says next to nothing is judged by that.
    """
    count = min(len(left.split()), len(right.split()))
    if count < FEWEST_WORDS:
        return left, right
    return " ".join(left.split()[:count]), " ".join(right.split()[:count])


def known_pairs(pairs: Sequence[tuple[str, str, str]]) -> list[Pair]:
    """Make pairs whose truth is known, from (question, the author's words, the same words ironed flat).

    The true one stands left and right in turn, and is in turn the shorter and the longer one.
    """
    made = []
    for number, (asked, true, false) in enumerate(pairs):
        longer_is_true = number % 4 < 2
        cut = max(len((false if longer_is_true else true).split()) * 2 // 3, 1)
        own = true if longer_is_true else " ".join(true.split()[:cut])
        other = " ".join(false.split()[:cut]) if longer_is_true else false
        made.append(
            Pair(asked, own, other, "left") if number % 2 else Pair(asked, other, own, "right")
        )
    return made


def sum_up(judged: Sequence[Judged]) -> dict[str, float]:
    """Count the judgements, and tell how far the judge agrees with itself: in the other order, and asked again."""
    sides = [j.side for j in judged]
    decided = [j for j in judged if j.side != "failed"]
    repeated = [j for j in judged if "failed" not in (j.left_first, j.again)]
    return {
        "pairs": float(len(judged)),
        **{name: float(sides.count(name)) for name in ("left", "right", "tie", "failed")},
        "left_share": _share([s == "left" for s in sides if s != "failed"], sides.count("tie") / 2),
        "same_in_both_orders": _share([j.left_first == j.right_first for j in decided]),
        "same_when_asked_again": _share([j.left_first == j.again for j in repeated]),
    }


def biases(judged: Sequence[Judged]) -> dict[str, float]:
    """Measure a judge on pairs whose truth is known: how often it is right, and what sways it.

    `first_place` is by how much it prefers whatever is named first, as every pair stands in both orders;
    `length` by how much oftener it is right where the right answer is the longer one.
    """
    known = [j for j in judged if j.pair.truth]
    placed = [(j.left_first, "left") for j in known] + [(j.right_first, "right") for j in known]
    chosen = [side == first for side, first in placed if side in ("left", "right")]
    longer = [_right(j) for j in known if _truth_is_longer(j.pair) and j.side != "failed"]
    shorter = [_right(j) for j in known if not _truth_is_longer(j.pair) and j.side != "failed"]
    return {
        "known_pairs": float(len(known)),
        "right": _share([_right(j) for j in known if j.side != "failed"]),
        "first_place": _share(chosen) - 0.5 if chosen else 0.0,
        "length": _share(longer) - _share(shorter) if longer and shorter else 0.0,
    }


def _one(ask: AskJudge, messages: Sequence[Message], take: int, sides: Mapping[str, Side]) -> Side:
    try:
        return sides[ask(messages, take).better]
    except NoChoice:
        return "failed"


def _messages(author: str, asked: str, first: str, second: str) -> tuple[Message, ...]:
    told = rubric()
    filled = told["question"].format(
        author=neutralise(author),
        asked=neutralise(asked),
        first=neutralise(first),
        second=neutralise(second),
    )
    return Message("system", told["system"]), Message("user", filled)


def _right(judged: Judged) -> bool:
    return judged.side == judged.pair.truth


def _truth_is_longer(pair: Pair) -> bool:
    left, right = len(pair.left.split()), len(pair.right.split())
    return (left > right) == (pair.truth == "left")


def _share(said: Sequence[bool], more: float = 0.0) -> float:
    return (sum(said) + more) / len(said) if said else 0.0
