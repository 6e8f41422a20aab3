"""The tiny base model: an ordinary Hugging Face folder, made once, gone on with after a kill."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SMALLEST

from ml import tiny
from ml.corpus import read_corpus
from ml.tiny import CHAT_TEMPLATE, TinySize, base_model_folder, pretrain_tiny

SHORT = replace(SMALLEST, steps=6, long_steps=1, hidden=32, inner=64, tokens=512)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tiny, "CHECKPOINT_STEPS", 3)
    yield


def test_the_folder_is_an_ordinary_model_in_safetensors(tiny_base: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    names = {f.name for f in tiny_base.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "manifest.json"} <= names
    assert not [n for n in names if n.endswith((".pt", ".bin", ".pkl"))]
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.max_position_embeddings == SMALLEST.context
    text = "It isn’t `x` — 🧵\n\tdone"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_pretraining_learns(tiny_base: Path) -> None:
    metrics = json.loads((tiny_base / "manifest.json").read_text())["metrics"]

    assert metrics["loss_last"] < metrics["loss_first"] - 0.5
    assert metrics["parameters"] < 1e6


def test_the_template_says_who_speaks(tiny_base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    said = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]

    text = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    assert text == "<|system|>S<|end|><|user|>U<|end|><|assistant|>"


def test_a_second_call_returns_the_same_folder_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    first = pretrain_tiny(tmp_path, size=SHORT, report=said.append)
    count = len(said)

    assert pretrain_tiny(tmp_path, size=SHORT, report=said.append) == first
    assert len(said) == count
    assert pretrain_tiny(tmp_path, size=replace(SHORT, seed=8), report=said.append) != first


def test_a_killed_pretraining_goes_on_and_ends_in_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pretrain_tiny(tmp_path / "whole", size=SHORT)
    steps: list[int] = []
    step = tiny._step

    def dies(*given: object) -> float:
        if len(steps) == 4:
            raise KeyboardInterrupt
        steps.append(1)
        return step(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(tiny, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        pretrain_tiny(tmp_path / "cut", size=SHORT)
    assert not list((tmp_path / "cut").glob("tiny-*"))
    monkeypatch.setattr(tiny, "_step", lambda *given: steps.append(1) or step(*given))
    cut = pretrain_tiny(tmp_path / "cut", size=SHORT)

    assert len(steps) == 4 + 3  # the first three were kept
    assert cut.name == whole.name
    weights = "model.safetensors"
    assert (cut / weights).read_bytes() == (whole / weights).read_bytes()


def test_a_loss_that_is_no_number_ends_the_pretraining(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="diverged at step"):
        pretrain_tiny(tmp_path, size=replace(SHORT, learning_rate=float("inf")))


def test_the_progress_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="ml.tiny"):
        pretrain_tiny(tmp_path, size=replace(SHORT, seed=9))

    assert "pretraining step 6/6 loss" in caplog.text


def test_names_other_than_tiny_are_left_to_the_catalogue(tiny_base: Path, tmp_path: Path) -> None:
    assert base_model_folder(str(tiny_base), tmp_path) == str(tiny_base)
    assert list(tmp_path.iterdir()) == []


def test_the_corpus_is_distinct_prose_and_the_same_each_time() -> None:
    passages = read_corpus(150_000)

    assert passages == read_corpus(150_000)
    assert len({p.text for p in passages}) == len(passages) > 30
    assert sum(len(p.text) for p in passages) <= 150_000
    assert all(len(p.text.split()) >= 12 and p.question.strip() for p in passages)


def test_the_default_size_is_small_enough_for_the_catalogue() -> None:
    size = TinySize()

    assert size.context >= 1024
    assert size.hidden % size.heads == 0 == size.heads % size.shared_heads
