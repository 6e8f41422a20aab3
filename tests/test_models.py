"""Base models before they are loaded: what fits, where they are, and sentences for what is wrong."""

import shutil
from pathlib import Path

import pytest

from ml.models import (
    GIGABYTE,
    check_fits,
    identity,
    learning_rate,
    local_folder,
    lora_layers,
    needed_gigabytes,
    this_machine,
)


def test_a_model_that_does_not_fit_is_refused_with_one_that_does() -> None:
    with pytest.raises(ValueError, match="Qwen2.5-7B.*40 GB.*4.0 GB.*SmolLM2-135M"):
        check_fits("Qwen/Qwen2.5-7B-Instruct", 4 * GIGABYTE)
    check_fits("Qwen/Qwen2.5-7B-Instruct", 12 * GIGABYTE, gpu=True)
    check_fits("somebody/unknown", 1)


def test_a_name_is_found_whatever_follows_the_size() -> None:
    known = needed_gigabytes("Qwen3-0.6B")

    assert known == 7
    cached = "/cache/models--Qwen--Qwen3-0.6B/snapshots/0a1b"
    for name in ("Qwen/Qwen3-0.6B", "qwen3-0.6b-Instruct", cached, "Qwen/Qwen3-0.6B/"):
        assert needed_gigabytes(name) == known
    assert needed_gigabytes("Qwen3-0.6Bx") is None


def test_the_memory_of_an_unknown_folder_is_estimated_from_its_weights(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2 * GIGABYTE)

    assert needed_gigabytes(str(tmp_path)) == pytest.approx(5.8)
    assert needed_gigabytes(str(tmp_path), gpu=True) == pytest.approx(2.2)


def test_families_name_their_layers_and_unknown_ones_take_all() -> None:
    assert "q_proj" in lora_layers("tiny", "llama")
    assert "q_proj" in lora_layers("/somewhere/else", "qwen2")
    assert lora_layers("somebody/unknown", "mamba") == "all-linear"


def test_small_models_learn_at_a_higher_rate(tiny_base: Path) -> None:
    assert learning_rate("Qwen/Qwen3-0.6B") == pytest.approx(2e-4)
    # The folder of the tiny one is named by its hash.
    assert learning_rate(str(tiny_base)) == learning_rate("tiny") > 1e-3


def test_an_unknown_base_model_is_said_so_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="'nobody/no-such-model'.*TWIN_BASE_MODEL"):
        local_folder("nobody/no-such-model")
    with pytest.raises(FileNotFoundError, match="no folder.*TWIN_BASE_MODEL"):
        local_folder(str(tmp_path / "missing"))


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(FileNotFoundError, match="pickles are refused"):
        local_folder(str(tmp_path))


def test_a_copy_is_the_same_model_and_a_changed_one_is_not(tiny_base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_base, copy)
    assert identity(copy) == identity(tiny_base)

    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert identity(copy) != identity(tiny_base)


def test_this_machine_has_memory() -> None:
    assert this_machine().memory > GIGABYTE
