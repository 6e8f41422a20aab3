"""The registry: complete folders or none, hashes that are checked, pointers that move in one step."""

import json
import multiprocessing
import os
import signal
import time
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
    assert registry.restore_previous(world) == "m1"
    assert (registry.champion(world), registry.previous(world)) == ("m1", "m2")


def test_a_model_that_does_not_exist_cannot_be_champion(world: Settings) -> None:
    with pytest.raises(LookupError, match="no finished model 'm9'"):
        registry.move_champion(world, "m9")
    with pytest.raises(LookupError, match="no previous champion"):
        registry.restore_previous(world)


@pytest.mark.parametrize("name", ["../../etc", "", ".hidden", "a/b", "a\nb"])
def test_an_id_is_never_a_path(world: Settings, name: str) -> None:
    with pytest.raises(LookupError, match="is no id"):
        registry.read_model(world, name)


def test_evaluations_verdicts_and_attempts_are_kept(world: Settings) -> None:
    assert registry.read_evaluation(world, "m1") == {}
    assert registry.read_verdict(world, "m1") == {}

    registry.write_evaluation(world, "m1", {"candidate": {"loss": [1.5]}})
    registry.write_verdict(world, "m1", {"promote": False, "reasons": ("worse",)})
    registry.mark_attempt(world, "d1", "too few")

    assert registry.read_evaluation(world, "m1") == {"candidate": {"loss": [1.5]}}
    assert registry.read_verdict(world, "m1") == {"promote": False, "reasons": ["worse"]}
    assert registry.attempts(world) == {"d1": "too few"}


def test_artifacts_may_live_in_another_folder_but_not_at_any_url(tmp_path: Path) -> None:
    for url in (str(tmp_path / "one"), f"file://{tmp_path}/two%20words"):
        world = Settings(data_dir=tmp_path / "data", artifacts_url=url)
        registry.write_dataset(world, dataset(), examples(), [], "")
    assert (tmp_path / "one" / "datasets" / "d1" / "manifest.json").exists()
    assert (tmp_path / "two words" / "datasets" / "d1" / "manifest.json").exists()

    world = Settings(data_dir=tmp_path, artifacts_url="s3://bucket/x")
    with pytest.raises(ValueError, match="s3://bucket/x.*in a folder only"):
        registry.list_models(world)


def _write(world: Settings, card: str) -> None:
    registry.write_dataset(world, dataset(), examples(200), preferences(50), card)


def test_two_writers_of_one_id_leave_one_complete_folder(world: Settings) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(world, f"# {n}\n")) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [w.exitcode for w in writers] == [0, 0, 0]
    assert len(registry.read_examples(world, "d1")) == 200
    assert [p.name for p in registry.dataset_folder(world, "d1").parent.iterdir()] == ["d1"]


def _write_forever(world: Settings) -> None:
    for n in range(1000):
        registry.write_dataset(world, dataset(f"k{n}"), examples(50), preferences(10), "")


def test_a_killed_writer_leaves_nothing_half_written(world: Settings) -> None:
    for _ in range(3):
        writer = multiprocessing.get_context("fork").Process(target=_write_forever, args=(world,))
        before = len(registry.list_datasets(world))
        writer.start()
        while len(registry.list_datasets(world)) < before + 2:
            time.sleep(0.005)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join(30)

    names = registry.list_datasets(world)
    assert names
    for name in names:
        assert len(registry.read_examples(world, name)) == 50
    _write(world, "the lock is free again")
