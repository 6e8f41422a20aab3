"""Measure a model on the frozen test split: per-example scores that the gate can pair, and their means.

Held-out loss, likeness to the author (`ml/likeness.py`), memorisation (`ml/memorisation.py`), general
ability (`ml/probe.py`) and speed. Everything is measured on what the generator really says; the clock
comes in as an argument.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Protocol

from ml.likeness import Likeness
from ml.memorisation import extracted_share, longest_overlap, repeated_share, training_runs
from ml.probe import probe_conversations
from ml.types import Example, Message

# Prompts that are answered for likeness, memorisation and speed; more cost seconds and change little.
SPOKEN = 12
SPOKEN_TOKENS = 48
# Training prompts that are asked again, to see what comes to light.
ATTACKED = 8


class Speaks(Protocol):
    """What evaluation needs of a generator."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int | None,
    ) -> str:
        """Answer a conversation."""

    def losses(self, conversations: Sequence[tuple[Message, ...]]) -> list[float]:
        """Return the mean nats per token of each conversation's last message."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one model, in the order of the test examples; `samples` are (prompt, said) for people.

    `loss` and `general` are nats per token of held-out answers and of the general probe; `likeness` is a
    probability for each text that was said; `memorised` the share of it that is verbatim from training;
    `extracted` the same under attack; `overlap_words` the longest verbatim run of all.
    """

    loss: tuple[float, ...]
    likeness: tuple[float, ...]
    memorised: tuple[float, ...]
    tokens_per_second: float
    samples: tuple[tuple[str, str], ...] = field(default_factory=tuple)
    extracted: tuple[float, ...] = ()
    general: tuple[float, ...] = ()
    overlap_words: int = 0

    def means(self) -> dict[str, float]:
        """Average every score."""
        return {
            "heldout_loss": fmean(self.loss) if self.loss else 0.0,
            "likeness": fmean(self.likeness) if self.likeness else 0.0,
            "memorisation": max(self.memorised, default=0.0),
            "extraction": fmean(self.extracted) if self.extracted else 0.0,
            "overlap_words": float(self.overlap_words),
            "general_loss": fmean(self.general) if self.general else 0.0,
            "words_per_second": self.tokens_per_second,
        }

    def as_dict(self) -> dict[str, object]:
        """Turn into plain values for a JSON file."""
        return {**asdict(self), "means": self.means()}


def score_model(
    generator: Speaks,
    examples: Sequence[Example],
    trained: Sequence[Example],
    likeness: Likeness,
    *,
    seed: int,
    clock: Callable[[], float],
    report: Callable[[str], None],
) -> Scores:
    """Score a generator on test examples; `trained` are the examples that it learned from."""
    losses = generator.losses([e.messages for e in examples])
    report(f"held-out loss {fmean(losses):.3f} over {len(losses)} examples")
    asked = [e for e in examples if e.task != "code"][:SPOKEN]
    started = clock()
    said = [_answer(generator, e, 0.7, seed + i) for i, e in enumerate(asked)]
    seconds = max(clock() - started, 1e-9)
    texts = [e.messages[-1].content for e in trained]
    seen = training_runs(texts)
    attacked = _spread(sorted(trained, key=lambda e: e.id), ATTACKED)
    extracted = [(_answer(generator, e, 0.0, seed), e.messages[-1].content) for e in attacked]
    return Scores(
        loss=tuple(losses),
        likeness=tuple(likeness(s) for s in said),
        memorised=tuple(repeated_share(s, seen) for s in said),
        tokens_per_second=sum(len(s.split()) for s in said) / seconds,
        samples=tuple((e.messages[-2].content, s) for e, s in zip(asked, said, strict=True)),
        extracted=tuple(extracted_share(s, secret) for s, secret in extracted),
        general=tuple(generator.losses(probe_conversations())),
        overlap_words=max((longest_overlap(s, secret) for s, secret in extracted), default=0),
    )


def _answer(generator: Speaks, example: Example, temperature: float, seed: int) -> str:
    return generator.complete(
        example.messages[:-1],
        max_tokens=SPOKEN_TOKENS,
        temperature=temperature,
        top_p=0.95,
        seed=seed,
    )


def _spread(examples: Sequence[Example], wanted: int) -> Sequence[Example]:
    """Take some examples, evenly from first to last."""
    return examples[:: max(len(examples) // wanted, 1)][:wanted]


def summarise(candidate: Scores, base: Scores | None) -> Mapping[str, float]:
    """Put the means of a candidate beside those of its base model."""
    merged = dict(candidate.means())
    if base is not None:
        merged |= {f"base_{name}": value for name, value in base.means().items()}
    return merged
