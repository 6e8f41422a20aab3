"""What an adapter stands on: a base model whose weights are whole or in 4 bits, which a CPU can train as well."""

from dataclasses import replace

import pytest
from samples import Notebook, examples, preferences
from small_models import make_model

from ml.adapters import load_trainable
from ml.generate import load_generator
from ml.train import Recipe, train
from ml.types import Message

RECIPE = Recipe(sft_steps=24, dpo_steps=6, batch=4, dpo_batch=2, max_length=128, weights="4-bit")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Make a model whose layers are as wide as bitsandbytes can read on a CPU."""
    wide = {"hidden_size": 128, "intermediate_size": 256, "max_position_embeddings": 1024}
    return str(make_model("smollm2", tmp_path_factory.mktemp("base"), **wide))


def teach(base, folder, said=None, **changes):
    report = (said if said is not None else []).append
    recipe = replace(RECIPE, **changes)
    return train(base, examples(), preferences(), recipe, folder, Notebook(), report)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def qlora(base, tmp_path_factory):
    """Train once over 4 bits; yields the folder, the figures and what was said."""
    folder, said = tmp_path_factory.mktemp("models") / "m1", list[str]()
    return folder, teach(base, folder, said), said


def test_the_voice_is_learned_and_preferred_over_weights_of_four_bits(base, qlora, tmp_path):
    _, metrics, said = qlora
    whole = teach(base, tmp_path / "m2", weights="full")

    assert [line for line in said if line.startswith("QLoRA: the base model takes")]
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.2
    assert metrics["dpo_margins"] > 0
    # The weights are not those of the whole model, but near them.
    assert metrics["sft_loss_first"] != whole["sft_loss_first"]
    assert metrics["sft_loss_first"] == pytest.approx(whole["sft_loss_first"], rel=0.05)


def test_it_is_the_same_training_every_time(base, qlora, tmp_path):
    folder, metrics, _ = qlora
    assert teach(base, tmp_path / "m2") == metrics
    again = (tmp_path / "m2" / "adapter_model.safetensors").read_bytes()
    assert again == (folder / "adapter_model.safetensors").read_bytes()


def test_its_adapter_is_served_over_the_whole_weights(base, qlora):
    greedy = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}
    generator = load_generator(base, qlora[0])

    assert "".join(generator.stream([Message("user", "Say hello.")], **greedy))


def test_the_weights_are_four_bits_and_only_where_they_are_asked_for(base):
    from bitsandbytes.nn.modules import Linear4bit

    def kinds(weights):
        return {type(m) for m in load_trainable(base, weights, print).modules()}

    assert Linear4bit in kinds("4-bit")
    # A GPU would have them by default.
    assert Linear4bit not in kinds("auto") | kinds("full")


def test_a_model_that_cannot_be_read_in_four_bits_on_a_cpu_is_refused_before_it_learns(tmp_path):
    odd = str(make_model("smollm2", tmp_path, hidden_size=96))

    with pytest.raises(ValueError, match="reads 96 numbers, which is no multiple of 64"):
        load_trainable(odd, "4-bit", print)
    with pytest.raises(ValueError, match="use one of auto, full, 4-bit"):
        replace(RECIPE, weights="8-bit")
