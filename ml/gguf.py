"""Hugging Face models as GGUF files for llama.cpp: a base model once, kept by hash, and LoRA adapters beside it.

    <cache>/gguf/<name>-<mark>.gguf        weights and tokenizer, written aside and renamed
    <cache>/gguf/<name>-<mark>.json        its sha256, last

An architecture, a tokenizer or an adapter that would not come out exactly is refused.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.conversation import load_conversation
from ml.files import locked, read_json, sha256, sync, write_json
from ml.generate import check_adapter, load_base, quiet
from ml.gguf_tokenizer import Unconvertible, add_tokenizer
from ml.hub import model_name
from ml.models import identity
from ml.types import digest

if TYPE_CHECKING:
    import numpy as np
    import torch
    from gguf import GGUFWriter, TensorNameMap
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

VERSION = "1"  # count on when anything here changes the files
# Classes of transformers, what llama.cpp calls them, and whether it reads query and key rows in pairs.
ARCHITECTURES = {
    "LlamaForCausalLM": ("llama", True),
    "Qwen2ForCausalLM": ("qwen2", False),
    "Qwen3ForCausalLM": ("qwen3", False),
}
# Of an adapter's configuration: what LoRA alone, in its plain form, leaves empty.
BEYOND_LORA = (
    *("alpha_pattern", "rank_pattern", "modules_to_save", "use_dora", "trainable_token_indices"),
    *("lora_bias", "layer_replication", "target_parameters", "megatron_config"),
)


def base_gguf(base: Path, cache: Path, precision: str) -> Path:
    """Return the GGUF file of a base model: weights in f32, or matrices in q8_0; converted at the first call."""
    tokenizer = base / "tokenizer.json"
    if not tokenizer.exists():
        raise Unconvertible("it has no tokenizer.json")
    mark = digest(VERSION, identity(base), sha256(tokenizer), precision)[:16]
    file = cache / "gguf" / f"{model_name(str(base))}-{mark}.gguf"
    with locked(file.with_name(f".{file.stem}.lock")):
        noted = read_json(file.with_suffix(".json")).get("sha256")
        if not file.exists() or noted != sha256(file):
            part = file.with_name(f".{file.name}.part")
            _write_base(base, part, precision)
            sync(part)
            part.replace(file)
            write_json(file.with_suffix(".json"), {"sha256": sha256(file)})
    return file


def adapter_gguf(base: Path, adapter: Path, file: Path) -> Path:
    """Write a LoRA adapter as a GGUF file for the base model that it was trained on."""
    from safetensors.torch import load_file

    check_adapter(str(base), adapter)
    facts = read_json(adapter / "adapter_config.json")
    beyond = [name for name in BEYOND_LORA if facts.get(name)]
    if facts.get("peft_type") != "LORA" or facts.get("bias", "none") != "none" or beyond:
        raise Unconvertible(f"its adapter is no plain LoRA ({', '.join(beyond) or 'other kind'})")
    config = read_json(base / "config.json")
    writer = _writer(file, config)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    rank = int(facts["r"])
    alpha = float(facts["lora_alpha"]) * (math.sqrt(rank) if facts.get("use_rslora") else 1.0)
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, tensor in _lora(load_file(adapter / "adapter_model.safetensors"), config):
        writer.add_tensor(name, tensor)
    _finish(writer)
    return file


def _write_base(base: Path, file: Path, precision: str) -> None:
    config = read_json(base / "config.json")
    writer = _writer(file, config)
    with quiet():
        model = load_base(str(base))
    _add_shape(writer, config | model.config.to_dict())
    conversation = load_conversation(base)
    add_tokenizer(writer, conversation, int(config["vocab_size"]))
    _add_ends(writer, conversation.ends)
    for name, tensor in _weights(model.state_dict(), config | model.config.to_dict()):
        _add_weights(writer, name, tensor, precision)
    _finish(writer)


def _writer(file: Path, config: Mapping[str, Any]) -> "GGUFWriter":
    from gguf import GGUFWriter

    return GGUFWriter(str(file), _architecture(config)[0])


def _finish(writer: "GGUFWriter") -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _architecture(config: Mapping[str, Any]) -> tuple[str, bool]:
    (name,) = config.get("architectures") or ["?"]
    odd = [k for k in ("attention_bias", "mlp_bias", "use_sliding_window") if config.get(k)]
    if name not in ARCHITECTURES or odd or config.get("hidden_act") != "silu":
        raise Unconvertible(f"its architecture is {name} {' '.join(odd)}".strip())
    return ARCHITECTURES[name]


def _add_shape(writer: "GGUFWriter", config: Mapping[str, Any]) -> None:
    heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
    head = int(config.get("head_dim") or width // heads)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(config["vocab_size"])
    _add_rope(writer, dict(config["rope_parameters"]), head)


def _add_rope(writer: "GGUFWriter", rope: Mapping[str, Any], head: int) -> None:
    import numpy as np

    kind, base = rope.get("rope_type", "default"), float(rope["rope_theta"])
    writer.add_rope_freq_base(base)
    if kind == "llama3":
        factors = [_slowed(base ** (-i / head), rope) for i in range(0, head, 2)]
        writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    elif kind != "default":
        raise Unconvertible(f"its positions are scaled by {kind}")


def _slowed(frequency: float, rope: Mapping[str, Any]) -> float:
    """Return by what Llama 3 divides a frequency, so that long texts look like the shorter ones it first learned."""
    turns = rope["original_max_position_embeddings"] * frequency / (2 * math.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = min(max((turns - low) / (high - low), 0.0), 1.0)
    return float(1 / ((1 - smooth) / rope["factor"] + smooth))


def _add_ends(writer: "GGUFWriter", ends: tuple[int, ...]) -> None:
    """Name the tokens that end an answer; the format has a place for three."""
    places = (writer.add_eos_token_id, writer.add_eot_token_id, writer.add_eom_token_id)
    for add, token in zip(places, ends, strict=False):
        add(token)


def _weights(
    state: Mapping[str, "torch.Tensor"], config: Mapping[str, Any]
) -> Iterator[tuple[str, "Floats"]]:
    names, (_, paired) = _names(config), _architecture(config)
    tied = config.get("tie_word_embeddings")
    for key, tensor in state.items():
        if not (tied and key == "lm_head.weight"):
            floats = _numbers(key, tensor)
            yield _named(names, key), _paired(key, floats, config) if paired else floats


def _lora(
    state: Mapping[str, "torch.Tensor"], config: Mapping[str, Any]
) -> Iterator[tuple[str, "Floats"]]:
    names, (_, paired) = _names(config), _architecture(config)
    for key, tensor in state.items():
        layer, _, side = key.removeprefix("base_model.model.").rpartition(".lora_")
        if side not in ("A.weight", "B.weight") or "lm_head" in layer:
            raise Unconvertible(f"its adapter changes {key}")
        floats = _numbers(key, tensor)
        rows = paired and side[0] == "B"
        floats = _paired(f"{layer}.weight", floats, config) if rows else floats
        yield f"{_named(names, layer + '.weight')}.lora_{side[0].lower()}", floats


def _numbers(key: str, tensor: "torch.Tensor") -> "Floats":
    """Return weights; where one is no number, llama.cpp would speak all the same, and transformers fails."""
    if not tensor.isfinite().all():
        raise Unconvertible(f"its weights {key} hold what is no number")
    floats: Floats = tensor.float().cpu().numpy()
    return floats


def _names(config: Mapping[str, Any]) -> "TensorNameMap":
    import gguf

    kind = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[_architecture(config)[0]]
    return gguf.get_tensor_name_map(kind, int(config["num_hidden_layers"]))


def _named(names: "TensorNameMap", key: str) -> str:
    found = names.get_name(key, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise Unconvertible(f"it has weights named {key}")
    return found


def _paired(key: str, rows: "Floats", config: Mapping[str, Any]) -> "Floats":
    """Order the rows of queries and keys as llama.cpp turns them: the halves of a head interleaved."""
    counts = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
    found = [config[count] for name, count in counts.items() if f".{name}." in key]
    if not found:
        return rows
    half = rows.shape[0] // found[0] // 2
    return rows.reshape(found[0], 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


def _add_weights(writer: "GGUFWriter", name: str, tensor: "Floats", precision: str) -> None:
    import gguf
    import numpy as np

    small = tensor.ndim < 2 or tensor.shape[-1] % 32
    if precision == "f32" or small:
        writer.add_tensor(name, np.ascontiguousarray(tensor))
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    packed = gguf.quants.quantize(np.ascontiguousarray(tensor), kind)
    writer.add_tensor(name, packed, raw_dtype=kind)
