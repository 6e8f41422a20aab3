"""Learn from models of a hub and answer with them, in a process of its own; the environment says which hub.

As a program: `run_hub.py FOLDER [MODEL]`. Where no model is named, it learns. The last line of its output is JSON.
"""

import json
import sys
from pathlib import Path

from builders import chunk
from search_world import search_world

from include.embedding_cache import open_embedder
from include.learning import base_folder, train_model
from include.ranking import open_judge
from include.settings import Settings
from ml.types import Message
from serving.slot import load_model, speak

BASE, BASE_ON_HUB = "Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct"
EMBEDDER, JUDGE = "somebody/small-embedder", "somebody/small-judge"
QUESTION = Message("user", "What about rope number 3?")
GREEDY = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}
CHANGES = {"wandb_mode": "disabled", "sft_steps": 2, "dpo_steps": 0}


def learn(folder: Path) -> str:
    """Train on a dataset of samples; returns the model's id."""
    world = search_world(folder, Path(BASE), **_world(folder))
    return str(train_model(world, "d0")["model_id"])


def told(folder: Path, model_id: str, *engines: str) -> dict[str, object]:
    """Answer by some engines, embed, and say where the base model lies that is trained on next."""
    world = Settings(data_dir=folder / "data", base_model=BASE, **_world(folder))
    return {
        "model": model_id,
        "answers": [_answer(world, model_id, engine) for engine in engines],
        "vector": open_embedder(world).encode([QUESTION.content])[0].tolist(),
        "own base": base_folder(world, model_id),
        "next base": base_folder(world),
    }


def judged(folder: Path) -> list[float]:
    """Score passages by the cross-encoder that a world names."""
    judge = open_judge(Settings(**_world(folder)))
    assert judge
    return judge(QUESTION.content, [chunk("We check the rope.")])


def _world(folder: Path) -> dict[str, object]:
    return {"cache_dir": folder / "cache", "embedder": EMBEDDER, "reranker": JUDGE, **CHANGES}


def _answer(world: Settings, model_id: str, engine: str) -> str:
    """Load a model as a replica does, and let it answer."""
    loaded = load_model(world.model_copy(update={"engine": engine}), model_id)
    assert loaded.engine.name == engine, loaded.engine.note
    return "".join(str(e.get("text", "")) for e in speak(loaded, [QUESTION], GREEDY))


if __name__ == "__main__":
    place, *known = Path(sys.argv[1]), *sys.argv[2:]
    if known:
        said = told(place, known[0], "llamacpp")
    else:
        # What trains and judges takes seconds to import: once is enough.
        said = told(place, learn(place), "transformers", "llamacpp") | {"score": judged(place)}
    sys.stdout.write("\n" + json.dumps(said) + "\n")
