"""The registry: complete folders or none, hashes that are checked, pointers that move in one step."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include import registry
from include.settings import Settings
from ml.types import DatasetVersion, Example, Message, ModelVersion, Preference, Span

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = Span("d1", "r1", 3, 9)


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def examples(count: int = 6) -> list[Example]:
    return [
        Example(
            (
                Message("system", "Be brief."),
                Message("user", f"Question {n}?"),
                Message("assistant", f"It isn’t `x`;\n— {n} 🧵"),
            ),
            replace(SPAN, start=n),
            "answer",
            "test" if n % 3 == 0 else "train",
        )
        for n in range(count)
    ]


def preferences(count: int = 2) -> list[Preference]:
    asked = (Message("user", "Say it."),)
    return [
        Preference(asked, f"mine {n}", f"flat {n}", SPAN, "flattened", "train")
        for n in range(count)
    ]


def dataset(name: str = "d1", days: int = 0) -> DatasetVersion:
    moment = MOMENT + timedelta(days=days)
    return DatasetVersion(name, "", "f", moment, {"train/answer": 4}, {"d1": "r1"}, {})


def model(name: str = "m1", days: int = 0) -> ModelVersion:
    moment = MOMENT + timedelta(days=days)
    recipe, metrics = {"sft_steps": 3, "learning_rate": 0.01}, {"heldout_loss_after": 2.5}
    return ModelVersion(name, "", "d1", "tiny", "f", "twin_v1", moment, recipe, metrics, {})


def trained(folder: Path, text: bytes = b"weights") -> Path:
    (folder / "checkpoints" / "sft").mkdir(parents=True)
    (folder / "checkpoints" / "sft" / "optimizer.pt").write_bytes(b"pickle")
    (folder / "adapter_model.safetensors").write_bytes(text)
    (folder / "prompts.json").write_text("{}")
    return folder


def put_model(world: Settings, name: str, days: int = 0) -> None:
    folder = world.data_dir / "training" / name
    if not folder.exists():
        trained(folder)
    registry.publish_model(world, folder, model(name, days))


def test_a_dataset_reads_back_exactly_as_it_was_written(world: Settings) -> None:
    written = registry.write_dataset(world, dataset(), examples(), preferences(), "# Card\n")

    assert registry.read_examples(world, "d1") == examples()
    assert registry.read_preferences(world, "d1") == preferences()
    assert replace(written, files={}) == dataset()
    assert set(written.files) == {
        "README.md",
        "instruct/train.parquet",
        "instruct/test.parquet",
        "preference/train.parquet",
    }


def test_hugging_face_datasets_reads_the_folder(world: Settings, tmp_path: Path) -> None:
    import datasets

    registry.write_dataset(world, dataset(), examples(), preferences(), "# Card\n")
    folder, cache = str(registry.dataset_folder(world, "d1")), str(tmp_path / "cache")

    instruct = datasets.load_dataset(folder, "instruct", split="train", cache_dir=cache)
    pairs = datasets.load_dataset(folder, "preference", split="train", cache_dir=cache)

    assert instruct[0]["messages"][-1] == {"role": "assistant", "content": "It isn’t `x`;\n— 1 🧵"}
    assert pairs[1]["rejected"] == [{"role": "assistant", "content": "flat 1"}]


def test_versions_are_listed_oldest_first_and_only_when_finished(world: Settings) -> None:
    assert registry.list_datasets(world) == []

    registry.write_dataset(world, dataset("b", days=1), examples(), [], "")
    registry.write_dataset(world, dataset("a", days=2), examples(), [], "")
    (registry.dataset_folder(world, "half")).mkdir()

    assert registry.list_datasets(world) == ["b", "a"]


def test_writing_a_finished_version_again_changes_nothing(world: Settings) -> None:
    first = registry.write_dataset(world, dataset(), examples(), preferences(), "one")
    again = registry.write_dataset(world, dataset(days=5), examples(3), [], "two")

    assert again == first


def test_a_changed_file_is_named_and_refused(world: Settings) -> None:
    put_model(world, "m1")
    weights = registry.model_folder(world, "m1") / "adapter_model.safetensors"
    weights.write_bytes(b"weightz")

    with pytest.raises(ValueError, match=r"adapter_model\.safetensors is changed"):
        registry.read_model(world, "m1")
    weights.unlink()
    with pytest.raises(ValueError, match=r"adapter_model\.safetensors is missing"):
        registry.read_model(world, "m1")
    assert registry.read_model(world, "m1", verify=False).id == "m1"


def test_a_changed_sample_file_is_never_trained_on(world: Settings) -> None:
    registry.write_dataset(world, dataset(), examples(), preferences(), "")
    file = registry.dataset_folder(world, "d1") / "instruct" / "train.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    with pytest.raises(ValueError, match=r"instruct/train\.parquet is changed"):
        registry.read_examples(world, "d1")


def test_a_manifest_that_is_older_than_a_field_is_still_read(world: Settings) -> None:
    put_model(world, "m1")
    file = registry.model_folder(world, "m1") / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"of_the_future": 1}))

    assert registry.read_model(world, "m1").id == "m1"


def test_a_damaged_manifest_is_named_and_hides_no_other(
    world: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    put_model(world, "torn")
    put_model(world, "whole", days=1)
    (registry.model_folder(world, "torn") / "manifest.json").write_text("{")

    assert registry.list_models(world) == ["whole"]
    assert "torn/manifest.json is damaged" in caplog.text
    with pytest.raises(ValueError, match="is damaged"):
        registry.read_model(world, "torn")


def test_a_model_is_published_without_its_checkpoints(world: Settings) -> None:
    put_model(world, "m1")

    version = registry.read_model(world, "m1")

    assert set(version.files) == {"adapter_model.safetensors", "prompts.json"}
    assert replace(version, files={}) == model("m1")


def test_a_pickle_is_never_published(world: Settings, tmp_path: Path) -> None:
    folder = trained(tmp_path / "t")
    (folder / "extra.bin").write_bytes(b"x")

    with pytest.raises(ValueError, match=r"extra\.bin: weights are published as safetensors only"):
        registry.publish_model(world, folder, model())
    assert registry.list_models(world) == []


def test_a_folder_without_weights_is_no_model(world: Settings, tmp_path: Path) -> None:
    tmp_path.joinpath("t").mkdir()

    with pytest.raises(ValueError, match="holds no weights"):
        registry.publish_model(world, tmp_path / "t", model())


def test_a_manifest_says_how_to_make_the_thing_again(world: Settings) -> None:
    put_model(world, "m1")

    manifest = json.loads((registry.model_folder(world, "m1") / "manifest.json").read_text())

    assert manifest["reproduce"]["verb"] == "train_model"
    assert manifest["reproduce"]["arguments"] == ["d1"]
    assert manifest["reproduce"]["packages"]["trl"]


def test_the_old_champion_becomes_the_previous_one(world: Settings) -> None:
    put_model(world, "m1")
    put_model(world, "m2", days=1)
    assert registry.champion(world) is None

    registry.move_champion(world, "m1")
    registry.move_champion(world, "m2")
    registry.move_champion(world, "m2")

    assert (registry.champion(world), registry.previous(world)) == ("m2", "m1")


def test_a_model_that_does_not_exist_cannot_be_champion(world: Settings) -> None:
    with pytest.raises(LookupError, match="no finished model 'm9'"):
        registry.move_champion(world, "m9")


@pytest.mark.parametrize("name", ["../../etc", "", ".hidden", "a/b", "a\nb"])
def test_an_id_is_never_a_path(world: Settings, name: str) -> None:
    with pytest.raises(LookupError, match="is no id"):
        registry.read_model(world, name)


def test_artifacts_may_live_in_another_folder_but_not_at_any_url(tmp_path: Path) -> None:
    for url in (str(tmp_path / "one"), f"file://{tmp_path}/two%20words"):
        world = Settings(data_dir=tmp_path / "data", artifacts_url=url)
        registry.write_dataset(world, dataset(), examples(), [], "")
    assert (tmp_path / "one" / "datasets" / "d1" / "manifest.json").exists()
    assert (tmp_path / "two words" / "datasets" / "d1" / "manifest.json").exists()

    world = Settings(data_dir=tmp_path, artifacts_url="s3://bucket/x")
    with pytest.raises(ValueError, match="s3://bucket/x.*in a folder only"):
        registry.list_models(world)
