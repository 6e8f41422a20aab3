"""Choose the next token from its logits: the likeliest, or one drawn by a seed; only what a grammar allows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ml.constrain import Constraint

if TYPE_CHECKING:
    import torch

# Temperatures below are zero for every engine: dividing by the smallest overflows, and vLLM would draw at this one.
COLD = 0.01


def greedy(temperature: float) -> bool:
    """Tell whether a temperature leaves nothing to chance: always the likeliest token is taken."""
    return temperature < COLD


class Draw:
    """How the next token is chosen from the logits of one answer, of which some tokens were `said` before."""

    def __init__(
        self,
        temperature: float,
        top_p: float,
        seed: int | None,
        constraint: Constraint | None,
        said: Sequence[int],
    ) -> None:
        import torch

        self._how = temperature, top_p
        self._random = torch.Generator(device="cpu")
        self._random.seed() if seed is None else self._random.manual_seed(seed % 2**63)
        self._constraint = constraint
        self._missed = len(said)
        if constraint:
            for token in said:
                constraint.take(token)

    def __call__(self, logits: "torch.Tensor") -> int:
        """Choose a token."""
        # Chance goes on where it stood: every token that was said took one draw, whatever it was.
        while self._missed:
            choose(logits.new_zeros(logits.shape), *self._how, self._random)
            self._missed -= 1
        if self._constraint is None:
            return choose(logits, *self._how, self._random)
        token = choose(self._constraint.allow(logits), *self._how, self._random)
        self._constraint.take(token)
        return token


def choose(
    logits: "torch.Tensor", temperature: float, top_p: float, random: "torch.Generator"
) -> int:
    """Draw a token from the smallest set of likeliest ones whose probabilities reach `top_p`; ValueError for NaN."""
    import torch

    best = int(logits.argmax())  # which is NaN where there is one
    if logits[best].isnan():
        raise ValueError("The model's logits are no numbers (NaN): its weights are damaged.")
    if greedy(temperature):
        return best
    likely, tokens = torch.softmax(logits / temperature, dim=-1).sort(descending=True)
    # The token that crosses the border belongs to the set, so the first one always does.
    likely[likely.cumsum(0) - likely >= top_p] = 0
    return int(tokens[torch.multinomial(likely, 1, generator=random)])
