"""How a model is fine-tuned: the numbers of a training, refused in a sentence where they make no sense."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

Schedule = Literal["cosine", "linear", "constant"]
Weights = Literal["auto", "full", "4-bit"]

# What each whole number has to be at least.
LEAST = {
    "sft_steps": 1,
    "dpo_steps": 0,
    "batch": 1,
    "dpo_batch": 1,
    "max_length": 16,
    "patience": 0,
    "lora_rank": 1,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is fine-tuned. `batch` are sequences, or pairs, of one optimiser step; lengths are tokens.

    Without a `learning_rate` the one that `models.yaml` gives for the base model is taken; DPO uses
    a tenth of it. `warmup` is a share of the steps. `patience` is after how many looks at the
    held-out loss without a gain a stage ends; 0: never. `weights` are the base model's: `4-bit` is QLoRA,
    which `auto` takes on a GPU; on a CPU it saves memory and takes longer.
    """

    sft_steps: int = 120
    dpo_steps: int = 30
    batch: int = 8
    dpo_batch: int = 4
    max_length: int = 384
    learning_rate: float | None = None
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    patience: int = 2
    beta: float = 0.1
    lora_rank: int = 16
    seed: int = 7
    weights: Weights = "auto"

    def __post_init__(self) -> None:
        """Refuse what nobody can train with."""
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} of the recipe is {getattr(self, name)}; it must be {least} or more."
                )
        rate = self.learning_rate
        if rate is not None and not (rate > 0 and math.isfinite(rate)):
            raise ValueError(
                f"learning_rate of the recipe is {rate}: nothing would be learned. Give a number above 0, such as "
                "2e-4, or none for the base model's own."
            )
        if not (self.beta > 0 and 0 <= self.warmup < 1 and self.weight_decay >= 0):
            raise ValueError(
                f"beta is {self.beta} (must be above 0), warmup {self.warmup} (a share from 0, below 1), "
                f"weight_decay {self.weight_decay} (0 or more): correct the recipe."
            )
        for name, known in (("schedule", get_args(Schedule)), ("weights", get_args(Weights))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} of the recipe is {getattr(self, name)!r}; use one of {', '.join(known)}."
                )
