"""A second opinion: another language model compares what two of our models say, and is itself put to the test.

It decides nothing; the gate does. Without TWIN_LLM_URL nobody is asked. The record has the texts; the page beside it,
which W&B shows as well, has figures only.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from include import registry
from include.aliases import CHAMPION, resolve_model
from include.experiments import model_artifact, open_experiment
from include.learning import base_folder
from include.llm import Llm, LlmBudgetSpent, LlmFailed, open_llm
from include.manifests import artifacts_root, checked_id
from include.settings import Settings
from ml.files import write_json, write_whole
from ml.generate import load_generator
from ml.judge import (
    AskJudge,
    Choice,
    Judged,
    NoChoice,
    Pair,
    biases,
    judge_pairs,
    known_pairs,
    rubric,
    sum_up,
)
from ml.judgement_page import draw_judgement
from ml.probes import choose
from ml.types import Example, Message

log = logging.getLogger(__name__)

BASE = "base"
# Questions that both models answer, and pairs whose truth is known; each costs three requests.
ASKED, KNOWN = 12, 12
# Passages that show a judge the voice.
SHOWN = 3
ANSWER_TOKENS = 96


def judge_models(settings: Settings, left: str = "", right: str = BASE) -> dict[str, object]:
    """Let the language model at TWIN_LLM_URL compare two models, and keep the record.

    They go by id, by its beginning or by alias: the champion unless told, against `base`, what the left one stands on.
    """
    if not settings.llm_url:
        raise LookupError("No language model is named that could judge. Set TWIN_LLM_URL.")
    left = resolve_model(settings, left or CHAMPION)
    right = BASE if right in ("", BASE) else resolve_model(settings, right)
    model = registry.read_model(settings, left)
    pairs, author = _pairs(settings, model.dataset_id, left, right)
    with open_llm(settings) as llm:
        ask = asking(llm)
        judged = judge_pairs(pairs, author, ask)
        known = judge_pairs(_known(settings, model.dataset_id), author, ask, control_length=False)
        record: dict[str, object] = {
            "left": left,
            "right": right,
            "judge": {"model": llm.model, "url": llm.url, "version": llm.version},
            "rubric": rubric()["version"],
            "judged_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "summary": sum_up(judged),
            "bias": biases(known),
            "known": sum_up(known),
            "requests": llm.counts.as_dict(),
        }
    page = _keep(settings, record, judged, known)
    log.info("judged by %s: %s; on known pairs: %s", llm.model, record["summary"], record["bias"])
    return record | {"page": str(page)}


def _keep(
    settings: Settings,
    record: Mapping[str, object],
    judged: Sequence[Judged],
    known: Sequence[Judged],
) -> Path:
    """Write the record and draw the page; returns the page."""
    models = str(record["left"]), str(record["right"])
    name = "-".join(checked_id(m) for m in models)
    page = artifacts_root(settings) / "judgements" / f"{name}.html"
    texts = {"judged": [asdict(j) for j in (*judged, *known)]}
    write_json(page.with_suffix(".json"), {**record, **texts})
    facts = {k: record[k] for k in ("left", "right", "judge", "rubric", "judged_at", "requests")}
    write_whole(page, draw_judgement(models, judged, known, facts))
    with open_experiment(settings, "judge", name) as run:
        for model_id in models:
            if model_id != BASE:
                run.uses(*model_artifact(settings, model_id))
        run.summary({f"known_{k}": v for k, v in {**sum_up(known), **biases(known)}.items()})
        run.page("judgement", page)
    return page


def _pairs(settings: Settings, dataset_id: str, left: str, right: str) -> tuple[list[Pair], str]:
    """Let two models answer the same held-out questions; returns their answers, and passages that show the voice."""
    examples = [e for e in registry.read_examples(settings, dataset_id) if e.task != "code"]
    tested = _some([e for e in examples if e.split == "test"], ASKED)
    shown = _some([e for e in examples if e.split == "train"], SHOWN)
    adapters = [
        None if name == BASE else registry.model_files(settings, name) for name in (left, right)
    ]
    bases = [base_folder(settings, left if name == BASE else name) for name in (left, right)]
    said = [_answers(settings, *model, tested) for model in zip(bases, adapters, strict=True)]
    pairs = [
        Pair(e.messages[-2].content, ours, theirs)
        for e, ours, theirs in zip(tested, *said, strict=True)
    ]
    return pairs, "\n\n".join(e.messages[-1].content for e in shown)


def _answers(
    settings: Settings, base: str, adapter: Path | None, examples: Sequence[Example]
) -> list[str]:
    """Let a model answer the examples' questions, in their order."""
    generator = load_generator(base, adapter)
    return [
        generator.complete(
            e.messages[:-1],
            max_tokens=ANSWER_TOKENS,
            temperature=0.7,
            top_p=0.95,
            seed=settings.seed + n,
        )
        for n, e in enumerate(examples)
    ]


def _known(settings: Settings, dataset_id: str) -> list[Pair]:
    """Take pairs of the author's words and the same words ironed flat, which no model of ours has to be asked for."""
    preferences = registry.read_preferences(settings, dataset_id)
    chosen = set(choose([p.id for p in preferences], KNOWN))
    found = [p for p in preferences if p.id in chosen]
    return known_pairs([(p.messages[-1].content, p.chosen, p.rejected) for p in found])


def _some(examples: Sequence[Example], many: int) -> list[Example]:
    chosen = set(choose([e.id for e in examples], many))
    return [e for e in examples if e.id in chosen]


def asking(llm: Llm) -> AskJudge:
    """Make the judge out of an open door: an answer in form, or none; a spent budget ends it all."""

    def ask(messages: Sequence[Message], take: int) -> Choice:
        try:
            return llm.ask_for(messages, Choice, temperature=0.0 if take == 0 else 0.7, take=take)
        except LlmBudgetSpent:
            raise
        except LlmFailed as error:
            log.warning("no judgement: %s", error)
            raise NoChoice(str(error)) from error

    return ask
