"""Adapters: the base model that they stand on, loaded for training; a fresh one; and one written down."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.checkpoints import room_on_disk
from ml.conversation import Conversation
from ml.files import write_whole
from ml.fingerprint import tokenizer_fingerprint
from ml.generate import BASE_FILE, COMMIT_FILE, TOKENIZER_FILE, load_base
from ml.hub import commit_of
from ml.models import four_bits, identity, lora_layers
from ml.recipe import Recipe, Weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Numbers that share one scale in 4 bits.
BLOCK = 64
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


def load_trainable(base: str, weights: Weights, report: Callable[[str], None]) -> "PreTrainedModel":
    """Load a base model for a training, its weights whole or in 4 bits, which is QLoRA.

    Source: Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023.
    """
    import torch
    from transformers import BitsAndBytesConfig

    gpu = torch.cuda.is_available()
    if weights == "full" or (weights == "auto" and not (gpu and four_bits(base))):
        return load_base(base)
    quantized = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if gpu else torch.float32,
    )
    model = load_base(base, quantization_config=quantized)
    if not gpu:
        _refuse_odd(base, model)
    report(f"QLoRA: the base model takes {model.get_memory_footprint() / 1e6:,.0f} MB in 4 bits")
    return model


def _refuse_odd(base: str, model: Any) -> None:
    """Refuse layers that bitsandbytes cannot read on a CPU; it would say so in the middle of a training."""
    from bitsandbytes.nn.modules import Linear4bit

    for name, layer in model.named_modules():
        if isinstance(layer, Linear4bit) and layer.in_features % BLOCK:
            raise ValueError(
                f"{base} cannot be trained in 4 bits on a CPU: {name} reads {layer.in_features} numbers, which is no "
                f"multiple of {BLOCK}. Take weights: full in the recipe, or a GPU."
            )


def adapt(base: str, model: "PreTrainedModel", recipe: Recipe) -> Any:
    """Put a fresh LoRA adapter on a model; the same for the same seed."""
    import torch
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=2 * recipe.lora_rank,
        target_modules=lora_layers(base, str(model.config.model_type)),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return get_peft_model(model, lora)


def refuse_strange(base: str, model: Any, rows: Sequence[Mapping[str, list[int]]]) -> None:
    """Refuse a tokenizer that gives tokens which the model does not know."""
    known = int(model.config.get_text_config().vocab_size)
    if (highest := max(max(row["input_ids"]) for row in rows)) >= known:
        raise ValueError(
            f"The tokenizer in {base} gives token {highest}, but the model knows {known}: it is another model's. "
            "Bring back the files that belong together."
        )


def width_of(model: Any, wanted: int) -> int:
    """Return how many tokens a sequence may have: what is wanted, but no more than the model reads."""
    return min(wanted, int(model.config.get_text_config().max_position_embeddings))


def write_adapter(base: str, source: Path, conversation: Conversation, target: Path) -> None:
    """Copy an adapter out of a checkpoint, with its tokenizer and notes on which base model it stands."""
    with room_on_disk(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in ADAPTER:
            shutil.copyfile(source / name, target / name)
        conversation.tokenizer.save_pretrained(str(target))
        write_whole(target / BASE_FILE, identity(Path(base)))
        write_whole(target / TOKENIZER_FILE, tokenizer_fingerprint(conversation))
        if commit := commit_of(Path(base)):
            write_whole(target / COMMIT_FILE, commit)
