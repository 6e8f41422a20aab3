"""Sequences side by side in the rows of one batch, none of which sees another.

Positions begin anew with every sequence, and there is no attention mask: the models of transformers
then make one from the positions, so that what is packed learns exactly as it would alone. Logits are made for
answer tokens only.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# The label of a token that is not learned.
UNLEARNED = -100


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Put sequences into as few rows of `width` tokens as first-fit finds, the longest first."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        fitting = next((r for r, left in enumerate(room) if left >= lengths[index]), None)
        if fitting is None:
            rows.append([])
            room.append(max(width, lengths[index]))
            fitting = len(rows) - 1
        rows[fitting].append(index)
        room[fitting] -= lengths[index]
    return rows


def collate(
    samples: Sequence[Mapping[str, list[int]]], width: int, pad: int
) -> "dict[str, torch.Tensor]":
    """Make one batch of samples with `input_ids` and `labels`; padding comes last in a row, so that nobody sees it."""
    import torch

    rows = pack([len(s["input_ids"]) for s in samples], width)
    longest = max(sum(len(samples[i]["input_ids"]) for i in row) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    labels = torch.full((len(rows), longest), UNLEARNED)
    positions = torch.arange(longest).repeat(len(rows), 1)
    for number, row in enumerate(rows):
        start = 0
        for index in row:
            end = start + len(samples[index]["input_ids"])
            ids[number, start:end] = torch.tensor(samples[index]["input_ids"])
            labels[number, start:end] = torch.tensor(samples[index]["labels"])
            # Else the last token of the sequence before would foretell it.
            labels[number, start] = UNLEARNED
            positions[number, start:] = torch.arange(longest - start)
            start = end
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def answer_loss(model: Any, head: Any, batch: "Mapping[str, torch.Tensor]") -> "torch.Tensor":
    """Sum the losses of the answers' tokens, in nats; `head` is the model's output layer."""
    import torch

    labels = batch["labels"][:, 1:]
    wanted = labels != UNLEARNED

    def keep(_: object, given: tuple["torch.Tensor", ...]) -> tuple["torch.Tensor"]:
        return (given[0][:, :-1][wanted].unsqueeze(0),)

    # Before the output layer, so that whatever a family does to its logits is done to these.
    hook = head.register_forward_pre_hook(keep)
    try:
        said = {name: batch[name] for name in ("input_ids", "position_ids")}
        logits = model(**said, use_cache=False).logits[0]
    finally:
        hook.remove()
    return torch.nn.functional.cross_entropy(logits.float(), labels[wanted], reduction="sum")
