"""Small models of several families, made in place with random weights and tokenizers that cut texts as theirs do."""

import json
from pathlib import Path

from ml.gguf_tokenizer import CUTS
from ml.tiny import CHAT_TEMPLATE, END, PAD, SPECIAL

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}
# Family, how its texts are cut, and what its configuration says beyond the common.
FAMILIES = {
    "smollm2": ("llama", "smollm", {"tie_word_embeddings": True}),
    "llama3": ("llama", "llama-bpe", {"rope_parameters": LLAMA3_ROPE, "head_dim": 16}),
    "qwen2": ("qwen2", "qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", "qwen2", {"head_dim": 32}),
}
NASTY = (
    *("", " ", "  two  spaces ", "tabs\t\tand\r\n\r\nlines \n ", "a" * 300, "don't WE'LL I'M 's"),
    *(
        "1234567890 3.14 ½ ²",
        "naïve café Ünïcode",
        "日本語のテキスト、中文",
        "한국어",
        "עברית العربية",
    ),
    *(
        "🧵👩‍👩‍👧‍👦🇩🇪",
        "e\u0301 o\u0308",
        "\u200b\u200e\ufeff zero",
        "\x01\x7f control",
        "<|user|> <|end|>",
    ),
    *(
        "def f(x):\n    return x  # ok\n",
        "https://a.example/?q=1&b=%20",
        "\u00a0nbsp\u2003em",
        "€…—“”",
    ),
)


def make_model(name: str, folder: Path, **changes: object) -> Path:
    """Write a model of a family, of some hundred thousand parameters."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    family, cut, special = FAMILIES[name]
    write_tokenizer(cut, folder)
    config = AutoConfig.for_model(
        family,
        **{
            "vocab_size": 640,  # more places than tokens, as some families have
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "pad_token_id": SPECIAL.index(PAD),
            "eos_token_id": SPECIAL.index(END),
            "bos_token_id": None,
            **special,
            **changes,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for weights in model.parameters():
                # Surer of itself than transformers makes it, or two tokens would be as likely as each other.
                weights.add_(torch.randn_like(weights) * (0.3 if weights.ndim == 1 else 0.1))
    model.save_pretrained(folder)
    return folder


def write_tokenizer(cut: str, folder: Path) -> None:
    """Train a byte-level BPE that cuts texts in a named way."""
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(ignore_merges=cut == "llama-bpe"))
    tokenizer.pre_tokenizer, tokenizer.decoder = cutter(cut), decoders.ByteLevel()
    if cut == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([Path(__file__).read_text(encoding="utf-8")], trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(SPECIAL[2:]),
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)


def swap_tokens(folder: Path) -> None:
    """Give a model a tokenizer of the same size that is another one: two of its tokens change places."""
    file = folder / "tokenizer.json"
    written = json.loads(file.read_text(encoding="utf-8"))
    known = written["model"]["vocab"]
    known["e"], known["t"] = known["t"], known["e"]
    file.write_text(json.dumps(written), encoding="utf-8")


def cutter(name: str):
    """Build what cuts texts as llama.cpp does under a name."""
    from tokenizers import Regex, pre_tokenizers

    byte_level = pre_tokenizers.ByteLevel
    (steps,) = [steps for steps, cut in CUTS.items() if cut == name]
    made = {
        "ByteLevel:regex": lambda _: byte_level(add_prefix_space=False),
        "ByteLevel": lambda _: byte_level(add_prefix_space=False, use_regex=False),
        "Digits:individual": lambda _: pre_tokenizers.Digits(individual_digits=True),
    }
    parts = [
        pre_tokenizers.Split(Regex(step.removeprefix("Split:")), "isolated")
        if step.startswith("Split:")
        else made[step](step)
        for step in steps
    ]
    return parts[0] if len(parts) == 1 else pre_tokenizers.Sequence(parts)
