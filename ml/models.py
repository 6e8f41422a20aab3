"""Base models: what is known of them before loading (`models.yaml`), whether they fit, where their files are.

Nothing is loaded into memory here. A model is a name of the hub or a folder; only safetensors are
accepted, and no code that a model brings is run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ml.hub import fetch, kept, model_name, weights_size

GIGABYTE = 10**9
CATALOGUE = Path(__file__).with_name("models.yaml")
INDEX = "model.safetensors.index.json"
ADVICE = "Set TWIN_BASE_MODEL to tiny, to a folder, or to another name of the hub."


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a training would run: `memory` in bytes is the GPU's if there is one."""

    memory: int
    gpu: bool


def this_machine() -> Machine:
    """Measure this machine; inside a container its limit counts."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return Machine(int(torch.cuda.get_device_properties(0).total_memory), gpu=True)
    total, limit = int(psutil.virtual_memory().total), Path("/sys/fs/cgroup/memory.max")
    said = limit.read_text().strip() if limit.exists() else "max"
    return Machine(min(total, int(said)) if said.isdigit() else total, gpu=False)


def check_fits(name: str, memory_bytes: int, *, gpu: bool = False, weights: int = 0) -> None:
    """Refuse a model whose fine-tuning needs more memory than there is; unknown ones pass."""
    needed, where = needed_gigabytes(name, gpu=gpu, weights=weights), "a GPU" if gpu else "a CPU"
    if needed is None or needed * GIGABYTE <= memory_bytes:
        return
    fitting = [
        (facts["parameters"], other)
        for other, facts in _catalogue()["models"].items()
        if facts["memory"]["gpu" if gpu else "cpu"] * GIGABYTE <= memory_bytes
    ]
    advice = f"{max(fitting)[1]} is the largest known one that fits" if fitting else "none fits"
    raise ValueError(
        f"The base model {name!r} needs about {needed:.0f} GB to be fine-tuned on {where}, but this machine has "
        f"{memory_bytes / GIGABYTE:.1f} GB. Set TWIN_BASE_MODEL to a smaller one ({advice}) or use a larger machine."
    )


def needed_gigabytes(name: str, *, gpu: bool = False, weights: int = 0) -> float | None:
    """Estimate the memory of a fine-tuning; None for a model that is neither in the catalogue nor on the disk.

    `weights` are the bytes of one that is not on the disk yet, where they are known.
    """
    if facts := _find(name):
        return float(facts["memory"]["gpu" if gpu else "cpu"])
    files = Path(name).expanduser().glob("*.safetensors")
    # Weights on disk take two bytes a parameter, or four; float32 in memory takes four.
    size = (weights or sum(f.stat().st_size for f in files)) / GIGABYTE
    return 1 + (size * 0.6 if gpu else size * 2.4) if size else None


def lora_layers(name: str, model_type: str) -> list[str] | str:
    """Name the layers that LoRA adapts: the family's, or all linear ones of an unknown family."""
    facts = _find(name) or {}
    family = _catalogue()["families"].get(facts.get("family", model_type))
    return list(family["lora"]) if family else "all-linear"


def learning_rate(name: str) -> float:
    """Return the rate at which LoRA on this model learns well; small models want a higher one."""
    facts = _find(name) or {}
    return float(facts.get("learning_rate", _catalogue()["learning_rate"]))


def four_bits(name: str) -> bool:
    """Tell whether a model is fine-tuned over 4-bit weights on a GPU; unknown ones are."""
    facts = _find(name)
    return facts is None or str(facts["precision"]).endswith("4-bit")


def can_write(name: str) -> bool:
    """Tell whether a model may be expected to write sentences; `tiny` is there to show that all works."""
    facts = _find(name)
    return facts is None or bool(facts.get("hub"))


def catalogue_names() -> dict[str, str]:
    """Return the catalogue's models with their names on the hub, empty for what is no model of the hub."""
    models: dict[str, Mapping[str, Any]] = _catalogue()["models"]
    return {m: str(facts.get("hub", "")) for m, facts in models.items()}


def local_folder(name: str, commit: str = "") -> str:
    """Return the folder of a model; one of the hub is downloaded, unless it is too large for this machine.

    `commit` is the state of its repository that is wanted; without it, the newest.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or name.startswith((".", "~")):
            raise FileNotFoundError(f"The base model {name!r} is no folder. {ADVICE}")
        _refuse_too_large(name, commit)
        folder = fetch(hub_name(name), commit, "base model", ADVICE)
    _refuse_incomplete(folder)
    return str(folder)


def _refuse_too_large(name: str, commit: str) -> None:
    """Refuse a model of the hub that this machine cannot train, before its weights are asked for."""
    machine = this_machine()
    check_fits(name, machine.memory, gpu=machine.gpu)
    if needed_gigabytes(name) is None and kept(name, commit) is None:
        check_fits(name, machine.memory, gpu=machine.gpu, weights=weights_size(name, commit))


def _refuse_incomplete(folder: Path) -> None:
    if not (folder / "config.json").exists() or not list(folder.glob("*.safetensors")):
        raise FileNotFoundError(
            f"{folder} holds no Hugging Face model: config.json and *.safetensors are needed (pickles are refused)."
        )
    index = folder / INDEX
    parts = json.loads(index.read_text())["weight_map"].values() if index.exists() else ()
    if missing := sorted({p for p in parts if not (folder / p).exists()}):
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}, which {INDEX} names.")


def hub_name(name: str) -> str:
    """Return where the hub has a model that is called by its bare name in the catalogue; other names stay."""
    hub = (_find(name) or {}).get("hub") if "/" not in name else None
    return str(hub or name)


def identity(folder: Path) -> str:
    """Hash what tells one state of a base model from another, without reading all of a large one."""
    import hashlib

    mark = hashlib.sha256()
    # `_name_or_path` and the like would make two copies differ.
    config = json.loads((folder / "config.json").read_text())
    mark.update(
        json.dumps({k: v for k, v in config.items() if k[0] != "_"}, sort_keys=True).encode()
    )
    for file in sorted(folder.glob("*.safetensors")):
        mark.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as stream:
            mark.update(stream.read(2**24))
    return mark.hexdigest()[:32]


def _find(name: str) -> Mapping[str, Any] | None:
    """Find a model by the last part of its name, whatever follows the size (`-Instruct`, `-it`, `-v0.3`)."""
    last = model_name(name).lower()
    models: dict[str, Mapping[str, Any]] = _catalogue()["models"]
    found = [m for m in models if last == m.lower() or last.startswith(m.lower() + "-")]
    return models[max(found, key=len)] if found else None


def _catalogue() -> dict[str, Any]:
    return _parsed(CATALOGUE, CATALOGUE.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _parsed(catalogue: Path, changed_at: int) -> dict[str, Any]:
    """Read the catalogue once for each state: every question asks it, and to parse it takes 12 ms."""
    values: dict[str, Any] = yaml.safe_load(catalogue.read_text(encoding="utf-8"))
    return values
