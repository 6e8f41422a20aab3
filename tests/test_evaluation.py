"""What a model is worth: measured on both sides, judged in words, measured again when the champion is another one."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from own_texts import own_artifacts
from samples import Notebook, examples
from small_models import make_model
from wandb_server import wandb_server

from include import registry
from include.cleaning import clean_originals
from include.documents import open_documents
from include.evaluation import (
    decide_promotion,
    evaluate_model,
    hear_person,
    next_candidate,
    watch_serving,
)
from include.material import Gathered, gather_material
from include.settings import Settings
from include.vectors import open_vectors
from include.withdrawals import mark_stale
from ml.conversation import load_conversation
from ml.generate import load_generator
from ml.memorisation import make_canaries
from ml.splits import held_out, repeats
from ml.train import Recipe, train
from ml.types import Example, Feedback, Trace

# Prompts that are answered aloud; each costs a second.
FEW = 2


@pytest.fixture(scope="module")
def measured(
    served: tuple[Settings, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, str, dict[str, float], Gathered]:
    """Measure the session's model once, with a registry of its own; also keep what it was measured on."""
    shared, model_id = served
    world = own_artifacts(shared, model_id, tmp_path_factory.mktemp("evaluated") / "artifacts")
    kept: list[Gathered] = []

    def gather(settings: Settings, examples: list[Example]) -> Gathered:
        kept.append(gather_material(settings, examples))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml.evaluate.SPOKEN", FEW)
        patch.setattr("ml.evaluate.ATTACKED", FEW)
        patch.setattr("include.evaluation.gather_material", gather)
        return world, model_id, evaluate_model(world, model_id), kept[0]


@pytest.fixture(scope="module")
def evaluated(
    measured: tuple[Settings, str, dict[str, float], Gathered],
) -> tuple[Settings, str, dict[str, float]]:
    """Leave out what the model was measured on."""
    return measured[:3]


@pytest.fixture
def candidate(evaluated: tuple[Settings, str, dict[str, float]], tmp_path: Path):
    """Copy the measured world, so that what is decided in one test is not decided in the next."""
    shared, model_id, _ = evaluated
    shutil.copytree(shared.artifacts_url, tmp_path / "artifacts")
    return shared.model_copy(update={"artifacts_url": str(tmp_path / "artifacts")}), model_id


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models speak little where they are measured again."""
    monkeypatch.setattr("ml.evaluate.SPOKEN", FEW)
    monkeypatch.setattr("ml.evaluate.ATTACKED", FEW)


def twin_of(world: Settings, model_id: str, name: str, days: int) -> str:
    """Publish the same weights under another name and date."""
    version = registry.read_model(world, model_id)
    other = replace(version, id=name, created_at=version.created_at + timedelta(days=days))
    registry.publish_model(world, registry.model_folder(world, model_id), other)
    return name


def test_lineage_at_wandb_is_one_chain_and_the_samples_are_a_table(
    evaluated: tuple[Settings, str, dict[str, float]], tmp_path: Path
) -> None:
    world, model_id, summary = evaluated
    shutil.copytree(world.data_dir / "wandb" / "wandb", tmp_path / "wandb", symlinks=True)
    with wandb_server(tmp_path / "home") as server:
        server.sync(tmp_path / "wandb")
    sent = {
        job: [r for r in server.runs.values() if r.told["jobType"] == job]
        for job in ("dataset", "train", "evaluate")
    }
    building, training, evaluating = (runs[0] for runs in sent.values())

    assert training.used <= building.made and evaluating.used == training.used | training.made
    assert all(server.artifacts[v].committed for v in evaluating.used)
    samples = json.loads(evaluating.files[evaluating.summary["samples"]["path"]])
    record = registry.read_evaluation(world, model_id)
    assert samples["columns"] == ["prompt", "said"]
    assert samples["data"] == record["candidate"]["samples"]
    measured = {k: v for k, v in summary.items() if isinstance(v, float)}
    assert {k: evaluating.summary[k] for k in measured} == pytest.approx(measured)
    assert server.unknown == []


def test_a_model_is_measured_beside_its_base_on_the_held_out_samples(evaluated) -> None:
    world, model_id, summary = evaluated
    model = registry.read_model(world, model_id)
    tested = [e for e in registry.read_examples(world, model.dataset_id) if e.split == "test"]

    record = registry.read_evaluation(world, model_id)

    assert len(record["candidate"]["loss"]) == len(record["base"]["loss"]) == len(tested) > 0
    assert "champion" not in record and record["champion_id"] == ""
    assert summary["heldout_loss"] == record["candidate"]["means"]["heldout_loss"]
    assert summary["heldout_loss"] < summary["base_heldout_loss"]
    assert 0 <= summary["likeness"] <= 1 and 0 <= summary["memorisation"] <= 1
    assert summary["exposure"] == record["candidate"]["means"]["exposure"]


def test_the_secrets_planted_in_a_training_are_named_measured_and_decided_on(
    candidate: tuple[Settings, str],
) -> None:
    world, model_id = candidate
    model, record = registry.read_model(world, model_id), registry.read_evaluation(world, model_id)
    verdict = decide_promotion(world, model_id)

    assert model.canaries == make_canaries(3, model.recipe["seed"], model.dataset_id)
    samples = registry.read_examples(world, model.dataset_id)
    assert not {e.messages[-1].content for e in samples} & {*model.canaries}
    exposed = record["candidate"]["exposed"]
    assert len(exposed) == 3 and max(exposed) <= world.gate_exposure_max
    assert record["base"]["exposed"] == []
    kept = registry.read_verdict(world, model_id)
    assert kept["evidence"]["candidate_exposure"] == max(exposed)
    page = Path(verdict["report"]).read_text()
    assert "It does not know a secret that was planted in its training" in page
    assert "candidate exposure" in page


def test_a_model_that_knows_a_planted_secret_is_refused_and_one_without_is_not_held(
    candidate: tuple[Settings, str],
) -> None:
    world, model_id = candidate
    record = registry.read_evaluation(world, model_id)
    said = {}
    for exposed in ([0.4, 10.0, 0.4], []):
        registry.write_evaluation(
            world, model_id, record | {"candidate": record["candidate"] | {"exposed": exposed}}
        )
        said[len(exposed)] = decide_promotion(world, model_id)

    assert said[3]["promote"] is False
    assert "It knows a secret that was planted in its training" in " ".join(said[3]["reasons"])
    assert "planted" not in " ".join(said[0]["reasons"])


def test_the_answer_path_and_the_judges_are_measured_on_held_out_texts(evaluated) -> None:
    world, model_id, summary = evaluated

    record = registry.read_evaluation(world, model_id)

    answers = record["answers"]
    assert answers["answerable"] >= 2 and answers["hit_at_5"] > 0.5
    assert answers["declined_unanswerable"] > answers["declined_answerable"]
    assert 0 < answers["context_precision"] <= 1 and 0 < answers["context_recall"] <= 1
    assert record["voices"]["author"] > record["voices"]["others"]
    assert record["voices"]["separation"] > 0.8
    assert len(record["candidate"]["grounded"]) == len(record["base"]["grounded"]) >= 1
    assert summary["answers_mrr"] == answers["mrr"]
    assert record["packages"]["torch"] and record["seed"] == world.seed


def test_what_models_are_shown_overlaps_with_the_test_by_nothing(measured) -> None:
    world, _, _, gathered = measured
    held = held_out(gathered.material.tested)
    tested = [d.text for d in clean_originals(world) if d.id in held]
    notes = [a.messages[0].content for a in gathered.material.asked]
    quotes = {q for a in gathered.material.asked for p in a.passages for q in p.split(" … ")}
    with open_vectors(world) as vectors:
        stored = list(vectors.scan())

    assert tested and quotes and sum(repeats(notes, tested, world.leak_words)) == 0
    ours = np.stack([v for c, v in stored if c.document_id in held])
    shown = [(c, v) for c, v in stored if any(q in c.text for q in quotes)]
    assert shown and not held & {c.document_id for c, _ in shown}
    assert max(float((ours @ v).max()) for _, v in shown) < world.leak_cosine


def test_the_first_model_is_judged_against_its_base_and_waits_until_it_is_champion(
    candidate: tuple[Settings, str],
) -> None:
    world, model_id = candidate
    assert next_candidate(world) == model_id

    verdict = decide_promotion(world, model_id)

    assert all(isinstance(said, str) for said in verdict["reasons"])
    kept = registry.read_verdict(world, model_id)
    assert "its base model" in verdict["reasons"][0] and kept["evidence"]["examples"] > 0
    assert kept == verdict | {name: kept[name] for name in ("checks", "evidence")}
    assert kept["checks"][0]["metric"] == "loss"
    assert "Held-out loss" in Path(verdict["report"]).read_text()
    assert decide_promotion(world, model_id) == verdict
    assert next_candidate(world) == (model_id if verdict["promote"] else None)
    registry.move_champion(world, model_id)
    assert next_candidate(world) is None


def test_a_model_that_was_turned_down_waits_no_more(candidate: tuple[Settings, str]) -> None:
    world, model_id = candidate
    strict = world.model_copy(update={"gate_likeness_margin": -2.0})

    verdict = decide_promotion(strict, model_id)

    assert verdict["promote"] is False
    assert "The author's likeness may be worse" in verdict["reasons"][1]
    assert next_candidate(world) is None


@pytest.mark.parametrize("chosen", ["Promote", "Keep the champion"])
def test_a_person_has_the_last_word(candidate: tuple[Settings, str], chosen: str) -> None:
    world, model_id = candidate
    careful = world.model_copy(update={"approval": "human"})
    verdict = decide_promotion(careful, model_id)
    assert verdict["ask"] and hear_person(careful, model_id, None)["reasons"] == verdict["reasons"]
    answer = {"chosen_options": [chosen], "responded_by_user": {"id": "1", "name": "Ada"}}

    heard = hear_person(careful, model_id, answer)

    assert heard["promote"] is (chosen == "Promote")
    assert heard["reasons"][-1] == f"Ada was asked and chose: {chosen}."
    assert hear_person(careful, model_id, answer) == heard
    assert next_candidate(world) == (model_id if chosen == "Promote" else None)


@pytest.mark.parametrize("was_champion_itself", [False, True])
def test_a_model_is_measured_again_when_another_one_became_champion(
    candidate: tuple[Settings, str], few: None, was_champion_itself: bool
) -> None:
    world, model_id = candidate
    if was_champion_itself:
        record = registry.read_evaluation(world, model_id)
        registry.write_evaluation(world, model_id, record | {"champion_id": model_id})
    registry.move_champion(world, twin_of(world, model_id, "elder", days=-1))

    verdict = decide_promotion(world, model_id)

    record = registry.read_evaluation(world, model_id)
    assert record["champion_id"] == "elder"
    assert record["champion"]["loss"] == record["candidate"]["loss"]
    assert "learned nothing new and is not surely better than the champion" in verdict["reasons"][0]
    assert any("no worse than that of the champion: +0.000 nats" in r for r in verdict["reasons"])
    assert verdict["promote"] is False and next_candidate(world) is None


def test_a_champion_on_another_base_model_is_compared_by_what_whole_answers_cost(
    candidate: tuple[Settings, str], few: None, tmp_path: Path
) -> None:
    world, model_id = candidate
    other = str(make_model("smollm2", tmp_path / "other", max_position_embeddings=2048))
    model = registry.read_model(world, model_id)
    train(other, examples(), [], Recipe(sft_steps=1, dpo_steps=0), tmp_path / "elder", Notebook())
    registry.publish_model(
        world, tmp_path / "elder", replace(model, id="elder", base_model=other, files={})
    )
    registry.move_champion(world, "elder")

    evaluate_model(world, model_id)

    record = registry.read_evaluation(world, model_id)
    answers = [
        e.messages for e in registry.read_examples(world, model.dataset_id) if e.split == "test"
    ]
    own = load_generator(other, registry.model_folder(world, "elder")).losses(answers)
    cut, cuts = (load_conversation(b) for b in (other, model.base_model))
    lengths = [(len(cut.answer(a[-1].content)), len(cuts.answer(a[-1].content))) for a in answers]
    assert any(ours != theirs for ours, theirs in lengths)
    whole = [loss * ours / theirs for loss, (ours, theirs) in zip(own, lengths, strict=True)]
    assert record["champion"]["loss"] == pytest.approx(whole)
    assert decide_promotion(world, model_id)["reasons"]


def test_a_stale_champion_makes_way_for_a_model_that_holds_against_the_base(
    candidate: tuple[Settings, str],
) -> None:
    world, model_id = candidate
    elder = twin_of(world, model_id, "elder", days=-1)
    record = registry.read_evaluation(world, model_id)
    better = record["candidate"] | {"loss": [x - 1.0 for x in record["candidate"]["loss"]]}
    registry.write_evaluation(world, model_id, record | {"champion_id": elder, "champion": better})
    registry.move_champion(world, elder)
    assert decide_promotion(world, model_id)["promote"] is False

    mark_stale(world, elder, {"d1": "a document of it was forgotten on 2026-03-01"})
    verdict = decide_promotion(world, model_id)

    assert verdict["promote"] is True and next_candidate(world) == model_id
    assert str(verdict["reasons"][0]).startswith("The champion is stale")
    assert "told only" in Path(verdict["report"]).read_text()


def test_the_newest_measured_model_is_the_next_candidate(candidate: tuple[Settings, str]) -> None:
    world, model_id = candidate
    twin_of(world, model_id, "younger", days=1)
    assert next_candidate(world) == model_id

    registry.write_evaluation(world, "younger", registry.read_evaluation(world, model_id))
    assert next_candidate(world) == "younger"

    registry.move_champion(world, "younger")
    assert next_candidate(world) is None


def test_a_model_that_nobody_measured_or_made_is_a_sentence(candidate) -> None:
    world, model_id = candidate
    twin_of(world, model_id, "younger", days=1)

    with pytest.raises(LookupError, match="younger was not evaluated. Run evaluate_model younger"):
        decide_promotion(world, "younger")
    with pytest.raises(LookupError, match="There is no finished model 'none'"):
        evaluate_model(world, "none")


def test_what_the_endpoint_did_lately_is_summed_up(settings: Settings) -> None:
    now = datetime.now(UTC)
    assert watch_serving(settings) == {
        "questions": 0,
        "abstained": 0,
        "seconds": 0,
        "feedback": 0,
        "score": 0,
    }

    with open_documents(settings) as documents:
        for n, hours in enumerate((1, 2, 30)):
            seconds = {"retrieve": 0.5, "generate": 1.0 + n}
            asked_at = now - timedelta(hours=hours)
            documents.put_trace(Trace(f"t{n}", "m1", asked_at, "Why?", "So.", (), n == 1, seconds))
        documents.put_feedback(Feedback("t0", 1, "", now - timedelta(hours=1)))
        documents.put_feedback(Feedback("t1", -1, "", now))
        documents.put_feedback(Feedback("t0", 0, "on second thoughts", now))

    assert watch_serving(settings) == {
        "questions": 2,
        "abstained": 0.5,
        "seconds": 2.0,
        "feedback": 2,
        "score": -0.5,
    }
    assert watch_serving(settings, hours=48)["questions"] == 3
