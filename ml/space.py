"""What a search for a recipe varies, and on which samples it judges: never on the test split.

A space is a name (`rate`, `small`, `wide`) or JSON: `{"learning_rate": {"low": 1e-4, "high": 1e-2,
"log": true}, "lora_rank": {"choices": [8, 16]}}`, by the fields of `Recipe`.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ml.splits import decontaminate
from ml.train import Recipe
from ml.types import Example, Preference

Value = float | int | str

# A held-out loss says what a model has learned of the author, not which of two answers it prefers.
NOT_JUDGED = {"dpo_steps", "dpo_batch", "beta", "seed"}
# From a quarter of the base model's own learning rate to four times it.
AROUND = 4.0
SPACES: dict[str, dict[str, list[Value]]] = {
    "rate": {},
    "small": {"lora_rank": [4, 8, 16, 32]},
    "wide": {"lora_rank": [4, 8, 16, 32, 64], "batch": [4, 8, 16], "max_length": [256, 384, 512]},
}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number of a recipe that is varied: among `choices`, or from `low` to `high`."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Value, ...] = ()


Space = Mapping[str, Dimension]


def read_space(text: str, rate: float) -> dict[str, Dimension]:
    """Read a space by its name or from JSON; `rate` is the learning rate of the base model."""
    if text in SPACES:
        around = Dimension(rate / AROUND, rate * AROUND, log=True)
        listed = {k: Dimension(choices=tuple(v)) for k, v in SPACES[text].items()}
        return {"learning_rate": around, **listed}
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not given:
        raise ValueError(
            f"The space {text!r} is neither {', '.join(SPACES)} nor a JSON object that says, by fields of the "
            'recipe, what to try: {"lora_rank": {"choices": [8, 16]}}.'
        )
    return {name: _dimension(name, values) for name, values in given.items()}


def _dimension(name: str, values: Any) -> Dimension:
    allowed = sorted({f.name for f in fields(Recipe)} - NOT_JUDGED)
    if name not in allowed:
        why = "cannot be judged by a held-out loss" if name in NOT_JUDGED else "is none of a recipe"
        raise ValueError(f"{name!r} {why}; vary some of {', '.join(allowed)}.")
    try:
        made = Dimension(**values)
        made = replace(made, choices=tuple(made.choices))
        whole = bool(made.choices) or float(made.low) < float(made.high)
    except (TypeError, ValueError):
        whole = False
    if not whole or (made.log and not made.choices and made.low <= 0):
        raise ValueError(
            f"What to try as {name!r} is {values!r}. Say "
            '{"low": 1, "high": 9} (with "log": true for a scale by powers, above 0) or {"choices": [1, 2]}.'
        )
    return made


def varied(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """Return a recipe with some of its numbers replaced."""
    return Recipe(**{**asdict(recipe), **values})


def described(space: Space) -> dict[str, str]:
    """Say in words what is varied."""
    return {
        name: " or ".join(map(str, d.choices))
        if d.choices
        else f"{d.low:g} to {d.high:g}{' by powers' if d.log else ''}"
        for name, d in space.items()
    }


def hold_out(
    examples: Sequence[Example],
    preferences: Sequence[Preference],
    share: float,
    seed: int,
    leak_words: int,
) -> tuple[list[Example], list[Preference]]:
    """Make of the training part of a dataset one for training and one for judging (its `test`), by documents.

    What the dataset itself holds out for its test does not occur in either.
    """
    training = [e for e in examples if e.split == "train"]
    documents = sorted({e.span.document_id for e in training})
    if len(documents) < 2:
        raise ValueError(
            f"The training part of the dataset comes from {len(documents)} documents; a search needs two, one to "
            "learn from and one to judge on. Add texts and build the dataset again."
        )
    random.Random(seed).shuffle(documents)
    judged = set(documents[: min(max(round(share * len(documents)), 1), len(documents) - 1)])
    parted = [
        replace(e, split="test" if e.span.document_id in judged else "train") for e in training
    ]
    parted = decontaminate(parted, leak_words)
    if not any(e.split == "train" for e in parted):
        raise ValueError(
            f"Every training sample shares {leak_words} words in a row with one of the {len(judged)} documents that "
            "would judge it: nothing is left to learn from. Add texts that differ, or raise TWIN_LEAK_WORDS."
        )
    pairs = [p for p in preferences if p.split == "train" and p.span.document_id not in judged]
    return parted, pairs
