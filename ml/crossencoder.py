"""Judge a question and a passage together with any cross-encoder of Hugging Face, by name or folder.

Better than the platform's own ranking where a good one is at hand, and some ten milliseconds slower for
each passage. Weights come from safetensors only.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ml.hub import fetch
from ml.rerank import Scores
from ml.types import Chunk

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 8
ADVICE = "Set TWIN_RERANKER to own, to a folder, or to a name of the hub."


def load_cross_encoder(name: str) -> Scores:
    """Load a cross-encoder; OSError says what to do where there is none."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = fetch(name, "", "cross-encoder", ADVICE)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"The cross-encoder {name!r} could not be loaded ({type(error).__name__}: {str(error)[:200]}). {ADVICE}"
        ) from None
    return partial(_judge, model.eval(), tokenizer)


def _judge(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    question: str,
    chunks: Sequence[Chunk],
) -> list[float]:
    """Score a question with each passage, some at a time; a passage that is too long is cut."""
    import torch

    longest = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings))
    scores: list[float] = []
    for start in range(0, len(chunks), BATCH):
        texts = [f"{c.title}\n{c.text}" for c in chunks[start : start + BATCH]]
        given = tokenizer(
            [question] * len(texts),
            texts,
            padding=True,
            truncation="only_second",
            max_length=longest,
            return_tensors="pt",
        )
        with torch.inference_mode():
            scores += _scores(model(**given).logits)
    return scores


def _scores(logits: "torch.Tensor") -> list[float]:
    """Read one score of each row: the only one, or how much likelier the last class is than the first."""
    last = logits[:, -1] - (logits[:, 0] if logits.shape[1] > 1 else 0.0)
    return [float(s) for s in last]
