"""Each family of `models.yaml`, built small in place: its layers are found, its template is kept to, and it learns."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from samples import asked, examples
from test_train import Notebook

from ml.adapters import adapt, load_trainable, width_of
from ml.conversation import load_conversation
from ml.generate import load_generator
from ml.models import CATALOGUE, lora_layers
from ml.train import Recipe, train

FAMILIES = sorted(yaml.safe_load(CATALOGUE.read_text())["families"])
RECIPE = Recipe(
    sft_steps=6, dpo_steps=0, batch=4, max_length=192, learning_rate=0.02, lora_rank=4, patience=0
)
SIZE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
INST = (
    "{% set s = namespace(head='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set s.head = m.content + '\n\n' %}"
    "{% elif m.role == 'user' %}[INST] {{ s.head }}{{ m.content }}[/INST]"
    "{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
TURNS = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# How each family marks turns: its template, the tokens in it that are one, and how a turn of the model ends.
TEMPLATES = {
    "llama": (HEADERS, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), "<|eot_id|>"),
    "qwen2": (CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>"),
    "qwen3": (CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>"),
    "mistral": (INST, ("[INST]", "[/INST]", "</s>"), "</s>"),
    "gemma2": (TURNS, ("<start_of_turn>", "<end_of_turn>"), "<end_of_turn>"),
    "gemma3_text": (TURNS, ("<start_of_turn>", "<end_of_turn>"), "<end_of_turn>"),
}


@pytest.fixture(params=FAMILIES)
def small(request: Any, tiny_base: Path, tmp_path: Path) -> tuple[str, Path]:
    """Make a model of a family that knows nothing, with a tokenizer that marks turns as its family does."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    family, folder = request.param, tmp_path / request.param
    template, marks, end = TEMPLATES[family]
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    tokenizer.add_special_tokens({"additional_special_tokens": list(marks)})
    tokenizer.chat_template = template
    if end == "</s>":
        tokenizer.eos_token = end
    tokenizer.save_pretrained(folder)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), bos_token_id=None, **SIZE, **ids
    )
    torch.manual_seed(7)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return family, folder


def test_a_family_learns_through_its_own_template_and_layers(
    small: tuple[str, Path], tmp_path: Path
) -> None:
    family, base = small
    metrics = train(str(base), examples(), [], RECIPE, tmp_path / "m", Notebook())  # type: ignore[arg-type]

    assert metrics["sft_loss_last"] < metrics["sft_loss_first"] - 0.05
    assert metrics["heldout_loss_after"] < metrics["heldout_loss_before"] - 0.05
    adapted = json.loads((tmp_path / "m" / "adapter_config.json").read_text())["target_modules"]
    assert sorted(adapted) == sorted(lora_layers(str(base), family))
    weights = load_names(tmp_path / "m" / "adapter_model.safetensors")
    # Both halves of LoRA on each of the named layers of both blocks.
    assert len(weights) == 2 * 2 * len(adapted)

    conversation = load_conversation(tmp_path / "m")
    end = TEMPLATES[family][2]
    assert conversation.tokenizer.convert_ids_to_tokens(conversation.ends[0]) == end
    said = conversation.tokenizer.decode(conversation.prompt(asked(1)))
    assert "writing twin of Maren Oduya" in said and "rope number 1?" in said
    assert conversation.folds_system == family.startswith("gemma")
    load_generator(str(base), tmp_path / "m").complete(
        asked(1), max_tokens=3, temperature=1.0, top_p=1.0, seed=1
    )


def test_a_fresh_adapter_is_the_same_for_the_same_seed_and_changes_nothing_yet(
    tiny_base: Path,
) -> None:
    import torch

    def fresh(seed: int) -> dict[str, Any]:
        recipe = Recipe(lora_rank=4, seed=seed)
        model = adapt(str(tiny_base), load_trainable(str(tiny_base), "full", print), recipe)
        assert (width_of(model, 100), width_of(model, 9000)) == (100, 1024)
        return {n: p for n, p in model.named_parameters() if p.requires_grad}

    first, again, other = fresh(7), fresh(7), fresh(8)
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert any(not torch.equal(first[n], other[n]) for n in first)
    assert not any(p.any() for n, p in first.items() if "lora_B" in n)


def load_names(file: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as weights:
        return list(weights.keys())


def test_a_tokenizer_of_another_model_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = tmp_path / "mixed"
    shutil.copytree(tiny_base, base, ignore=shutil.ignore_patterns("manifest.json"))
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["harbour", "looked", "Tuesday"])
    tokenizer.save_pretrained(base)

    with pytest.raises(
        ValueError, match="gives token 102[456], but the model knows 1024: it is anoth"
    ):
        train(str(base), examples(), [], RECIPE, tmp_path / "m", Notebook())  # type: ignore[arg-type]
    assert not (tmp_path / "m" / "adapter_model.safetensors").exists()
