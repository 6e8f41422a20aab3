"""Embedding models and cross-encoders that are made in place: MiniLM's tokenizer over a few random weights."""

import shutil
from pathlib import Path

from ml.embed import _installed_minilm

DIMENSIONS = 32


def make_embedder(folder: Path, seed: int) -> Path:
    """Write a sentence-transformers folder of one layer; another seed is another model."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        hidden_size=DIMENSIONS,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=258,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    shutil.copy(_installed_minilm() / "tokenizer.json", folder)
    return folder


def make_cross_encoder(folder: Path, *, labels: int) -> Path:
    """Write a cross-encoder of one layer that scores pairs of texts."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(labels)
    config = BertConfig(
        hidden_size=DIMENSIONS,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(_installed_minilm() / "tokenizer.json"),
        **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
    )
    tokenizer.save_pretrained(folder)
    return folder
