"""What a model carries with it besides its weights: the prompt that it was taught, and how it counts tokens."""

import logging
from dataclasses import dataclass

from include import registry
from include.settings import Settings
from ml.compress import Count
from ml.files import read_json
from ml.prompts import Prompt, from_values, read_prompt

log = logging.getLogger(__name__)

# Characters of a token where no tokenizer is at hand: fewer than in most languages, so that prompts stay short.
CHARACTERS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Carried:
    """A model's prompt and its count of tokens."""

    prompt: Prompt
    count: Count


def read_carried(settings: Settings, model_id: str) -> Carried:
    """Read what a model carries; without a model, this installation's prompt and an estimate."""
    if not model_id:
        return Carried(read_prompt(), estimate)
    folder = registry.model_folder(settings, model_id)
    file = folder / "tokenizer.json"
    prompt = from_values(read_json(folder / "prompts.json"))
    if not file.exists():
        log.info("model %s carries no tokenizer.json: its tokens are estimated", model_id)
        return Carried(prompt, estimate)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Carried(prompt, lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))


def estimate(text: str) -> int:
    """Count the tokens of a text, rather too many than too few."""
    return len(text) // CHARACTERS_PER_TOKEN + 1
