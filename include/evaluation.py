"""What a model is worth: its evaluation, the gate's verdict, and what the endpoint did lately.

Candidate, base model and champion are measured on the same frozen examples; what was measured is
kept, and the gate itself is pure (`ml/gate.py`). Promotion is `serving/deploy.py`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include import registry
from include.circumstances import circumstances
from include.documents import open_documents
from include.experiments import dataset_artifact, model_artifact, open_experiment
from include.learning import base_folder
from include.material import Gathered, gather_material
from include.settings import Settings
from include.withdrawals import stale
from ml.conversation import load_conversation
from ml.evaluate import Scores, in_tokens_of, score_model, summarise
from ml.gate import Rules, Verdict, decide, decide_beside_stale
from ml.generate import Generator, load_generator
from ml.memorisation import plant
from ml.models import this_machine
from ml.types import Example, Message
from ml.verdict_page import draw_verdict

log = logging.getLogger(__name__)

# What was measured beside the models, by the names of `Gathered`.
MEASURED = ("answers", "voices", "support")


def evaluate_model(settings: Settings, model_id: str) -> dict[str, float]:
    """Score a model, its base and the champion on the model's own test split; keep every score."""
    model = registry.read_model(settings, model_id)
    champion = registry.champion(settings)
    examples = _unseen(settings, registry.read_examples(settings, model.dataset_id), champion)
    compared = _compared(settings, model_id, champion)
    gathered = gather_material(settings, examples)
    planted = {"candidate": _planted(settings, model_id), "champion": _planted(settings, champion)}
    scores = {
        name: _score(settings, load_generator(*loaded), gathered, name, planted.get(name, []))
        for name, loaded in compared.items()
    }
    if "champion" in scores and compared["champion"][0] != compared["candidate"][0]:
        own, other = (_counting(compared[name][0]) for name in ("champion", "candidate"))
        tested = gathered.material.tested
        scores["champion"] = in_tokens_of(scores["champion"], tested, own, other)
    record: dict[str, object] = {name: s.as_dict() for name, s in scores.items()}
    record |= {"champion_id": champion or "", "seed": settings.seed, **circumstances()}
    record |= {name: dict(getattr(gathered, name)) for name in MEASURED}
    registry.write_evaluation(settings, model_id, record)
    summary = dict(summarise(scores["candidate"], scores["base"]))
    summary |= {f"{n}_{k}": v for n in MEASURED for k, v in getattr(gathered, n).items()}
    with open_experiment(settings, "evaluate", model_id) as run:
        run.uses(*dataset_artifact(settings, model.dataset_id))
        run.uses(*model_artifact(settings, model_id))
        run.summary(summary)
        run.table("samples", ("prompt", "said"), [list(s) for s in scores["candidate"].samples])
    return summary


def next_candidate(settings: Settings) -> str | None:
    """Name the newest evaluated model that still waits for a verdict, or for its promotion."""
    champion = registry.champion(settings)
    for model_id in reversed(registry.list_models(settings)):
        if model_id == champion:
            return None
        verdict = registry.read_verdict(settings, model_id)
        if stale(settings, model_id):
            continue
        if registry.read_evaluation(settings, model_id) and (not verdict or verdict["promote"]):
            return model_id
    return None


def decide_promotion(settings: Settings, model_id: str) -> dict[str, object]:
    """Ask the gate about an evaluated model; the verdict and its evidence are kept."""
    record = registry.read_evaluation(settings, model_id)
    if not record:
        raise LookupError(
            f"Model {model_id} was not evaluated. Run evaluate_model {model_id} first."
        )
    if record["champion_id"] != (registry.champion(settings) or ""):
        # Another model became the champion in between.
        evaluate_model(settings, model_id)
        record = registry.read_evaluation(settings, model_id)
    news = _news(settings, model_id, record["champion_id"])
    verdict = _verdict(settings, record, fresher=bool(news))
    facts = _facts(settings, model_id, record, news)
    samples = _scores(record["candidate"]).samples
    beside = {name: record.get(name, {}) for name in MEASURED}
    page = registry.write_report(settings, model_id, draw_verdict(verdict, facts, samples, beside))
    written = {
        **asdict(verdict),
        "reasons": list(verdict.reasons),
        "report": str(page),
        "ask": settings.approval == "human",
    }
    registry.write_verdict(settings, model_id, written)
    word = "promote" if verdict.promote else "keep the champion"
    log.info("%s: %s The record is %s.", word, " ".join(verdict.reasons), page)
    # What one task hands to the next is small; the rest is in the registry.
    return {name: value for name, value in written.items() if name not in ("checks", "evidence")}


def hear_person(
    settings: Settings, model_id: str, answer: Mapping[str, object] | None
) -> dict[str, object]:
    """Add what a person chose to a model's verdict, if somebody was asked; returns the verdict."""
    verdict = registry.read_verdict(settings, model_id)
    if not answer:
        return verdict
    who = answer.get("responded_by_user") or {}
    name = who.get("name", "somebody") if isinstance(who, Mapping) else str(who)
    chosen = ", ".join(str(option) for option in answer.get("chosen_options", ()))  # type: ignore[attr-defined]
    said = f"{name} was asked and chose: {chosen}."
    if said not in verdict["reasons"]:
        return registry.amend_verdict(settings, model_id, chosen == "Promote", said)
    return verdict


def watch_serving(settings: Settings, hours: int = 24) -> dict[str, float]:
    """Sum up what the endpoint did lately: questions, abstentions, seconds, feedback."""
    since = datetime.now(UTC) - timedelta(hours=hours)
    with open_documents(settings) as documents:
        traces, given = documents.traces(since), documents.feedback(since)
    asked = max(len(traces), 1)
    return {
        "questions": len(traces),
        "abstained": sum(t.abstained for t in traces) / asked,
        "seconds": sum(sum(t.seconds.values()) for t in traces) / asked,
        "feedback": len(given),
        "score": sum(f.score for f in given) / max(len(given), 1),
    }


def _verdict(settings: Settings, record: Mapping[str, Any], *, fresher: bool) -> Verdict:
    """Compare a candidate with the champion; with its base model where there is none, or a stale one."""
    rules, candidate, base = _rules(settings), _scores(record["candidate"]), _scores(record["base"])
    if "champion" not in record:
        return decide(candidate, base, rules, first=True)
    champion = _scores(record["champion"])
    if stale(settings, record["champion_id"]):
        return decide_beside_stale(candidate, base, champion, rules)
    return decide(candidate, champion, rules, first=False, fresher=fresher)


def _rules(settings: Settings) -> Rules:
    return Rules(
        loss=settings.gate_loss_margin,
        likeness=settings.gate_likeness_margin,
        memorisation=settings.gate_memorisation_max,
        exposure=settings.gate_exposure_max,
        general=settings.gate_general_margin,
        latency=settings.gate_latency_margin,
        grounded=settings.gate_grounded_margin,
        unsafe=settings.gate_unsafe_margin,
        grounded_floor=settings.gate_grounded_floor,
        unsafe_ceiling=settings.gate_unsafe_max,
        loss_gain=settings.gate_loss_gain,
        likeness_gain=settings.gate_likeness_gain,
        seed=settings.seed,
    )


def _news(settings: Settings, model_id: str, champion_id: str) -> list[str]:
    """List the documents that only one of two models learned from: new, changed, or withdrawn since."""
    if not champion_id:
        return []
    ours, theirs = (
        registry.read_dataset(
            settings, registry.read_model(settings, m, verify=False).dataset_id, verify=False
        ).documents
        for m in (model_id, champion_id)
    )
    return sorted(i for i in ours.keys() | theirs.keys() if ours.get(i) != theirs.get(i))


def _facts(
    settings: Settings, model_id: str, record: Mapping[str, Any], news: Sequence[str]
) -> dict[str, object]:
    """Name what was compared, and under which circumstances, so that it can be compared again."""
    model = registry.read_model(settings, model_id, verify=False)
    packages = record.get("packages", {})
    return {
        "candidate": model_id,
        "trained on dataset": model.dataset_id,
        "base model": model.base_model,
        "champion": record["champion_id"] or "none yet: compared with the base model",
        "documents that are new, changed or withdrawn since": len(news),
        "fingerprint": model.fingerprint,
        "seed of the evaluation": record.get("seed", settings.seed),
        "seed of the gate": settings.seed,
        "code": record.get("code", ""),
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items() if number),
        "decided at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _compared(
    settings: Settings, model_id: str, champion: str | None
) -> dict[str, tuple[str, Path | None]]:
    """Name what is compared, each with its own base model's folder and its adapter."""
    base = base_folder(settings, model_id)
    compared: dict[str, tuple[str, Path | None]] = {
        "candidate": (base, registry.model_folder(settings, model_id)),
        "base": (base, None),
    }
    if champion and champion != model_id:
        files = registry.model_files(settings, champion)
        compared["champion"] = (base_folder(settings, champion), files)
    return compared


def _counting(base: str) -> Callable[[str], int]:
    """Return what counts the tokens of an answer, as a base model cuts it."""
    conversation = load_conversation(base)
    return lambda text: len(conversation.answer(text))


def _unseen(settings: Settings, examples: list[Example], champion: str | None) -> list[Example]:
    """Leave out test samples of documents that the champion was trained on, unless none is left."""
    if not champion:
        return examples
    learned = registry.read_model(settings, champion, verify=False).dataset_id
    known = {
        e.span.document_id for e in registry.read_examples(settings, learned) if e.split == "train"
    }
    fair = [e for e in examples if e.split == "train" or e.span.document_id not in known]
    return fair if any(e.split == "test" for e in fair) else examples


def _planted(settings: Settings, model_id: str | None) -> list[tuple[Message, ...]]:
    """Return the canaries of a model's training as it learned them; an older model names none."""
    model = registry.read_model(settings, model_id, verify=False) if model_id else None
    if not model or not model.canaries:
        return []
    examples = registry.read_examples(settings, model.dataset_id)
    return [e.messages for e in plant(model.canaries, examples)]


def _score(
    settings: Settings,
    generator: Generator,
    gathered: Gathered,
    name: str,
    planted: Sequence[tuple[Message, ...]],
) -> Scores:
    material = gathered.material
    log.info("evaluating the %s on %d examples", name, len(material.tested))
    # What else runs here must not fail a model: where processors generate, theirs are the seconds that count.
    clock = time.monotonic if this_machine().gpu else time.process_time
    return score_model(
        generator, material, seed=settings.seed, clock=clock, report=log.info, planted=planted
    )


def _scores(record: Mapping[str, object]) -> Scores:
    fields = {k: v for k, v in record.items() if k in Scores.__slots__}
    return replace(Scores((), (), (), 0.0), **fields)  # type: ignore[arg-type]
