"""Messages to tokens: the one place where a tokenizer's chat template is applied.

Training, judging and serving take their tokens from here, so that a model is asked exactly as it
was taught. Text of a message is never read as a control token.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.packing import UNLEARNED
from ml.types import Example, Message, Preference

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Tokens that end a turn, in families whose end-of-text token is another one.
TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")
# Tokens of an answer that are kept at least when prompt and answer are too long together.
SHORTEST_ANSWER = 64
# Tokens of an answer that must fit beside a prompt for a preference to be of use.
ROOM = 16


class Conversation:
    """A tokenizer with its chat template; `folds_system` where the template refuses a system turn."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        where = tokenizer.name_or_path
        if not tokenizer.chat_template:
            raise ValueError(
                f"The base model {where} has no chat template: it was never taught to chat. Set TWIN_BASE_MODEL to its "
                "instruct version (…-Instruct, …-it), or put a chat_template.jinja into its folder."
            )
        if tokenizer.eos_token is None:
            raise ValueError(
                f"The tokenizer of {where} has no token that ends a text. Set eos_token in its tokenizer_config.json."
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.tokenizer = tokenizer
        self.folds_system = not self._accepts_system()
        self.ends = self._ends()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens that a model is given before it answers."""
        ids: Any = self.tokenizer.apply_chat_template(
            self.plain(messages),
            add_generation_prompt=True,
            sanitize_control_tokens=True,
            enable_thinking=False,
            return_dict=False,
        )
        return list(ids)

    def answer(self, text: str) -> list[int]:
        """Return the tokens of a whole answer, the one that ends the turn included."""
        return [*self.text(text), self.ends[0]]

    def text(self, text: str) -> list[int]:
        """Return the tokens of a text, none of them special."""
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return ids

    def count(self, said: str | Sequence[Message]) -> int:
        """Count the tokens of a text, or of a conversation up to the answer."""
        return len(self.text(said) if isinstance(said, str) else self.prompt(said))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without that of special ones."""
        return str(
            self.tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def plain(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """Turn messages into what chat templates read."""
        plain = [{"role": m.role, "content": m.content} for m in messages]
        if self.folds_system and len(plain) > 1 and plain[0]["role"] == "system":
            head, first, *rest = plain
            plain = [{**first, "content": f"{head['content']}\n\n{first['content']}"}, *rest]
        return plain

    def _accepts_system(self) -> bool:
        """Try the template with a system turn, and without one, which every template must take."""
        from jinja2.exceptions import TemplateError

        said = [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]
        try:
            self.tokenizer.apply_chat_template(said, tokenize=False)
        except TemplateError:
            try:
                self.tokenizer.apply_chat_template(said[1:], tokenize=False)
            except TemplateError as error:
                raise ValueError(
                    f"The chat template of {self.tokenizer.name_or_path} does not take a question: {error}. Bring "
                    "back the model's own, or another base model."
                ) from error
            return False
        return True

    def _ends(self) -> tuple[int, ...]:
        """Return the tokens that end an answer; the first is the one that this template writes."""
        known = self.tokenizer.get_added_vocab()
        written = str(self.tokenizer.chat_template)
        turns = [known[t] for t in TURN_ENDS if t in known and t in written]
        return tuple(dict.fromkeys([*turns, int(self.tokenizer.eos_token_id)]))


def load_conversation(folder: str | Path) -> Conversation:
    """Load the tokenizer of a model folder."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise ValueError(
            f"The tokenizer in {folder} cannot be read ({said}). Bring back the model's own tokenizer files."
        ) from error
    return Conversation(tokenizer)


def fit(prompt: list[int], answer: list[int], limit: int) -> tuple[list[int], list[int]]:
    """Shorten to `limit` tokens in all: first the answer's end, then the prompt's beginning."""
    answer = answer[: max(limit - len(prompt), SHORTEST_ANSWER)]
    answer = answer[: max(limit - 1, 1)]
    room = limit - len(answer)
    return prompt[-room:] if len(prompt) > room else prompt, answer


def sft_rows(
    conversation: Conversation, examples: Sequence[Example], max_length: int
) -> list[dict[str, list[int]]]:
    """Tokenize samples as the generator will see them; only the answer has labels."""
    rows = []
    for example in examples:
        prompt, answer = fit(
            conversation.prompt(example.messages[:-1]),
            conversation.answer(example.messages[-1].content),
            max_length,
        )
        labels = [UNLEARNED] * len(prompt) + answer
        rows.append({"input_ids": prompt + answer, "labels": labels})
    return rows


def sample_order(lengths: Sequence[int], batch: int, count: int, seed: int) -> list[int]:
    """Say which samples are taken, one after the other: epochs shuffled, batches of similar length.

    It is decided beforehand, so that a training that was killed goes on with what an unbroken one
    would see; the samplers of transformers draw anew. Batches of one length need little padding.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    order: list[int] = []
    while len(order) < count:
        # The first ones of an epoch fill up its last batch.
        whole = -(-len(lengths) // batch) * batch
        shuffled = np.resize(random.permutation(len(lengths)), whole)
        # Only a part is sorted at a time, so that a sample has other neighbours in every epoch.
        parts = [shuffled[i : i + 8 * batch] for i in range(0, len(shuffled), 8 * batch)]
        epoch = [i for part in parts for i in sorted(part.tolist(), key=lambda i: lengths[i])]
        batches = [epoch[i : i + batch] for i in range(0, len(epoch), batch)]
        order += [i for n in random.permutation(len(batches)) for i in batches[n]]
    return order[:count]


def dpo_rows(
    conversation: Conversation, pairs: Sequence[Preference], max_length: int
) -> list[dict[str, Any]]:
    """Turn preferences into what TRL reads, without those whose prompt leaves no room for an answer."""
    return [
        {
            "prompt": conversation.plain(p.messages),
            "chosen": [{"role": "assistant", "content": p.chosen}],
            "rejected": [{"role": "assistant", "content": p.rejected}],
            "chat_template_kwargs": {"enable_thinking": False},
        }
        for p in pairs
        if len(conversation.prompt(p.messages)) + ROOM <= max_length
    ]
