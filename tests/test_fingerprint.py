"""What was made in another way is refused, and what makes no difference is not."""

import shutil
from pathlib import Path

import pytest
from small_models import swap_tokens

import ml.fingerprint
from ml.conversation import load_conversation
from ml.fingerprint import (
    FingerprintMismatch,
    check,
    index_fingerprint,
    model_fingerprint,
    tokenizer_fingerprint,
)
from ml.prompts import twin_messages


def by_words(text):
    """Give the place of every word, as a tokenizer would."""
    spans, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    return spans


def test_the_same_steps_have_the_same_mark():
    assert index_fingerprint("minilm", by_words, 60) == index_fingerprint("minilm", by_words, 60)


def test_embedder_chunk_size_and_tokens_change_the_mark():
    marks = {
        index_fingerprint("minilm", by_words, 60),
        index_fingerprint("other", by_words, 60),
        index_fingerprint("minilm", by_words, 61),
        index_fingerprint("minilm", lambda t: by_words(t)[::2], 60),
    }

    assert len(marks) == 4


def test_another_prompt_or_base_model_changes_the_models_mark(monkeypatch):
    before = model_fingerprint("index", "tiny")
    assert model_fingerprint("index", "larger") != before
    assert model_fingerprint("other index", "tiny") != before

    def polite(question, *rest):
        return twin_messages(f"Please: {question}", *rest)

    monkeypatch.setattr(ml.fingerprint, "twin_messages", polite)
    assert model_fingerprint("index", "tiny") != before


def test_a_changed_cleaning_step_changes_the_mark(monkeypatch):
    from ml.text import clean

    before = index_fingerprint("minilm", by_words, 60)

    def shouting(document, *rest):
        from dataclasses import replace

        return replace(clean(document, *rest), text=clean(document, *rest).text.upper())

    monkeypatch.setattr(ml.fingerprint, "clean", shouting)
    assert index_fingerprint("minilm", by_words, 60) != before


def test_a_mismatch_says_what_and_what_to_do():
    check("a" * 32, "a" * 32, "Model m", "Train again.")

    with pytest.raises(FingerprintMismatch, match=r"Model m .*bbbb.*aaaa.*Train again\."):
        check("a" * 32, "b" * 32, "Model m", "Train again.")


def test_a_tokenizer_of_the_same_size_has_another_mark_and_a_copy_the_same(
    tiny_base: Path, tmp_path: Path
) -> None:
    ours = load_conversation(tiny_base)
    ours.tokenizer.save_pretrained(tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / "other")
    swap_tokens(tmp_path / "other")
    copy, other = load_conversation(tmp_path / "copy"), load_conversation(tmp_path / "other")

    assert tokenizer_fingerprint(copy) == tokenizer_fingerprint(ours)
    assert len(other.tokenizer) == len(ours.tokenizer)
    assert tokenizer_fingerprint(other) != tokenizer_fingerprint(ours)
