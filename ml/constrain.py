"""Hold a model to JSON: the grammar of a schema, and which tokens it allows next.

The same grammar text goes to llama.cpp, which reads it with the same library.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.conversation import Conversation

if TYPE_CHECKING:
    import torch
    from llguidance import LLTokenizer

# Blank space between tokens is where small models never end.
COMPACT = {"whitespace_flexible": False}


def grammar(schema: Mapping[str, object]) -> str:
    """Write the grammar of a JSON schema; one that cannot be followed is a ValueError that says why."""
    from llguidance import LLMatcher

    text = "%llguidance {}\nstart: %json " + json.dumps({**schema, "x-guidance": COMPACT})
    if wrong := LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(text)):
        reason = wrong.strip().splitlines()[0][:200]
        raise ValueError(f"The JSON schema cannot be followed: {reason}. Simplify it.")
    return text


class Constraint:
    """The state of one answer under a grammar."""

    def __init__(self, conversation: Conversation, schema: Mapping[str, object]) -> None:
        from llguidance import LLMatcher

        text = LLMatcher.grammar_from_lark(grammar(schema))
        self._matcher = LLMatcher(_tokens(conversation), text)

    def allow(self, logits: "torch.Tensor") -> "torch.Tensor":
        """Make every token impossible that the grammar does not allow now."""
        import torch

        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[: len(logits)].astype(bool)
        # A model may have more places than its tokenizer has tokens.
        allowed = np.pad(allowed, (0, len(logits) - len(allowed)))
        return logits.masked_fill(~torch.from_numpy(allowed), float("-inf"))

    def take(self, token: int) -> None:
        """Go on by a token that was drawn."""
        self._matcher.consume_token(token)


@lru_cache(maxsize=4)
def _tokens(conversation: Conversation) -> "LLTokenizer":
    import llguidance.hf

    tokenizer: Any = conversation.tokenizer
    return llguidance.hf.from_tokenizer(tokenizer, eos_token=conversation.ends[0])
