"""Model versions side by side (include/versions.py), and as tables on the command line (include/version_tables.py)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_registry import dataset, examples, model, preferences, trained

from include import registry
from include.settings import Settings
from include.version_tables import main
from include.versions import compare_models, read_card


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    """Make a world of two models on two datasets, the younger one prompted in another way."""
    made = Settings(data_dir=tmp_path / "data")
    older = replace(dataset("d1"), documents={"a": "1", "b": "1", "c": "1"})
    newer = replace(dataset("d2", days=1), documents={"a": "1", "b": "2", "d": "1"})
    for version in (older, newer):
        registry.write_dataset(made, version, examples(), preferences(), "# Card\n")
    changes = {"recipe": {"sft_steps": 3, "learning_rate": 0.02}, "dataset_id": "d2"}
    measured = {"metrics": {"heldout_loss_after": 2.25}, "parent": "m1", "fingerprint": "g"}
    put(made, model("m1"), "Write as they do.")
    put(made, replace(model("m2", days=1), **changes, **measured), "Write as [b]they[/b] would.")
    return made


def put(world: Settings, version: object, prompt: str) -> None:
    folder = trained(world.data_dir / "training" / version.id)
    said = {"version": prompt[:5], "example": [{"role": "system", "content": f"Hello.\n{prompt}"}]}
    (folder / "prompts.json").write_text(json.dumps(said))
    registry.publish_model(world, folder, version)


def test_two_models_differ_in_recipe_documents_metrics_prompts_and_fingerprint(
    world: Settings,
) -> None:
    found = {(d.section, d.what): (d.then, d.now) for d in compare_models(world, "m1", "m2")}

    assert found == {
        ("model", "parent"): ("", "m1"),
        ("model", "fingerprint"): ("f", "g"),
        ("recipe", "learning_rate"): (0.01, 0.02),
        ("dataset", "id"): ("d1", "d2"),
        ("dataset", "1 documents added"): ("", "d"),
        ("dataset", "1 documents removed"): ("c", ""),
        ("dataset", "1 documents changed"): ("b", "b"),
        ("metrics", "heldout_loss_after"): (2.5, 2.25),
        ("prompts", "line"): ("", "Write as [b]they[/b] would."),
    } | {("dataset", "documents"): (3, 3)}


def test_a_card_says_what_a_model_is_called_and_how_far_it_came(world: Settings) -> None:
    states = []
    for step in (
        lambda: registry.write_evaluation(world, "m2", {"candidate": {}}),
        lambda: registry.write_verdict(world, "m2", {"promote": False, "reasons": ["worse"]}),
        lambda: registry.write_verdict(world, "m2", {"promote": True, "reasons": []}),
        lambda: registry.move_champion(world, "m2"),
    ):
        states.append(read_card(world, "m2").state)
        step()
    registry.set_alias(world, "staging", "m2")

    assert states == ["trained", "evaluated", "refused", "passed"]
    card = read_card(world, "m2")
    assert (card.state, card.aliases) == ("serves", ("champion", "staging"))
    assert card.prompts["version"] == "Write" and card.made["verb"] == "train_model"


def run(world: Settings, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments, world) == 0
    return capsys.readouterr().out


def test_the_list_shows_the_newest_first(world: Settings, capsys) -> None:
    registry.move_champion(world, "m1")

    lines = [x for x in run(world, capsys, "list").splitlines() if "│ m" in x]

    assert [line.split("│")[1].strip() for line in lines] == ["m2", "m1"]
    assert "champion" in lines[1] and "serves" in lines[1] and "2.2500" in lines[0]
    empty = Settings(data_dir=world.data_dir / "nothing")
    assert "There is no model yet" in run(empty, capsys, "list")


def test_one_model_is_shown_whole(world: Settings, capsys) -> None:
    registry.write_verdict(world, "m2", {"promote": False, "reasons": ["It is [worse]."]})

    said = run(world, capsys, "show", "m2")

    for words in ("twin_v1", "learning_rate = 0.0200", "heldout_loss_after = 2.2500", "refused"):
        assert words in said
    assert "It is [worse]." in said and "adapter_model.safetensors  sha256" in said


def test_a_changed_file_is_found_when_a_model_is_shown(world: Settings, capsys) -> None:
    (registry.model_folder(world, "m2") / "adapter_model.safetensors").write_bytes(b"x")

    assert main(["show", "m2"], world) == 2
    assert "is changed since it was published" in capsys.readouterr().err


def test_the_difference_is_a_table_with_the_step_of_every_number(world: Settings, capsys) -> None:
    said = run(world, capsys, "diff", "m1", "m2")

    assert "1 documents added" in said and "-0.25" in said and "+0.01" in said
    assert "Write as [b]they[/b] would." in said
    assert "They do not differ." in run(world, capsys, "diff", "m1", "m1")


def test_an_alias_is_given_used_and_taken_away(world: Settings, capsys) -> None:
    assert "staging is m2" in run(world, capsys, "alias", "staging", "m2")
    assert "Model m2" in run(world, capsys, "show", "staging")
    assert "no alias any more" in run(world, capsys, "unalias", "staging")
    assert main(["show", "staging"], world) == 2
    assert "No model is 'staging'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "use one of: list, show, diff, alias, unalias, reproduce"),
        (["dance"], "use one of"),
        (["diff", "m1"], "diff: missing a required argument: 'other'"),
        (["alias", "champion", "m1"], "alias: 'champion' is moved by a roll-out only"),
    ],
)
def test_a_wrong_call_is_a_sentence(world: Settings, capsys, arguments, said) -> None:
    assert main(arguments, world) == 2
    assert said in capsys.readouterr().err
