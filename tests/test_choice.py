"""Choosing a token: from the likeliest ones only, and by a chance that goes on where it stood."""

import math

from ml.choice import COLD, Draw, choose, greedy


def test_the_likeliest_tokens_up_to_top_p_are_drawn_from() -> None:
    import torch

    logits = torch.tensor([math.log(0.6), math.log(0.3), math.log(0.1)])
    random = torch.Generator().manual_seed(1)
    draws = {choose(logits, 1.0, 0.8, random) for _ in range(200)}

    assert draws == {0, 1}
    assert {choose(logits, 1.0, 0.01, random) for _ in range(20)} == {0}
    assert {choose(logits, 0.0, 1.0, random) for _ in range(20)} == {0}


def test_nothing_is_left_to_chance_below_one_temperature_and_everything_above() -> None:
    import torch

    even = torch.tensor([1.0, 1.0 + 1e-6, 1.0])
    random = torch.Generator().manual_seed(1)
    for temperature, drawn in ((0.0, {1}), (1e-9, {1}), (COLD * 0.99, {1}), (COLD, {0, 1, 2})):
        assert {choose(even, temperature, 1.0, random) for _ in range(50)} == drawn
        assert greedy(temperature) == (drawn == {1})


def test_chance_goes_on_where_it_stood() -> None:
    import torch

    given = [torch.randn(50, generator=torch.Generator().manual_seed(n)) for n in range(9)]
    whole = Draw(1.2, 0.9, 5, None, ())
    drawn = [whole(logits) for logits in given]
    for cut in range(9):
        rest = Draw(1.2, 0.9, 5, None, drawn[:cut])
        assert [rest(logits) for logits in given[cut:]] == drawn[cut:]
