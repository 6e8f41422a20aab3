"""Models of the hub, end to end: what is asked of it, what is kept, and sentences for what cannot be had.

The hub is one on loopback that speaks the protocol; its client is the real one. The whole, from a name to an answer,
runs in processes whose environment names the hub; the rest in this one, whose client is told by a patch.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_world import TOKEN, Asked, Hub, hub_environment, hub_running, take_from
from run_hub import BASE, BASE_ON_HUB, EMBEDDER, JUDGE, judged
from small_embedders import make_cross_encoder, make_embedder
from small_models import make_model

from include.settings import ROOT, Settings
from ml.crossencoder import load_cross_encoder
from ml.embed import load_embedder
from ml.generate import COMMIT_FILE
from ml.hub import commit_of, kept, model_name
from ml.models import GIGABYTE, Machine, local_folder
from serving.shelf import base_models

# What a repository has beside what is wanted of it.
UNWANTED = {
    "pytorch_model.bin": b"a pickle",
    "training_args.bin": b"a pickle",
    "consolidated.safetensors": b"the same weights again",
    "onnx/model.onnx": b"the same weights again",
    "README.md": b"words",
}
WEIGHTS = b"weights" * 1_000
NAME = "somebody/model"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with hub_running() as running:
        yield running


@pytest.fixture
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take models from the hub, which has nothing yet, into an empty folder."""
    take_from(hub, tmp_path / "home", monkeypatch)
    # The client waits a second before it asks again, and goes on after the last whole ten megabytes.
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda s: None))
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100)
    for forgotten in (hub.repositories, hub.cut, hub.short, hub.spoilt):
        forgotten.clear()
    hub.asked.clear()
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write what looks like a model to whoever only fetches it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    return folder


@dataclass(frozen=True)
class Learned:
    """A world that took all its models from the hub: what it said, what it printed, and what it asked for."""

    folder: Path
    home: Path
    base: Path
    commit: str
    said: dict[str, object]
    printed: str
    asked: list[Asked]


@pytest.fixture(scope="module")
def learned(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("hub")
    base = make_model("qwen2", folder / "base")
    commit = hub.publish(BASE_ON_HUB, base, UNWANTED)
    hub.publish(EMBEDDER, make_embedder(folder / "embedder", 1), UNWANTED)
    hub.publish(JUDGE, make_cross_encoder(folder / "judge", labels=1), UNWANTED)
    hub.asked.clear()
    said, printed = run(hub, folder / "home", folder / "world", HF_TOKEN=TOKEN)
    asked = list(hub.asked)
    return Learned(folder / "world", folder / "home", base, commit, said, printed, asked)


def run(hub: Hub, home: Path, *words: object, **environment: str) -> tuple[dict[str, object], str]:
    """Run the whole in a process of its own; returns what it said and all that it printed."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "run_hub.py"), *map(str, words)],
        env=hub_environment(hub, home, **environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1]), ran.stdout + ran.stderr


def test_a_bare_name_is_fetched_and_learned_from_and_answers_by_either_engine(
    learned: Learned,
) -> None:
    answers = learned.said["answers"]
    adapter = learned.folder / "data" / "artifacts" / "models" / str(learned.said["model"])

    assert answers[0] and answers[0] == answers[1]
    assert learned.said["own base"] == learned.said["next base"]
    assert model_name(learned.said["own base"]) == "Qwen2.5-0.5B-Instruct"
    assert commit_of(Path(str(learned.said["own base"]))) == learned.commit
    assert (adapter / COMMIT_FILE).read_text() == learned.commit
    assert len(learned.said["vector"]) == 32 and len(learned.said["score"]) == 1


def test_only_the_wanted_files_are_asked_for_each_once_and_nobody_is_told_what_is_trained(
    learned: Learned,
) -> None:
    paths = [a.path for a in learned.asked]
    got = [a.path for a in learned.asked if a.method == "GET" and "/api/" not in a.path]

    assert [p for p in paths if p.endswith(tuple(UNWANTED))] == []
    assert len(got) == len(set(got)) and sum(p.endswith("model.safetensors") for p in got) == 3
    assert [
        p for p in paths if not any(n in p for n in (BASE_ON_HUB, EMBEDDER, JUDGE, "/store/"))
    ] == []


def test_a_token_goes_to_the_hub_and_nowhere_else(learned: Learned) -> None:
    tokens = {a.path.startswith("/store/"): a.headers.get("authorization") for a in learned.asked}
    written = [
        p for p in learned.folder.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()
    ]

    assert tokens == {False: f"Bearer {TOKEN}", True: None}
    assert TOKEN not in learned.printed and written == []


def test_a_model_is_served_on_its_own_base_after_the_hub_has_another_without_asking_anybody(
    hub: Hub, learned: Learned, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = bytearray((learned.base / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    newer = hub.publish(BASE_ON_HUB, learned.base, {"model.safetensors": bytes(weights)})
    hub.asked.clear()
    with monkeypatch.context() as patch:
        take_from(hub, learned.home, patch)
        assert commit_of(Path(local_folder(BASE))) == newer
        assert hub.took() == ["model.safetensors"]  # the other files are the same, and here
        hub.asked.clear()
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert judged(learned.folder) == pytest.approx(learned.said["score"], abs=1e-5)

    said, _ = run(hub, learned.home, learned.folder, learned.said["model"], HF_HUB_OFFLINE="1")

    assert hub.asked == []
    assert said["answers"] == learned.said["answers"][1:]
    assert said["own base"] == learned.said["own base"]
    assert commit_of(Path(str(said["next base"]))) == newer
    assert said["vector"] == learned.said["vector"]


def test_a_second_time_nothing_is_fetched_and_news_that_nobody_wants_is_none(
    hub: Hub, home: Path, model: Path
) -> None:
    hub.publish(NAME, model, UNWANTED)
    first = local_folder(NAME)
    assert sorted(hub.took()) == ["config.json", "model.safetensors", "tokenizer.json"]
    hub.asked.clear()

    assert local_folder(NAME) == first
    assert [a.path for a in hub.asked] == [f"/api/models/{NAME}/revision/main"]

    hub.publish(NAME, model, {"README.md": b"other words"})
    hub.asked.clear()
    assert local_folder(NAME) != first and hub.took() == []


def test_a_model_too_large_for_the_machine_is_refused_before_a_byte_of_it_is_asked_for(
    hub: Hub, home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.models.this_machine", lambda: Machine(GIGABYTE // 2, gpu=False))
    hub.publish(BASE_ON_HUB, model)
    hub.publish(NAME, model)

    with pytest.raises(ValueError, match="'Qwen2.5-0.5B' needs about 6 GB.*has 0.5 GB"):
        local_folder(BASE)
    assert hub.asked == []
    # A model that the catalogue does not know: its size is asked for.
    with pytest.raises(ValueError, match=f"'{NAME}' needs about 1 GB.*has 0.5 GB"):
        local_folder(NAME)
    assert [a.path for a in hub.asked] == [f"/api/models/{NAME}"]


def test_a_gated_model_is_refused_without_a_token_and_fetched_with_one(
    hub: Hub, home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(NAME, model, gated=True)

    with pytest.raises(OSError, match="it is gated: accept its licence.*set HF_TOKEN"):
        local_folder(NAME)
    assert hub.took() == [] and kept(NAME) is None
    monkeypatch.setenv("HF_TOKEN", "hf_ofsomebodyelse")
    with pytest.raises(OSError, match="answered 401, so HF_TOKEN is no good") as refused:
        local_folder(NAME)
    assert "ofsomebodyelse" not in str(refused.value)

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert (Path(local_folder(NAME)) / "model.safetensors").read_bytes() == WEIGHTS


def test_what_is_not_on_the_hub_is_a_sentence(hub: Hub, home: Path, model: Path) -> None:
    hub.publish(NAME, model)

    with pytest.raises(OSError, match="'nobody/nothing'.*no such repository, or.*TWIN_BASE_MODEL"):
        local_folder("nobody/nothing")
    with pytest.raises(OSError, match="no name of a repository.*TWIN_BASE_MODEL"):
        local_folder("a/b/c")
    with pytest.raises(OSError, match="that commit of it is not there any more"):
        local_folder(NAME, "0" * 40)
    with pytest.raises(OSError, match="The embedder.*no such repository.*TWIN_EMBEDDER"):
        load_embedder("nobody/nothing", home)
    with pytest.raises(OSError, match="The cross-encoder.*no such repository.*TWIN_RERANKER"):
        load_cross_encoder("nobody/nothing")


def test_a_repository_of_pickles_is_refused_and_none_is_asked_for(
    hub: Hub, home: Path, model: Path
) -> None:
    (model / "model.safetensors").unlink()
    hub.publish(NAME, model, UNWANTED)

    for load in (local_folder, lambda name: load_embedder(name, home), load_cross_encoder):
        with pytest.raises(FileNotFoundError, match="no .*safetensors.*pickles are refused"):
            load(NAME)
    assert set(hub.took()) == {"config.json", "tokenizer.json"}


def test_a_download_that_is_cut_off_goes_on_where_it_was(hub: Hub, home: Path, model: Path) -> None:
    hub.publish(NAME, model)
    hub.cut["model.safetensors"] = [1_000, 500]

    folder = Path(local_folder(NAME))

    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    parts = [a.headers.get("range") for a in hub.asked if a.path.startswith("/store/")]
    assert [p for p in parts if p] == ["bytes=1000-", "bytes=1500-"]


def test_of_a_download_that_is_given_up_nothing_half_is_used_and_the_next_one_fetches_the_rest(
    hub: Hub, home: Path, model: Path
) -> None:
    hub.publish(BASE_ON_HUB, model)
    hub.cut["model.safetensors"] = [1_000, *[0] * 5]

    with pytest.raises(OSError, match="connection failed.*files that came whole are kept"):
        local_folder(BASE)
    assert list(home.rglob("*.incomplete")) == list(home.rglob("*.safetensors")) == []
    assert kept(BASE_ON_HUB) is None
    assert BASE not in base_models(Settings(cache_dir=home))
    hub.asked.clear()

    assert (Path(local_folder(BASE)) / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.took() == ["model.safetensors"]
    assert BASE in base_models(Settings(cache_dir=home))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_file_of_another_size_than_was_promised_is_not_kept(
    hub: Hub, home: Path, model: Path, file: str
) -> None:
    hub.publish(NAME, model)
    hub.short[file] = 3

    with pytest.raises(OSError, match="another size than was promised, so try again"):
        local_folder(NAME)
    assert list(home.rglob(file)) == [] and kept(NAME) is None

    hub.short.clear()
    assert (Path(local_folder(NAME)) / file).read_bytes() == (model / file).read_bytes()


def test_weights_of_other_bytes_than_were_promised_are_thrown_away(
    hub: Hub, home: Path, model: Path
) -> None:
    hub.publish(NAME, model)
    hub.spoilt.add("model.safetensors")

    with pytest.raises(OSError, match="model.safetensors in .* is damaged.*so try again"):
        local_folder(NAME)
    assert list(home.rglob("*.safetensors")) == [] and kept(NAME) is None

    hub.spoilt.clear()
    assert (Path(local_folder(NAME)) / "model.safetensors").read_bytes() == WEIGHTS


def test_where_the_hub_does_not_answer_what_is_here_is_used(
    hub: Hub, home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(NAME, model)
    here = local_folder(NAME)
    take_from(Hub(port=1), home, monkeypatch)

    assert local_folder(NAME) == here
    with pytest.raises(OSError, match=r"it does not answer \(ConnectError\), and not all"):
        local_folder("somebody/other")
