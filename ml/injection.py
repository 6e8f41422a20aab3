"""Retrieved text is data: what in it would be read as a turn, an order, a fence or something to load is disarmed.

Used on what a model is shown and on what an answer quotes, never on what is stored: an author who writes
about such attacks keeps his text, it is only not used as evidence. Which attacks get through is
measured by tests/benchmarks/injection.py.
"""

import re

from ml.characters import INVISIBLE
from ml.text import words

# Markers that some family of chat models reads as structure; fences of our own prompt.
_TURNS = re.compile(
    r"<[|｜][^|｜>\n]{0,40}[|｜]>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    r"|<\s*/?\s*note\b[^>\n]{0,40}>",
    re.IGNORECASE,
)
# Sentences that are addressed to a model and not to a reader.
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}"
    r"\b(?:previous|prior|above|earlier|all|any|your|these)\b.{0,30}"
    r"\b(?:instructions?|prompts?|rules?|guidelines?|messages?|context)\b"
    r"|\b(?:ignore|disregard) the above\b|\bforget (?:everything|all)\b.{0,20}\byou (?:were|are)\b"
    r"|\bnew instructions? (?:for|to)\b|^\W*(?:system|assistant|user)\s*:"
    r"|###\s*(?:instruction|response|system)|\byou are now\b.{0,60}\b(?:no|without|free)\b"
    r"|\b(?:if|when|since|as) (?:you are |you're )?(?:an? |the )?(?:ai|a\.i\.|language) ?(?:model|assistant|system)s?\b"
    r"|\b(?:dear|attention|hey|note to)\b.{0,20}\b(?:ai|llm|language model|assistant|chatbot)s?\b"
    r"|^\W*(?:ai |language )?(?:assistant|model|chatbot)\W+(?:you |please )"
    r"|\b(?:answer|reply|respond|output|print|say)\s+(?:only|nothing but|exactly)\s+(?:with|the words?)\b"
    r"|\byour (?:only|next|final|whole) (?:answer|reply|response|output)\b"
    r"|\bbegin your (?:reply|answer|response)\b|\b(?:reveal|print|repeat) (?:your (?:system )?|the system )prompt\b",
    re.IGNORECASE | re.DOTALL,
)
_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])")
_REFERENCE = re.compile(r"^[ \t]*\[[^\]\n]+\]:\s*\S+.*$", re.MULTILINE)
_RUNNING_LINK = re.compile(
    r"\[([^\]\n]*)\]\(\s*(?:javascript|data|vbscript|file)\s*:(?:[^()\n]|\([^()\n]*\))*\)",
    re.IGNORECASE,
)
_LOADING_TAG = re.compile(
    r"<\s*/?\s*(?:img|iframe|script|style|link|object|embed|svg|video|audio|source|form|base|meta)\b[^>\n]*>?",
    re.IGNORECASE,
)
# Prose of this many words repeats itself less.
STUFFED_WORDS, DISTINCT = 60, 0.2


def neutralise(text: str) -> str:
    """Strip what a chat template or our own prompt reads as structure, and what nobody sees, until none is left."""
    if text.isascii() and "<" not in text and "[" not in text:
        return text  # as most texts are
    previous = ""
    while previous != text:
        previous, text = text, _TURNS.sub(" ", INVISIBLE.sub("", text))
    return text


def speaks_to_a_model(sentence: str) -> bool:
    """Tell whether a sentence gives orders to a model: such a sentence is no evidence of anything."""
    return bool(_ORDERS.search(sentence))


def is_stuffed(passage: str) -> bool:
    """Tell whether a passage is words for a search and no prose: it says the same few over and over."""
    said = [w.lower() for w in words(passage)]
    return len(said) >= STUFFED_WORDS and len(set(said)) / len(said) < DISTINCT


def defuse(text: str) -> str:
    """Leave of markup that loads or runs something what it says: of a picture its description, of a link its text."""
    previous = ""
    while previous != text:
        previous = text
        for pattern, left in (
            (_IMAGE, r"\1"),
            (_RUNNING_LINK, r"\1"),
            (_LOADING_TAG, ""),
            (_REFERENCE, ""),
        ):
            text = pattern.sub(left, text)
    return text
