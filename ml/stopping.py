"""When a training should end, and what its held-out losses say about it, in words. Pure functions over numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

# Nats per token that count as a gain, and a fall over the last stretch that asks for more steps.
GAIN, FALLING = 0.002, 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """The held-out loss after so many steps, in nats per token; of DPO, in nats per pair."""

    step: int
    loss: float


def best_look(looks: Sequence[Look]) -> Look:
    """Return the look with the lowest loss; of equal ones the first."""
    return min(looks, key=lambda look: look.loss)


def has_stalled(looks: Sequence[Look], patience: int) -> bool:
    """Tell whether the last `patience` looks all failed to gain on the best one before them."""
    if not patience or len(looks) <= patience:
        return False
    before = best_look(looks[:-patience]).loss
    return all(look.loss > before - GAIN for look in looks[-patience:])


def tell(looks: Sequence[Look], done: int, steps: int) -> str:
    """Say in a sentence how a stage ended after `done` of its steps."""
    if not looks:
        return f"ran all {steps} steps; nothing is held out of the training that could tell more"
    best, last = best_look(looks), looks[-1]
    if done < steps:
        how = "rose" if last.loss > best.loss + GAIN else "fell no further"
        return (
            f"stopped early at step {done} of {steps}: the held-out loss {how} "
            f"({best.loss:.3f} at step {best.step}, {last.loss:.3f} now); the adapter of step {best.step} is kept"
        )
    if best.step < last.step:
        return (
            f"ran all {steps} steps; the held-out loss was lowest at step {best.step} ({best.loss:.3f}, "
            f"{last.loss:.3f} at the end), whose adapter is kept: longer training would overfit"
        )
    if len(looks) > 1 and looks[-2].loss - last.loss > FALLING:
        return (
            f"still falling at the last step, {steps} ({looks[-2].loss:.3f} at step {looks[-2].step}, {last.loss:.3f} "
            "now): underfitted, more steps or a higher learning rate would help"
        )
    return f"levelled off: the held-out loss is {last.loss:.3f} after all {steps} steps"
