"""Base models before they are loaded: what fits, where they are, and sentences for what is wrong."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from ml.models import (
    CATALOGUE,
    GIGABYTE,
    Machine,
    can_write,
    check_fits,
    four_bits,
    hub_name,
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


def test_a_bare_name_is_enough_to_download_a_model_that_can_chat() -> None:
    assert hub_name("Qwen2.5-0.5B") == "Qwen/Qwen2.5-0.5B-Instruct"
    assert hub_name("gemma-3-270m") == "google/gemma-3-270m-it"
    assert hub_name("Mistral-7B") == "mistralai/Mistral-7B-Instruct-v0.3"
    assert hub_name("Qwen/Qwen2.5-0.5B") == "Qwen/Qwen2.5-0.5B"
    assert hub_name("somebody/unknown") == "somebody/unknown"
    assert hub_name("tiny") == "tiny"


def test_a_model_that_is_too_large_is_refused_before_the_hub_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_hub(name: str, *told: str) -> Path:
        raise AssertionError(f"asked for {name}")

    monkeypatch.setattr("ml.models.fetch", no_hub)
    monkeypatch.setattr("ml.models.this_machine", lambda: Machine(8 * GIGABYTE, gpu=False))

    with pytest.raises(ValueError, match="'Qwen2.5-14B' needs about 72 GB.*has 8.0 GB.*Qwen3-0.6B"):
        local_folder("Qwen2.5-14B")


def test_every_model_of_the_catalogue_says_what_it_needs() -> None:
    catalogue = yaml.safe_load(CATALOGUE.read_text())
    families = {facts["family"] for facts in catalogue["models"].values()}

    assert families == set(catalogue["families"])
    assert all(f["lora"] and f["template"] for f in catalogue["families"].values())
    for name, facts in catalogue["models"].items():
        size = facts["parameters"] / GIGABYTE
        # float32 takes four bytes a parameter, 4-bit weights half a byte; both and what is computed must fit.
        assert 4 * size < facts["memory"]["cpu"] <= 5 * size + 5, name
        assert 0.5 * size < facts["memory"]["gpu"] <= size + 4, name
        assert facts["precision"] in ("float32 / 4-bit", "float32 / float32")
        assert name == "tiny" or name in facts["hub"]
    sizes = [m["parameters"] for n, m in catalogue["models"].items() if n.startswith("Qwen")]
    assert max(sizes) > 14e9


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
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="'nobody/no-such-model'.*TWIN_BASE_MODEL"):
        local_folder("nobody/no-such-model")
    with pytest.raises(FileNotFoundError, match="no folder.*TWIN_BASE_MODEL"):
        local_folder(str(tmp_path / "missing"))


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(FileNotFoundError, match="pickles are refused"):
        local_folder(str(tmp_path))


def test_a_folder_that_lacks_a_part_of_its_weights_is_refused_by_name(tmp_path: Path) -> None:
    first, second = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / first).write_bytes(b"weights")
    index = {"weight_map": {"a": first, "b": second, "c": second}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(FileNotFoundError, match=f"lacks {second}, which"):
        local_folder(str(tmp_path))
    (tmp_path / second).write_bytes(b"weights")
    assert local_folder(str(tmp_path)) == str(tmp_path)


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


def test_a_gpu_trains_over_four_bits_what_the_catalogue_says_and_what_it_does_not_know():
    assert four_bits("Qwen2.5-7B") and four_bits("somebody/unknown")
    assert not four_bits("tiny") and not four_bits("/cache/tiny-3828751bd78e9307")


def test_all_but_the_tiny_model_may_be_expected_to_write():
    assert can_write("SmolLM2-135M") and can_write("somebody/unknown") and not can_write("tiny")


def test_the_catalogue_is_parsed_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    parsed, own = list[str](), tmp_path / "models.yaml"
    parse = yaml.safe_load
    monkeypatch.setattr("ml.models.CATALOGUE", own)
    monkeypatch.setattr("ml.models.yaml.safe_load", lambda t: parsed.append(t) or parse(t))
    own.write_text("models: {Scribe: {hub: house/Scribe}}")
    assert (can_write("Scribe"), can_write("Scribe"), len(parsed)) == (True, True, 1)

    own.write_text("models: {Scribe: {}}")
    os.utime(own, ns=(0, 0))
    assert (can_write("Scribe"), len(parsed)) == (False, 2)
