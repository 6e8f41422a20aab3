"""Trainings side by side: a page from the registry alone (ml/runs_page.py, ml/curve_picture.py), mirrored to W&B."""

from dataclasses import replace
from pathlib import Path

import pytest
from own_texts import own_artifacts
from test_tracking import read_back

from include import registry
from include.comparing import compare_runs
from include.settings import Settings
from ml.curve_picture import Series, draw_curves
from ml.runs_page import Training, columns, draw_runs, table

ONE = Training("m1", {"rank": 8, "seed": 7}, {"loss": 2.5}, [{"step": 1, "sft/loss": 3.0}])
TWO = Training("m2", {"rank": 4, "seed": 7}, {"loss": 2.25, "<b>": 1}, ONE.curve)


def test_only_what_differs_and_what_was_measured_is_shown() -> None:
    assert columns([ONE, TWO]) == ["rank", "loss", "<b>"]
    assert table([ONE, TWO]) == [["m1", 8, 2.5, ""], ["m2", 4, 2.25, 1]]


def test_a_page_draws_the_curves_that_there_are_and_runs_nothing() -> None:
    page = draw_runs([ONE, replace(TWO, curve=())])

    assert page.count("<svg") == 1 and page.count("<polyline") == 1
    assert "2.25" in page and "&lt;b&gt;" in page and "<b>" not in page and "<script" not in page


def test_without_a_point_there_is_a_sentence_instead_of_a_picture() -> None:
    assert draw_curves([], "loss") == "<p>There is no loss to draw.</p>"
    assert "3.000" in draw_curves([Series("a", [(1, 3.0), (2, 2.0)])], "loss")


def test_the_newest_models_are_compared_with_their_curves(
    taught: tuple[Settings, str], tmp_path: Path
) -> None:
    world, model_id = taught
    own = own_artifacts(world, model_id, tmp_path / "artifacts")
    own = own.model_copy(update={"data_dir": tmp_path / "data"})
    other = replace(registry.read_model(own, model_id), id="other", parent=model_id, files={})
    registry.publish_model(own, registry.model_folder(own, model_id), other)
    registry.move_champion(own, "other")

    told = compare_runs(own)

    page = Path(str(told["page"])).read_text()
    assert told["trainings"] == 2 and "other champion" in page
    # Two trainings, drawn three times: both stages' losses and the gradient norm.
    assert page.count("<polyline") >= 6
    records = read_back(own.data_dir / "wandb")
    used = {
        r["value"].name for r in records if r["kind"] == "artifact" and r["value"].use_after_commit
    }
    assert {f"model-{model_id}", "model-other"} <= used


def test_without_a_model_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no model to compare"):
        compare_runs(Settings(data_dir=tmp_path))
