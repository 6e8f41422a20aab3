"""Measure a model on frozen material: per-example scores that the gate can pair, and their means.

Held-out loss, likeness to the author (`ml/likeness.py`), groundedness (`ml/groundedness.py`), memorisation
(`ml/memorisation.py`), attacks (`ml/attacks.py`), general ability (`ml/probe.py`) and speed. Everything is
measured on what the generator really says; the clock comes in as an argument.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Protocol

from ml.attacks import attacks, is_private
from ml.likeness import Likeness
from ml.memorisation import (
    expose,
    extracted_share,
    longest_overlap,
    repeated_share,
    training_runs,
)
from ml.probe import probe_conversations
from ml.types import Example, Message

# Prompts that are answered for likeness, memorisation and speed; more cost seconds and change little.
SPOKEN = 12
SPOKEN_TOKENS = 48
# As the endpoint speaks, unless it is told otherwise.
SPOKEN_TEMPERATURE = 0.7
# Training prompts that are asked again, to see what comes to light.
ATTACKED = 8
# Tokens of an answer whose sentences are held against passages, and of one to an attack: who gives in does so at once.
ANSWER_TOKENS, ATTACK_TOKENS = 32, 16


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

    def count_tokens(self, said: str) -> int:
        """Count the tokens of a text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the answer path renders it, and the passages that it shows."""

    messages: tuple[Message, ...]
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """What models are measured on, the same for all that are compared, and how texts are judged.

    `trained` are the examples that the candidate learned from; `allowed` is what is personal and may be said.
    """

    tested: Sequence[Example]
    trained: Sequence[Example]
    likeness: Likeness
    asked: Sequence[Asked] = ()
    support: Callable[[str, Sequence[str]], float] = lambda said, passages: 0.0
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one model, in the order of the test examples; `samples` are (prompt, said) for people.

    `loss` and `general` are nats per token of held-out answers and of the general probe; `likeness` is a
    probability for each text that was said; `memorised` the share of it that is verbatim from training;
    `extracted` the same under attack; `overlap_words` the longest verbatim run of all; `grounded` how much
    of each answer its passages support; `unsafe` 1 for each attack that worked and each answer that told
    something private; `seconds` what each spoken text took, by the clock that was given (on a machine without
    a GPU, seconds of the processors), `tokens` how long it is. `tokens_per_second` counts words. `exposed` are the bits
    by which each canary that was planted in its training stands out; empty where none was.
    """

    loss: tuple[float, ...]
    likeness: tuple[float, ...]
    memorised: tuple[float, ...]
    tokens_per_second: float
    samples: tuple[tuple[str, str], ...] = field(default_factory=tuple)
    extracted: tuple[float, ...] = ()
    general: tuple[float, ...] = ()
    overlap_words: int = 0
    grounded: tuple[float, ...] = ()
    unsafe: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()
    model_tokens_per_second: float = 0.0
    exposed: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()

    def means(self) -> dict[str, float]:
        """Average every score."""
        return {
            "heldout_loss": fmean(self.loss) if self.loss else 0.0,
            "likeness": fmean(self.likeness) if self.likeness else 0.0,
            "grounded": fmean(self.grounded) if self.grounded else 0.0,
            "memorisation": max(self.memorised, default=0.0),
            "extraction": fmean(self.extracted) if self.extracted else 0.0,
            "overlap_words": float(self.overlap_words),
            "unsafe": fmean(self.unsafe) if self.unsafe else 0.0,
            "general_loss": fmean(self.general) if self.general else 0.0,
            "words_per_second": self.tokens_per_second,
            "tokens_per_second": self.model_tokens_per_second,
            "seconds_mean": fmean(self.seconds) if self.seconds else 0.0,
            "seconds_worst": max(self.seconds, default=0.0),
            **({"exposure": max(self.exposed)} if self.exposed else {}),
        }

    def as_dict(self) -> dict[str, object]:
        """Turn into plain values for a JSON file."""
        return {**asdict(self), "means": self.means()}


def score_model(
    generator: Speaks,
    material: Material,
    *,
    seed: int,
    clock: Callable[[], float],
    report: Callable[[str], None],
    planted: Sequence[tuple[Message, ...]] = (),
) -> Scores:
    """Score a generator on everything in the material, and on the canaries that were `planted` in its training."""
    losses = generator.losses([e.messages for e in material.tested])
    report(f"held-out loss {fmean(losses):.3f} over {len(losses)} examples")
    spoken = [e for e in material.tested if e.task != "code"][:SPOKEN]
    said, seconds = _speak(generator, spoken, seed, clock)
    answers = [
        _say(generator, a.messages, SPOKEN_TEMPERATURE, seed + n, ANSWER_TOKENS)
        for n, a in enumerate(material.asked)
    ]
    seen = training_runs(e.messages[-1].content for e in material.trained)
    extracted = _extract(generator, material.trained, seed)
    passed, tokens = max(sum(seconds), 1e-9), [generator.count_tokens(s) for s in said]
    return Scores(
        loss=tuple(losses),
        likeness=tuple(material.likeness(s) for s in said),
        memorised=tuple(repeated_share(s, seen) for s in said),
        tokens_per_second=sum(len(s.split()) for s in said) / passed,
        samples=tuple((e.messages[-2].content, s) for e, s in zip(spoken, said, strict=True)),
        extracted=tuple(extracted_share(s, secret) for s, secret in extracted),
        general=tuple(generator.losses(probe_conversations())),
        overlap_words=max((longest_overlap(s, secret) for s, secret in extracted), default=0),
        grounded=tuple(
            material.support(s, a.passages) for s, a in zip(answers, material.asked, strict=True)
        ),
        unsafe=_unsafe(generator, seed, [*said, *answers], material.allowed),
        seconds=tuple(seconds),
        model_tokens_per_second=sum(tokens) / passed,
        exposed=expose(generator.losses, planted),
        tokens=tuple(tokens),
    )


def in_tokens_of(
    scores: Scores,
    tested: Sequence[Example],
    own: Callable[[str], int],
    other: Callable[[str], int],
) -> Scores:
    """Give a model's losses in nats per token of another tokenizer, `own` and `other` count an answer's tokens.

    Models that cut texts otherwise are compared by the nats of whole answers; per token of their own, the one
    with the shorter tokens would always win. What it said is counted in those tokens too, without the end.
    """

    def turned(losses: Sequence[float], answers: Sequence[str]) -> tuple[float, ...]:
        return tuple(x * own(a) / other(a) for x, a in zip(losses, answers, strict=True))

    return replace(
        scores,
        loss=turned(scores.loss, [e.messages[-1].content for e in tested]),
        general=turned(scores.general, [c[-1].content for c in probe_conversations()]),
        tokens=tuple(other(said) - 1 for _, said in scores.samples),
    )


def _speak(
    generator: Speaks, examples: Sequence[Example], seed: int, clock: Callable[[], float]
) -> tuple[list[str], list[float]]:
    """Answer prompts aloud, each on the clock."""
    said, seconds = [], []
    for number, example in enumerate(examples):
        started = clock()
        asked = example.messages[:-1]
        said.append(_say(generator, asked, SPOKEN_TEMPERATURE, seed + number, SPOKEN_TOKENS))
        seconds.append(clock() - started)
    return said, seconds


def _say(
    generator: Speaks, messages: Sequence[Message], temperature: float, seed: int, tokens: int
) -> str:
    return generator.complete(
        messages, max_tokens=tokens, temperature=temperature, top_p=0.95, seed=seed
    )


def _unsafe(
    generator: Speaks, seed: int, said: Sequence[str], allowed: frozenset[str]
) -> tuple[float, ...]:
    """Attack a model, and look through whatever else it said for what is private."""
    tried = attacks()
    answers = [_say(generator, a.messages, 0.0, seed, ATTACK_TOKENS) for a in tried]
    worked = [a.succeeded(s, allowed) for a, s in zip(tried, answers, strict=True)]
    return tuple(float(x) for x in (*worked, *(is_private(s, allowed) for s in said)))


def _extract(generator: Speaks, trained: Sequence[Example], seed: int) -> list[tuple[str, str]]:
    """Ask some training prompts again; returns what is said beside what was taught."""
    attacked = _spread(sorted(trained, key=lambda e: e.id), ATTACKED)
    said = [_say(generator, e.messages[:-1], 0.0, seed, SPOKEN_TOKENS) for e in attacked]
    return [(s, e.messages[-1].content) for s, e in zip(said, attacked, strict=True)]


def _spread(examples: Sequence[Example], wanted: int) -> Sequence[Example]:
    """Take some examples, evenly from first to last."""
    return examples[:: max(len(examples) // wanted, 1)][:wanted]


def summarise(candidate: Scores, base: Scores | None) -> Mapping[str, float]:
    """Put the means of a candidate beside those of its base model."""
    merged = dict(candidate.means())
    if base is not None:
        merged |= {f"base_{name}": value for name, value in base.means().items()}
    return merged
