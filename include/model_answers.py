"""The story: what models say to the author's prompts, kept so that pairs can reject it.

Answering takes seconds a prompt, so it is done on demand, in a job, and at most TWIN_DATASET_NEGATIVES times;
what is kept is used by every later build_dataset. Each answer is written as soon as it is there.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from include import registry
from include.learning import base_folder
from include.sample_making import own_documents, sample_documents
from include.settings import Settings
from ml.files import read_json, write_json
from ml.generate import load_generator
from ml.negatives import VOICED, Answers, prompt_name
from ml.types import Example, digest

log = logging.getLogger(__name__)

# How a model was asked: as the endpoint would.
TEMPERATURE, TOP_P, TOKENS_PER_WORD = 0.7, 0.95, 2


def answer_prompts(settings: Settings) -> dict[str, int]:
    """Let the champion and the base model answer some training prompts, each a half; without a champion the base all.

    A second run answers what is left.
    """
    if not settings.dataset_negatives:
        log.info("no prompt is answered: TWIN_DATASET_NEGATIVES is 0")
        return {"prompts": 0, "answered": 0}
    parent = (registry.list_datasets(settings) or [""])[-1]
    before = registry.read_examples(settings, parent) if parent else []
    examples = sample_documents(settings, own_documents(settings), before).examples
    voiced = [e for e in examples if e.split == "train" and e.task in VOICED]
    chosen = sorted(voiced, key=lambda e: e.id)[: settings.dataset_negatives]
    speakers = _speakers(settings)
    answered = 0
    for place, (how, model, adapter) in enumerate(speakers):
        share = chosen[place :: len(speakers)]
        answered += _answer(settings, how, model, adapter, share)
    return {"prompts": len(chosen), "answered": answered}


def kept_answers(settings: Settings) -> Answers:
    """Return what the champion and the base model answered, by the prompt's name."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for how, model, _ in _speakers(settings):
        for file in sorted((answers_folder(settings) / model).glob("*.json")):
            found[file.stem].append((how, str(read_json(file)["answer"])))
    return found


def answers_folder(settings: Settings) -> Path:
    """Return where answers are kept, beside those of an endpoint, so that what is forgotten leaves them too."""
    return settings.data_dir / "llm" / "answers"


def _speakers(settings: Settings) -> list[tuple[str, str, Path | None]]:
    """List who may answer: (how a pair calls it, the folder of its answers, its adapter)."""
    base = ("base", f"base-{digest('base', settings.base_model)[:16]}", None)
    champion = registry.champion(settings)
    if not champion:
        return [base]
    # What was trained on another base model cannot be loaded on this one.
    if registry.read_model(settings, champion, verify=False).base_model != settings.base_model:
        return [base]
    return [("champion", champion, registry.model_folder(settings, champion)), base]


def _answer(
    settings: Settings, how: str, model: str, adapter: Path | None, examples: Sequence[Example]
) -> int:
    """Let one model answer what it has not answered; returns how many prompts that were."""
    folder = answers_folder(settings) / model
    files = {folder / f"{prompt_name(e.messages[:-1])}.json": e for e in examples}
    left = {file: e for file, e in files.items() if not file.exists()}
    if not left:
        return 0
    # Only a model whose files are what was published.
    adapter = registry.model_files(settings, model) if adapter else None
    generator = load_generator(base_folder(settings, model if adapter else ""), adapter)
    for number, (file, example) in enumerate(left.items(), 1):
        said = generator.complete(
            example.messages[:-1],
            max_tokens=TOKENS_PER_WORD * len(example.messages[-1].content.split()),
            temperature=TEMPERATURE,
            top_p=TOP_P,
            seed=settings.seed + number,
        )
        write_json(file, {"how": how, "model": model, "answer": said.strip()})
        log.info("the %s answered %d of %d prompts", how, number, len(left))
    return len(left)
