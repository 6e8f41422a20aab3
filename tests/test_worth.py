"""Is training worth it (ml/worth.py, include/worth.py): the same questions in six ways; a table and a picture."""

import json

import pytest
from own_texts import own_artifacts

from include.cleaning import clean_originals
from include.manifests import artifacts_root
from include.material import retrieve_notes
from include.registry import read_examples, read_model
from include.worth import SHARES, compare_training
from ml.evaluate import Asked, Material, Scores
from ml.prompts import twin_messages
from ml.splits import held_out, repeats
from ml.types import Example, Message, Span
from ml.worth import (
    CAPTION,
    Reshaped,
    as_it_is,
    draw_page,
    has_notes,
    with_voice,
    without_notes,
)

NOTED = twin_messages("Why?", ["A rope.", "A\nknot."], {}, "Ada", shared={2})
SHOWN = (Message("system", "s"), Message("user", "How?"), Message("assistant", "So."))


class Echo:
    """A generator that says what it was asked."""

    def complete(self, messages, **options):
        return " | ".join(m.content for m in messages)

    def losses(self, conversations):
        return [float(len(c)) for c in conversations]

    def count_tokens(self, said):
        return len(said)


def test_without_notes_nothing_retrieved_is_left_in_a_prompt_and_all_else_is() -> None:
    said = Message("assistant", "So.")
    noted = Example((*NOTED, said), Span("d", "r", 0, 3), "answer", "test")
    material = Material([noted], [noted], lambda text: 0.0, [Asked(NOTED, ("A rope.",))])

    bare = without_notes(material)

    assert "others write here" in NOTED[0].content
    plain = twin_messages("Why?", [], {}, "Ada")
    assert bare.tested[0].messages == (*plain, said)
    assert bare.asked == [Asked(plain, ("A rope.",))]
    assert bare.trained == [noted]


def test_examples_of_the_voice_stand_between_the_system_and_the_question() -> None:
    asked = with_voice([SHOWN])(NOTED)

    assert as_it_is(NOTED) == NOTED
    assert [m.role for m in asked] == ["system", "user", "assistant", "user"]
    assert asked[1:3] == SHOWN[1:] and asked[-1] == NOTED[-1]


def test_a_reshaped_generator_is_scored_on_the_same_last_message() -> None:
    asked = Reshaped(Echo(), with_voice([SHOWN]))

    assert asked.losses([(*NOTED, Message("assistant", "a"))]) == [5.0]
    assert asked.complete(NOTED, max_tokens=1).endswith("How? | So. | Why?")
    assert asked.count_tokens("abc") == 3


def test_the_page_marks_the_best_of_each_column() -> None:
    rows = {
        n: Scores((loss,), (like,), (), 1.0) for n, loss, like in (("<a>", 3, 0.2), ("b", 2, 0.1))
    }

    page = draw_page(rows, {25: 3.0, 100: 2.0}, {"dataset": "d1"}, "d1.png")

    assert "<td class=good>2.000</td>" in page and "<td class=good>0.200</td>" in page
    assert (
        CAPTION in page
        and "<td>3.000</td>" in page
        and "&lt;a&gt;" in page
        and 'src="d1.png"' in page
    )


@pytest.mark.services
def test_passages_are_retrieved_and_never_the_answer_itself(served):
    world, model_id = served
    examples = read_examples(world, read_model(world, model_id).dataset_id)
    tested = [e for e in examples if e.split == "test"]
    texts = [d.text for d in clean_originals(world) if d.id in held_out(examples)]

    noted = retrieve_notes(world, examples)

    assert [e.messages[1:] for e in noted] == [e.messages[1:] for e in tested]
    shown = {
        task: [has_notes(e) for e in noted if e.task == task] for task in ("answer", "continue")
    }
    assert all(shown["answer"]) and shown["answer"]
    # Who wants a text continued is not asking for anything that could be looked up.
    assert not any(shown["continue"]) and shown["continue"]
    found, kept = ([e.messages[0].content for e in those] for those in (noted, tested))
    assert (
        sum(repeats(found, texts, world.leak_words))
        == 0
        < sum(repeats(kept, texts, world.leak_words))
    )


@pytest.mark.services
def test_prompting_and_training_are_compared_on_the_same_questions(served, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.evaluate.SPOKEN", 2)
    monkeypatch.setattr("ml.evaluate.SPOKEN_TOKENS", 8)
    monkeypatch.setattr("ml.questions.ASKED", 2)
    shared, model_id = served
    world = own_artifacts(shared, model_id, tmp_path / "artifacts")

    found = compare_training(world)

    assert list(found["table"]) == [
        "base",
        "base + passages",
        "base + examples",
        "SFT",
        "SFT + DPO",
        "SFT + DPO + passages",
    ]
    losses = {name: row["heldout_loss"] for name, row in found["table"].items()}
    assert losses["SFT"] < losses["base"]
    assert losses["SFT + DPO + passages"] < losses["base + passages"]
    assert list(found["curve"]) == list(SHARES)
    assert max(found["curve"].values()) < losses["base"]
    assert found["curve"][100] == pytest.approx(losses["SFT"], abs=1e-3)
    kept = artifacts_root(world) / "worth"
    dataset_id = read_model(world, model_id).dataset_id
    rows = json.loads((kept / f"{dataset_id}.json").read_text())["rows"]
    assert len({tuple(row["loss"]) for row in rows.values()}) == 6
    assert (kept / f"{dataset_id}.png").read_bytes().startswith(b"\x89PNG")
    assert "Is training worth it?" in (kept / f"{dataset_id}.html").read_text()


def test_without_a_dataset_it_says_what_to_do(settings):
    with pytest.raises(LookupError, match="Run build_dataset first"):
        compare_training(settings)
