"""Packed sequences: none sees another, each learns what it would alone, and little room is left over."""

from pathlib import Path
from typing import Any

import pytest
from samples import examples

from ml.conversation import load_conversation, sft_rows
from ml.generate import load_base, load_generator
from ml.packing import collate, pack

Rows = list[dict[str, list[int]]]


@pytest.fixture(scope="module")
def rows(tiny_base: Path) -> Rows:
    """Make sequences of unlike lengths."""
    whole = sft_rows(load_conversation(tiny_base), examples(6), 512)
    return [{k: v[: len(v) - 3 * n] for k, v in row.items()} for n, row in enumerate(whole)]


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> Any:
    return load_base(str(tiny_base)).eval()


def losses(model: Any, rows: Rows, width: int) -> list[list[float]]:
    """Return the losses of each sequence's answer tokens, in a batch of rows of this width."""
    import torch

    batch = collate(rows, width, 0)
    places = list(pack([len(r["input_ids"]) for r in rows], width))
    with torch.no_grad():
        logits = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
        ).logits
    found: list[list[float]] = [[] for _ in rows]
    for number, row in enumerate(places):
        start = 0
        for index in row:
            for at, label in enumerate(rows[index]["labels"], start):
                if label != -100:
                    chances = logits[number, at - 1].log_softmax(-1)
                    found[index].append(-float(chances[label]))
            start += len(rows[index]["input_ids"])
    return found


def test_first_fit_fills_rows_and_a_sequence_that_is_too_long_has_one_of_its_own() -> None:
    assert pack([3, 9, 5, 2, 7], 10) == [[1], [4, 0], [2, 3]]
    assert pack([30, 4, 4], 10) == [[0], [1, 2]]
    assert pack([], 10) == []


def test_positions_begin_anew_and_only_answers_have_labels() -> None:
    samples = [
        {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]},
        {"input_ids": [5, 6, 7], "labels": [5, -100, 7]},
        {"input_ids": [8, 9], "labels": [-100, 9]},
    ]
    batch = {name: values.tolist() for name, values in collate(samples, 7, 99).items()}

    assert batch["input_ids"] == [[1, 2, 3, 4, 5, 6, 7], [8, 9, 99, 99, 99, 99, 99]]
    assert batch["position_ids"] == [[0, 1, 2, 3, 0, 1, 2], [0, 1, 2, 3, 4, 5, 6]]
    # Nothing before it in its sequence foretells a first token.
    assert batch["labels"] == [[-100, -100, 3, 4, -100, -100, 7], [-100, 9] + [-100] * 5]


def test_packed_or_alone_every_token_has_the_same_loss(model: Any, rows: Rows) -> None:
    alone = [losses(model, [row], 1)[0] for row in rows]
    packed, padded = losses(model, rows, 400), losses(model, rows, 1)

    fewer = len(collate(rows, 400, 0)["input_ids"])
    assert fewer < len(collate(rows, 1, 0)["input_ids"]) == len(rows)
    for ours, padded_ones, wanted in zip(packed, padded, alone, strict=True):
        assert len(wanted) > 5
        assert ours == pytest.approx(wanted, abs=1e-4)
        assert padded_ones == pytest.approx(wanted, abs=1e-4)


def test_what_stands_beside_a_sequence_changes_nothing_of_it(model: Any, rows: Rows) -> None:
    strange = [(t * 7 + 11) % 1000 for t in rows[0]["input_ids"]]
    other = {**rows[0], "input_ids": strange}
    first, second = (losses(model, [near, rows[1]], 400) for near in (rows[0], other))

    assert len(collate([other, rows[1]], 400, 0)["input_ids"]) == 1
    assert first[0] != pytest.approx(second[0], abs=0.1)
    assert first[1] == pytest.approx(second[1], abs=1e-5)


def test_the_loss_of_an_answer_is_the_one_that_judging_measures(
    model: Any, tiny_base: Path
) -> None:
    samples = examples(4)
    rows = sft_rows(load_conversation(tiny_base), samples, 512)
    ours = [sum(row) / len(row) for row in losses(model, rows, 300)]

    judged = load_generator(str(tiny_base), None).losses([e.messages for e in samples])
    assert ours == pytest.approx(judged, abs=1e-4)
