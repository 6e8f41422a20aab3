"""Samples for fine-tuning in tests: short answers in one voice, so that a few steps are enough to learn it."""

from collections.abc import Mapping
from dataclasses import replace

from ml.types import Example, Message, Preference, Span

SPAN = Span("d1", "r1", 0, 10)
SYSTEM = Message("system", "You are the writing twin of Maren Oduya.")


def asked(number: int) -> tuple[Message, ...]:
    """Ask one of many much alike questions."""
    return SYSTEM, Message("user", f"What about rope number {number}?")


def answered(number: int) -> str:
    """Answer it in the voice that is to be learned."""
    return f"Rope {number} looked sound; I checked it on a Tuesday, and it was not."


def examples(count: int = 24) -> list[Example]:
    """Make samples, every sixth held out."""
    return [
        Example(
            (*asked(n), Message("assistant", answered(n))),
            SPAN,
            "answer",
            "test" if n % 6 == 5 else "train",
        )
        for n in range(count)
    ]


def preferences(count: int = 12) -> list[Preference]:
    """Make pairs: the voice, and the same without it."""
    return [
        Preference(
            asked(n),
            answered(n),
            f"Rope {n} was inspected. It was found to be defective.",
            SPAN,
            "flattened",
            "train",
        )
        for n in range(count)
    ]


def spread(count: int = 24) -> list[Example]:
    """Make such samples of many documents, two of each, that are no kin of one another; every sixth is held out."""
    return [
        replace(
            e,
            span=Span(f"d{n % 6}-{n // 12}", "r1", 0, 10),
            messages=(
                *asked(n),
                Message("assistant", f"Rope {n} looked sound; I saw {n}, and it was not."),
            ),
        )
        for n, e in enumerate(examples(count))
    ]


def spread_pairs(count: int = 12) -> list[Preference]:
    """Make such pairs of the training documents among these."""
    return [
        replace(p, span=Span(f"d{n % 5}-{n // 6}", "r1", 0, 10))
        for n, p in enumerate(preferences(count))
    ]


class Notebook:
    """A run that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.summed: dict[str, object] = {}

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.steps.append((step, values))

    def summary(self, values: Mapping[str, object]) -> None:
        self.summed |= values
