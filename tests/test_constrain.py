"""Held to JSON: whatever the model would rather say, what comes out follows the schema."""

import json

import pytest

from ml.constrain import Constraint, grammar
from ml.conversation import load_conversation


@pytest.fixture(scope="module")
def conversation(tiny_base):
    return load_conversation(tiny_base)


def follow(conversation, schema, said):
    """Say whether every token of a text is allowed in its turn, and the end after it."""
    import torch

    constraint = Constraint(conversation, schema)
    for token in [*conversation.text(said), conversation.ends[0]]:
        if constraint.allow(torch.zeros(1100))[token] != 0:
            return False
        constraint.take(token)
    return True


def test_only_what_follows_the_schema_is_allowed(conversation):
    schema = {"type": "object", "properties": {"a": {"enum": ["yes", "no"]}}, "required": ["a"]}

    assert follow(conversation, schema, '{"a":"yes"}')
    assert not follow(conversation, schema, '{"a":"maybe"}')
    assert not follow(conversation, schema, '{"a":"yes"')
    assert not follow(conversation, schema, "Of course: {}")
    assert follow(conversation, {"type": "object"}, json.dumps({"x": [1]}, separators=(",", ":")))


def test_places_without_a_token_are_never_drawn(conversation):
    import torch

    allowed = Constraint(conversation, {"type": "object"}).allow(torch.zeros(1100))

    assert torch.isinf(allowed[len(conversation.tokenizer) :]).all()


def test_a_schema_that_is_none_is_refused_in_words():
    with pytest.raises(ValueError, match="cannot be followed: .*objec"):
        grammar({"type": "objec"})
