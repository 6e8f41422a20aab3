"""Who speaks for a model: the engine that the settings name, unless only the reference can."""

import json
import logging
import shutil

import pytest
from safetensors.torch import load_file, save_file
from small_models import make_model

from include.engines import open_engine
from include.settings import Settings
from ml.types import Message

SAID = [Message("user", "Say hello.")]
GREEDY = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model("smollm2", tmp_path_factory.mktemp("model"))


@pytest.fixture
def world(tmp_path):
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def opened(world, base, **changes):
    return open_engine(world.model_copy(update=changes), str(base), None)


def test_on_a_cpu_llama_cpp_speaks_and_says_what_the_reference_says(world, base):
    fast, reference = opened(world, base), opened(world, base, engine="transformers")

    assert (fast.name, reference.name) == ("llamacpp", "transformers")
    assert "".join(fast.generator.stream(SAID, **GREEDY)) == "".join(
        reference.generator.stream(SAID, **GREEDY)
    )
    assert fast.note == reference.note == ""


@pytest.mark.parametrize("engine", ["auto", "llamacpp"])
def test_what_llama_cpp_cannot_run_is_left_to_transformers_with_a_sentence(
    world, base, tmp_path, caplog, engine
):
    odd = shutil.copytree(base, tmp_path / "odd")
    told = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(told | {"hidden_act": "gelu"}))

    with caplog.at_level(logging.WARNING):
        engine = opened(world, odd, engine=engine)

    assert engine.name == "transformers"
    assert engine.note == (
        "llama.cpp cannot run odd: its architecture is LlamaForCausalLM. transformers runs it."
    )
    assert engine.note in caplog.text
    assert "".join(engine.generator.stream(SAID, **GREEDY))


def test_weights_that_are_no_numbers_never_speak_through_llama_cpp(world, base, tmp_path):
    spoilt = shutil.copytree(base, tmp_path / "spoilt")
    weights = load_file(spoilt / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, spoilt / "model.safetensors", metadata={"format": "pt"})

    engine = opened(world, spoilt, engine="llamacpp")

    assert engine.name == "transformers" and "model.norm.weight" in engine.note
    for temperature in (0.0, 0.7):
        with pytest.raises(ValueError, match="no numbers.*weights are damaged"):
            engine.generator.complete(SAID, **GREEDY | {"temperature": temperature})


def test_weights_that_are_cut_off_are_no_reason_for_another_engine(world, base, tmp_path):
    broken = shutil.copytree(base, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])

    with pytest.raises(Exception, match="(?i)safetensor|header|incomplete"):
        opened(world, broken)
