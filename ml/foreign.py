"""Judge samples that name no source, as other people's datasets hold them, by the texts beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ml.grounding import best_support, mean_support
from ml.negatives import bias_of
from ml.splits import repeats
from ml.text import words

# Share of the answers that must stand in the documents, and of the pairs that length may give away.
GROUNDED, BY_LENGTH = 1.0, 0.6


class Judged(TypedDict):
    """What was found; `reasons` are sentences, and there are none where a dataset is accepted."""

    accepted: bool
    reasons: list[str]
    instruct: Mapping[str, float]
    preference: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sample as it was found; `rejected` is None where it is no preference pair."""

    asked: str
    answer: str
    rejected: str | None
    split: str


def judge_claims(claims: Sequence[Claim], documents: Sequence[str], leak_words: int) -> Judged:
    """Count what is grounded, tied, leaked and told by length, for samples and pairs each."""
    samples = [c for c in claims if c.rejected is None]
    pairs = [c for c in claims if c.rejected is not None]
    found = {
        "instruct": _counts(samples, documents, leak_words) if samples else {},
        "preference": _counts(pairs, documents, leak_words) | _ties(pairs) if pairs else {},
    }
    reasons = [f"{kind}: {said}" for kind, counts in found.items() for said in _reasons(counts)]
    return Judged(
        accepted=not reasons,
        reasons=reasons,
        instruct=found["instruct"],
        preference=found["preference"],
    )


def _counts(claims: Sequence[Claim], documents: Sequence[str], leak_words: int) -> dict[str, float]:
    tests = [c for c in claims if c.split == "test"]
    trained = [c for c in claims if c.split != "test"]
    asked = {_plain(c.asked) for c in trained}
    said = repeats([c.answer for c in tests], [c.answer for c in trained], leak_words)
    return {
        "samples": len(claims),
        **mean_support(best_support([c.answer for c in claims], documents)),
        "empty": sum(not c.answer.strip() for c in claims),
        "test": len(tests),
        "test_asked_in_train": sum(_plain(c.asked) in asked for c in tests),
        "test_said_in_train": sum(said),
    }


def _ties(pairs: Sequence[Claim]) -> dict[str, float]:
    both = [(p.answer, p.rejected or "") for p in pairs]
    bias = bias_of(both)
    return {
        "ties": sum(words(chosen) == words(rejected) for chosen, rejected in both),
        "length_difference": round(bias.difference, 4),
        "length_accuracy": round(bias.accuracy, 4),
    }


def _reasons(counts: Mapping[str, float]) -> list[str]:
    """Say in words what stands against samples of one kind."""
    if not counts:
        return []
    of, test = int(counts["samples"]), int(counts["test"])
    found = []
    if counts["grounded"] < GROUNDED * of:
        found.append(f"{int(counts['grounded'])} of {of} answers stand in a document.")
    if counts["empty"]:
        found.append(f"{int(counts['empty'])} of {of} answers are empty.")
    if counts.get("ties"):
        found.append(f"{int(counts['ties'])} of {of} pairs reject what they choose.")
    if counts["test_asked_in_train"]:
        asked = int(counts["test_asked_in_train"])
        found.append(f"{asked} of {test} test instructions are also in train.")
    if counts["test_said_in_train"]:
        said = int(counts["test_said_in_train"])
        found.append(f"{said} of {test} test answers repeat a run of words of train.")
    if counts.get("length_accuracy", 0.5) > BY_LENGTH:
        found.append(
            f"the longer text tells the chosen one in {counts['length_accuracy']:.0%} of pairs."
        )
    return found


def _plain(text: str) -> str:
    return " ".join(text.split())
