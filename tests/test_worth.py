"""Is training worth it (ml/worth.py, include/worth.py): the same questions in five ways; a table and a picture."""

import json

import pytest
from own_texts import own_artifacts

from include.manifests import artifacts_root
from include.registry import read_model
from include.worth import SHARES, compare_training
from ml.evaluate import Scores
from ml.prompts import twin_messages
from ml.types import Message
from ml.worth import Reshaped, as_it_is, draw_page, with_voice, without_notes

NOTED = twin_messages("Why?", ["A rope.", "A\nknot."], {}, "Ada")
SHOWN = (Message("system", "s"), Message("user", "How?"), Message("assistant", "So."))


class Echo:
    """A generator that says what it was asked."""

    def complete(self, messages, **options):
        return " | ".join(m.content for m in messages)

    def losses(self, conversations):
        return [float(len(c)) for c in conversations]

    def count_tokens(self, said):
        return len(said)


def test_without_notes_nothing_retrieved_is_left_in_the_prompt() -> None:
    bare = without_notes(NOTED)

    assert "rope" in NOTED[0].content and "note 1" not in bare[0].content
    assert "rope" not in bare[0].content and "knot" not in bare[0].content
    assert bare[0] == twin_messages("Why?", [], {}, "Ada")[0] and bare[1] == NOTED[1]
    assert as_it_is(NOTED) == NOTED


def test_examples_of_the_voice_stand_between_the_system_and_the_question() -> None:
    asked = with_voice([SHOWN])(NOTED)

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
    assert "<td>3.000</td>" in page and "&lt;a&gt;" in page and 'src="d1.png"' in page


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
        "base + passages + examples",
        "SFT",
        "SFT + DPO",
    ]
    losses = {name: row["heldout_loss"] for name, row in found["table"].items()}
    assert losses["SFT"] < losses["base + passages"]
    assert len(set(losses.values())) == 5
    assert list(found["curve"]) == list(SHARES)
    assert max(found["curve"].values()) < losses["base + passages"]
    kept = artifacts_root(world) / "worth"
    dataset_id = read_model(world, model_id).dataset_id
    assert json.loads((kept / f"{dataset_id}.json").read_text())["rows"]["SFT"]["loss"]
    assert (kept / f"{dataset_id}.png").read_bytes().startswith(b"\x89PNG")
    assert "Is training worth it?" in (kept / f"{dataset_id}.html").read_text()


def test_without_a_dataset_it_says_what_to_do(settings):
    with pytest.raises(LookupError, match="Run build_dataset first"):
        compare_training(settings)
