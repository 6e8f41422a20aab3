"""A Hugging Face tokenizer as fields of a GGUF file, for byte-level BPE, whose ids come out the same.

Prompts are always tokenized by the model's own tokenizer; llama.cpp needs the vocabulary to turn
tokens into text and to follow a grammar. What cannot be carried over exactly is refused.
"""

import json
from typing import TYPE_CHECKING, Any

from ml.conversation import Conversation

if TYPE_CHECKING:
    from gguf import GGUFWriter

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# How a text is cut before merging, and what llama.cpp calls that.
CUTS = {
    ("ByteLevel:regex",): "gpt-2",
    ("Digits:individual", "ByteLevel:regex"): "smollm",
    ("Split:" + LETTERS % r"\p{N}{1,3}", "ByteLevel"): "llama-bpe",
    ("Split:" + LETTERS % r"\p{N}", "ByteLevel"): "qwen2",
}


class Unconvertible(ValueError):
    """Raised for a model that has no exact GGUF here; another engine must run it."""


def add_tokenizer(writer: "GGUFWriter", conversation: Conversation, size: int) -> None:
    """Write a tokenizer with a vocabulary of `size` tokens, those that no text has included."""
    tokenizer = conversation.tokenizer
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    model = described["model"]
    cut = _cut(described)
    _check_merging(model, cut)
    names = {i: token for token, i in tokenizer.get_vocab().items()}
    added = {t["id"]: t["special"] for t in described["added_tokens"]}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list([names.get(i, f"[PAD{i}]") for i in range(size)])
    writer.add_token_types([_kind(i, names, added) for i in range(size)])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    writer.add_add_bos_token(False)
    writer.add_pad_token_id(int(tokenizer.pad_token_id))


def _kind(token: int, names: dict[int, str], added: dict[int, bool]) -> int:
    if token not in names:
        return UNUSED
    if token not in added:
        return NORMAL
    return CONTROL if added[token] else USER_DEFINED


def _cut(described: dict[str, Any]) -> str:
    """Name the way in which a text is cut into words, or refuse one that llama.cpp may not know."""
    normalizer = (described.get("normalizer") or {}).get("type", "none")
    cutter = described.get("pre_tokenizer") or {"type": "none"}
    steps = cutter.get("pretokenizers", [cutter])
    found = tuple(_step(s) for s in steps)
    if normalizer not in ("none", "NFC") or found not in CUTS:
        raise Unconvertible(
            f"its tokenizer normalizes by {normalizer} and cuts texts by {', '.join(found)[:120]}, "
            "which has no known GGUF form"
        )
    return CUTS[found]


def _step(step: dict[str, Any]) -> str:
    """Describe one step of cutting by what makes a difference."""
    kind = str(step["type"])
    if kind == "Split":
        plain = step["behavior"] == "Isolated" and not step["invert"]
        return f"Split:{step['pattern'].get('Regex', '')}" if plain else "Split:other"
    if kind == "Digits":
        return "Digits:individual" if step["individual_digits"] else "Digits"
    if kind == "ByteLevel" and not step["add_prefix_space"]:
        return "ByteLevel:regex" if step.get("use_regex", True) else "ByteLevel"
    return f"{kind}:other"


def _check_merging(model: dict[str, Any], cut: str) -> None:
    odd = [
        k for k in ("dropout", "continuing_subword_prefix", "end_of_word_suffix") if model.get(k)
    ]
    odd += ["byte_fallback"] * bool(model.get("byte_fallback"))
    # llama.cpp takes a whole word that is a token as it is for this family, and for no other.
    odd += ["ignore_merges"] * (bool(model.get("ignore_merges")) != (cut == "llama-bpe"))
    if model["type"] != "BPE" or odd:
        raise Unconvertible(
            f"its tokenizer is {model['type']} with {', '.join(odd) or 'no merges'}"
        )
