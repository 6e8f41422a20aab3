"""A model made again from its manifest alone: the same on the same machine, and what differs is named."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from own_texts import own_artifacts

from include import registry
from include.evaluation import evaluate_model
from include.reproducing import TOLERANCE, Line, reproduce_model
from include.settings import Settings
from include.version_tables import main
from include.withdrawals import withdraw_dataset


@pytest.fixture
def own(taught: tuple[Settings, str], tmp_path: Path) -> tuple[Settings, str]:
    """Copy the session's trained world, so that its manifests may be changed."""
    world, model_id = taught
    copy = own_artifacts(world, model_id, tmp_path / "artifacts")
    return copy.model_copy(update={"data_dir": tmp_path / "data"}), model_id


def alter(own: tuple[Settings, str], change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of the model."""
    file = registry.model_folder(*own) / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def by_name(lines: list[Line]) -> dict[str, Line]:
    return {line.what: line for line in lines}


def test_on_the_same_machine_every_loss_is_exactly_the_same_and_nothing_is_published(
    own: tuple[Settings, str], capsys: pytest.CaptureFixture[str]
) -> None:
    world, model_id = own

    assert main(["reproduce", model_id[:6]], world) == 0

    said = capsys.readouterr().out
    assert "The same model." in said and "sft/loss, last step" in said
    assert "apart by 0, allowed 0" in said and "FAILS" not in said
    assert registry.list_models(world) == [model_id]
    assert not (world.data_dir / "reproductions" / model_id).exists()


def test_another_seed_is_another_model_and_the_command_fails(
    own: tuple[Settings, str], capsys: pytest.CaptureFixture[str]
) -> None:
    alter(own, lambda m: m["recipe"].update(seed=8))

    assert main(["reproduce", own[1]], own[0]) == 1

    said = capsys.readouterr().out
    assert "Not the same: sft/loss, last step" in said and "heldout_loss_after" in said


def test_what_is_not_as_it_was_is_named_and_a_tolerance_is_allowed(
    own: tuple[Settings, str],
) -> None:
    alter(own, lambda m: m["reproduce"]["packages"].update(torch="1.0"))
    alter(own, lambda m: m["reproduce"].pop("processor"))

    lines = by_name(reproduce_model(*own))

    assert (lines["torch"].then, lines["torch"].holds) == ("1.0", None)
    assert lines["processor"].then == "not recorded"
    assert f"allowed {TOLERANCE:g}" in lines["heldout_loss_after"].said
    assert lines["sft/loss, last step"].holds and lines["dataset"].holds


def test_other_samples_than_the_model_learned_from_are_refused(own: tuple[Settings, str]) -> None:
    alter(own, lambda m: m["reproduce"]["learned"].update({"README.md": "0" * 64}))

    with pytest.raises(ValueError, match="Dataset d0 is not the one that model .* was trained on"):
        reproduce_model(*own)


def test_a_dataset_that_was_withdrawn_is_not_trained_on_again(own: tuple[Settings, str]) -> None:
    withdraw_dataset(own[0], "d0", {"doc": "a document of it was forgotten on 2026-03-01"})

    with pytest.raises(PermissionError, match="Dataset d0 may not be trained on any more: a doc"):
        reproduce_model(*own)


def test_another_base_model_of_the_same_name_is_refused(
    own: tuple[Settings, str], tiny_base: Path, tmp_path: Path
) -> None:
    other = tmp_path / "base"
    shutil.copytree(tiny_base, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rope_theta": 5000.0}))
    alter(own, lambda m: m.update(base_model=str(other)))

    with pytest.raises(ValueError, match="stands on .* with identity .*: another state of it"):
        reproduce_model(*own)


def test_a_recipe_of_another_time_names_the_commit_to_go_to(own: tuple[Settings, str]) -> None:
    alter(own, lambda m: m["recipe"].update(layers=3))

    with pytest.raises(ValueError, match="does not know .*layers.*commit that its manifest names"):
        reproduce_model(*own)


def test_a_champion_whose_files_were_changed_is_never_measured_against(
    own: tuple[Settings, str],
) -> None:
    world, model_id = own
    other = replace(registry.read_model(world, model_id), id="other", files={})
    registry.publish_model(world, registry.model_folder(world, model_id), other)
    registry.move_champion(world, model_id)
    weights = registry.model_folder(world, model_id) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")

    with pytest.raises(ValueError, match=r"adapter_model\.safetensors is changed since it was"):
        evaluate_model(world, "other")
    with pytest.raises(ValueError, match=r"adapter_model\.safetensors is changed since it was"):
        reproduce_model(world, model_id)
