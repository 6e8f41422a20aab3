"""Speaking and scoring: whole characters, stop strings, seeds, and losses that do not depend on the batch."""

import threading
from pathlib import Path

import pytest
from samples import asked, examples

from ml.generate import Generator, load_generator
from ml.types import Message

QUESTION = (Message("user", "What does open do?"),)


@pytest.fixture(scope="module")
def generator(tiny_base: Path) -> Generator:
    return load_generator(str(tiny_base), None)


def said(generator: Generator, **options: object) -> str:
    given: dict[str, object] = {"max_tokens": 24, "temperature": 0.9, "top_p": 0.95, "seed": 1}
    return generator.complete(QUESTION, **{**given, **options})  # type: ignore[arg-type]


def test_the_same_seed_says_the_same_and_another_does_not(generator: Generator) -> None:
    assert said(generator) == said(generator) != said(generator, seed=2)
    assert said(generator, temperature=0.0, seed=1) == said(generator, temperature=0.0, seed=2)


def test_pieces_make_the_whole(generator: Generator) -> None:
    options = {"max_tokens": 24, "temperature": 0.9, "top_p": 0.95, "seed": 3}
    pieces = list(generator.stream(QUESTION, **options))  # type: ignore[arg-type]

    assert len(pieces) > 3
    assert "".join(pieces) == said(generator, seed=3)
    assert not any("\ufffd" in p for p in pieces)


def test_no_more_tokens_than_asked_for(generator: Generator) -> None:
    assert said(generator, max_tokens=0) == ""
    assert 0 < generator.count_tokens(said(generator, max_tokens=5)) <= 6


def test_nothing_is_said_from_a_stop_string_on(generator: Generator) -> None:
    whole = said(generator, seed=4)
    stop = whole[6:9]

    assert said(generator, seed=4, stop=[stop]) == whole[: whole.index(stop)]
    assert said(generator, seed=4, stop=[""]) == whole


def test_characters_of_several_tokens_come_whole(generator: Generator) -> None:
    ids = generator._conversation.text("a — 🧵 ü\n")
    pieces = list(generator._text(iter(ids)))

    assert "".join(pieces) == "a — 🧵 ü\n"
    assert "🧵" in "|".join(pieces)
    cut = generator._conversation.text("ok 🧵")[:-1]
    assert "".join(generator._text(iter(cut))).strip() == "ok"


def test_a_question_that_is_longer_than_the_context_is_refused(generator: Generator) -> None:
    long = [Message("user", "rope and tide " * 2_000)]

    with pytest.raises(ValueError, match=f"{generator.context} at most"):
        generator.stream(long, max_tokens=5, temperature=0, top_p=1, seed=1)


def test_a_stream_may_be_read_in_other_threads(generator: Generator) -> None:
    pieces = generator.stream(QUESTION, max_tokens=12, temperature=0.9, top_p=0.95, seed=5)
    heard: list[str] = [next(pieces)]
    reader = threading.Thread(target=lambda: heard.extend(pieces))
    reader.start()
    reader.join()

    assert "".join(heard) == said(generator, max_tokens=12, seed=5)


def test_losses_do_not_depend_on_the_batch(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversations = [e.messages for e in examples(5)]
    conversations.append((*asked(9), Message("assistant", "No.")))
    together = generator.losses(conversations)
    monkeypatch.setattr("ml.generate.LOGITS_BYTES", 1)
    alone = generator.losses(conversations)

    assert together == pytest.approx(alone, abs=1e-4)
    assert all(1 < x < 12 for x in alone)


def test_a_loss_is_of_the_answer_only(generator: Generator) -> None:
    import torch

    (sample,) = examples(1)
    prompt = generator._conversation.prompt(sample.messages[:-1])
    answer = generator._conversation.answer(sample.messages[-1].content)
    with torch.inference_mode():
        logits = generator._model(input_ids=torch.tensor([prompt + answer])).logits[0]
    chances = logits[len(prompt) - 1 : -1].log_softmax(-1)
    loss = -float(chances[range(len(answer)), answer].mean())

    assert generator.losses([sample.messages]) == pytest.approx([loss], abs=1e-4)


def test_a_speech_says_why_it_ended_and_of_how_many_tokens_it_is(generator: Generator) -> None:
    options = {"temperature": 0.9, "top_p": 0.95, "seed": 3}
    cut = generator.stream(QUESTION, max_tokens=6, **options)  # type: ignore[arg-type]
    stopped = generator.stream(QUESTION, max_tokens=24, **options, stop=["".join(cut)[2:4]])  # type: ignore[arg-type]

    assert "".join(stopped) == said(generator, seed=3)[:2]
    assert (cut.finish, cut.tokens) == ("length", 6)
    assert stopped.finish == "stop"


def test_an_adapter_without_safetensors_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")

    with pytest.raises(FileNotFoundError, match="pickles are not loaded"):
        load_generator(str(tiny_base), tmp_path)
