"""The one renderer: what a model is told, in training, in judging and in serving alike.

The words are in a versioned file beside this one, which every model carries with it (`to_values`); the
tokenizer's own chat template turns the messages into tokens. Nothing else in the platform builds a
prompt. Retrieved text is data: it is fenced, numbered and stripped of anything that a chat template
would read as a turn.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from ml.injection import neutralise
from ml.types import Message

PROMPT_VERSION = "twin-1"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of the words around a question; see twin-1.yaml."""

    version: str
    system: tuple[str, ...]
    note: str
    habits: str


@cache
def read_prompt(version: str = PROMPT_VERSION) -> Prompt:
    """Read a version of the prompt; LookupError names those that there are."""
    known = {f.stem: f for f in sorted(Path(__file__).parent.glob("*.yaml"))}
    if version not in known:
        raise LookupError(f"There is no prompt {version!r}; there is: {', '.join(known)}.")
    return from_values(yaml.safe_load(known[version].read_text(encoding="utf-8")))


def from_values(values: Mapping[str, Any]) -> Prompt:
    """Read the prompt that a model carries; of a model that names a version alone, that version."""
    if "system" not in values:
        return read_prompt(str(values.get("version", PROMPT_VERSION)))
    return Prompt(values["version"], tuple(values["system"]), values["note"], values["habits"])


def to_values(prompt: Prompt) -> dict[str, object]:
    """Turn a prompt into what a model carries with it."""
    return asdict(prompt)


def twin_messages(
    question: str,
    evidence: Sequence[str],
    style: Mapping[str, float],
    author: str,
    *,
    earlier: Sequence[Message] = (),
    prompt: Prompt | None = None,
    shared: Collection[int] = (),
) -> tuple[Message, ...]:
    """Render the turns for one question; `evidence` are passages, best first, `earlier` the turns before it.

    `shared` are the numbers of passages that others may have written.

    Without a prompt the current version is rendered; serving gives the one that the model carries.
    """
    words = prompt or read_prompt()
    lines = [
        *_opening(words, author, tuple(style.items())),
        *(
            _fill(words.note, {"number": _number(n, shared), "text": neutralise(e)})
            for n, e in enumerate(evidence, start=1)
        ),
    ]
    system = Message("system", "\n".join(line for line in lines if line))
    turns = [Message(m.role, neutralise(m.content).strip()) for m in earlier]
    return system, *turns, Message("user", neutralise(question).strip())


@lru_cache(maxsize=64)
def _opening(words: Prompt, author: str, style: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """Render what the prompts of an author all begin with; a dataset asks for it once a sample."""
    said = {"author": author, "habits": _describe_style(dict(style), words.habits)}
    return tuple(_fill(line, said) for line in words.system)


def _number(note: int, shared: Collection[int]) -> str:
    return f"{note}, others write here" if note in shared else str(note)


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template, all at once: what a value says is never read as a place for another."""
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), template)


def _describe_style(style: Mapping[str, float], template: str) -> str:
    """Say the author's measured habits in one sentence; rounded, so that small drifts keep the prompt."""
    said = []
    if "sentence_words" in style:
        said.append(f"about {round(style['sentence_words'])} words a sentence")
    if "semicolon_rate" in style:
        said.append(f"{_often(style['semicolon_rate'], 2.0)} semicolons")
    if "exclamation_rate" in style:
        said.append(f"{_often(style['exclamation_rate'], 2.0)} exclamation marks")
    return _fill(template, {"habits": ", ".join(said)}) if said else ""


def _often(rate: float, usual: float) -> str:
    """Put a rate per 1,000 words into a word; `usual` is where 'some' turns into 'many'."""
    if rate < 0.2:
        return "no"
    return "some" if rate < usual else "many"
