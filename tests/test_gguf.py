"""Models as GGUF: kept by hash, repaired, refused where not exact; tokenizers whose ids come out the same."""

import json
import shutil

import httpx
import pytest
from small_models import FAMILIES, NASTY, make_model, write_tokenizer

from ml.conversation import load_conversation
from ml.gguf import adapter_gguf, base_gguf
from ml.gguf_tokenizer import CUTS, Unconvertible, add_tokenizer


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {name: make_model(name, tmp_path_factory.mktemp(name)) for name in FAMILIES}


def change(base, file="config.json", **facts):
    told = json.loads((base / file).read_text())
    (base / file).write_text(json.dumps(told | facts))


def llama_tokens(file, texts):
    """Let llama.cpp itself cut texts into tokens."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.verbosity, params.warmup = str(file), 64, 0, False
    server = xllamacpp.Server(params)
    asked = [{"content": t, "add_special": False, "parse_special": False} for t in texts]
    with httpx.Client(base_url=server.listening_address, trust_env=False) as http:
        return [http.post("/tokenize", json=a).json()["tokens"] for a in asked]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_text_has_the_same_tokens_in_llama_cpp(models, tmp_path, name):
    file = base_gguf(models[name], tmp_path, "f32")
    conversation = load_conversation(models[name])
    # llama.cpp composes no characters; prompts reach it as tokens.
    plain = [t for t in NASTY if name[:4] != "qwen" or "\u0301" not in t]

    assert llama_tokens(file, plain) == [conversation.text(t) for t in plain]


def test_the_tiny_models_tokens_are_the_same_too(tiny_base, tmp_path):
    conversation = load_conversation(tiny_base)

    file = base_gguf(tiny_base, tmp_path, "f32")
    assert llama_tokens(file, NASTY) == [conversation.text(t) for t in NASTY]


def test_a_base_model_is_converted_once_and_a_damaged_file_again(tiny_base, tmp_path):
    file = base_gguf(tiny_base, tmp_path, "f32")
    made = file.stat().st_mtime_ns
    assert base_gguf(tiny_base, tmp_path, "f32") == file
    assert file.stat().st_mtime_ns == made

    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert base_gguf(tiny_base, tmp_path, "f32").read_bytes() == whole
    small = base_gguf(tiny_base, tmp_path, "q8_0")
    assert small.stat().st_size < len(whole) / 2


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "architecture is MambaForCausalLM"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "architecture is LlamaForCausalLM"),
        (
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
            "scaled by linear",
        ),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(models, tmp_path, facts, reason):
    copy = shutil.copytree(models["smollm2"], tmp_path / "copy")
    change(copy, **facts)

    with pytest.raises(Unconvertible, match=reason):
        base_gguf(copy, tmp_path, "f32")


def test_an_unknown_tokenizer_is_refused(models, tmp_path):
    copy = shutil.copytree(models["smollm2"], tmp_path / "copy")
    told = json.loads((copy / "tokenizer.json").read_text())
    change(copy, "tokenizer.json", model=told["model"] | {"ignore_merges": True})
    with pytest.raises(Unconvertible, match="BPE with ignore_merges"):
        base_gguf(copy, tmp_path, "f32")
    change(copy, "tokenizer.json", model=told["model"], normalizer={"type": "Lowercase"})
    with pytest.raises(Unconvertible, match="normalizes by Lowercase"):
        base_gguf(copy, tmp_path, "f32")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(Unconvertible, match="no tokenizer.json"):
        base_gguf(copy, tmp_path, "f32")


def test_every_known_cut_is_written_under_its_name(tmp_path):
    from gguf import GGUFWriter

    for cut in CUTS.values():
        write_tokenizer(cut, tmp_path / cut)
        writer = GGUFWriter(str(tmp_path / "any.gguf"), "llama")
        add_tokenizer(writer, load_conversation(tmp_path / cut), 640)
        (fields,) = writer.kv_data

        assert fields["tokenizer.ggml.pre"].value == cut
        assert fields["tokenizer.ggml.tokens"].value[-1] == "[PAD639]"


def test_an_adapter_that_is_no_plain_lora_is_refused(tiny_base, tmp_path):
    import torch
    from safetensors.torch import save_file

    def adapter(key="lm_head.lora_A.weight", **facts):
        save_file(
            {f"base_model.model.{key}": torch.ones(2, 64)}, tmp_path / "adapter_model.safetensors"
        )
        told = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, **facts}
        (tmp_path / "adapter_config.json").write_text(json.dumps(told))
        return adapter_gguf(tiny_base, tmp_path, tmp_path / "adapter.gguf")

    with pytest.raises(Unconvertible, match="no plain LoRA .use_dora"):
        adapter(use_dora=True)
    with pytest.raises(Unconvertible, match="changes base_model.model.lm_head"):
        adapter()
    (tmp_path / "base_model.txt").write_text("another")
    with pytest.raises(ValueError, match="another state of the base model"):
        adapter()
