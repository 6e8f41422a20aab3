"""llama.cpp says what the reference says: greedily the same words, whoever else is answered meanwhile."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from small_models import FAMILIES, make_model

from include.settings import ROOT
from ml.choice import COLD
from ml.generate import load_generator
from ml.llama import _heard, load_llama
from ml.types import Message

QUESTIONS = ("What does open do?", "Say hello.", "Why — naïvely — 🧵?", "x", "Which rope?\n\nThis.")
GREEDY = {"max_tokens": 40, "temperature": 0.0, "top_p": 1.0, "seed": 1}
HOT = {**GREEDY, "temperature": 1.5, "top_p": 0.95}
SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "maximum": 99},
        "s": {"type": "string", "maxLength": 8},
    },
    "required": ["n", "s"],
    "additionalProperties": False,
}

SPEAKING = """
import sys, threading
from pathlib import Path
from ml.llama import _heard, load_llama
from ml.types import Message
llama = load_llama(Path(sys.argv[1]), None, Path(sys.argv[2]), "f32")
begun = threading.Event()
def speak():
    while True:
        for _ in llama.stream([Message("user", "x")], max_tokens=400, temperature=1.0, top_p=1.0, seed=1):
            begun.set()
for _ in range(4):
    threading.Thread(target=speak, daemon=True).start()
begun.wait(30)
"""


def asked(question):
    return [Message("user", question)]


def heard(generator, question, **options):
    speech = generator.stream(asked(question), **options)
    return "".join(speech), speech.finish, speech.tokens


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model("smollm2", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def reference(base):
    return load_generator(str(base), None)


@pytest.fixture(scope="module")
def llama(base, cache):
    return load_llama(base, None, cache, "f32")


def test_the_tiny_model_says_the_same_words_and_ends_for_the_same_reason(tiny_base, cache):
    reference, llama = (
        load_generator(str(tiny_base), None),
        load_llama(tiny_base, None, cache, "f32"),
    )
    for question in QUESTIONS:
        # The smallest of models would rather say nothing but what it must.
        for options in ({**GREEDY, "max_tokens": 5}, GREEDY, {**GREEDY, "schema": SCHEMA}):
            assert heard(llama, question, **options) == heard(reference, question, **options)


@pytest.mark.parametrize("name", FAMILIES)
def test_models_of_other_families_say_the_same_words(tmp_path, name):
    base = make_model(name, tmp_path / name)
    reference, llama = load_generator(str(base), None), load_llama(base, None, tmp_path, "f32")
    for question in (*QUESTIONS, "a long one, beyond where Llama 3 bends its positions " * 8):
        assert heard(llama, question, **GREEDY) == heard(reference, question, **GREEDY)


def test_an_adapter_over_its_base_says_what_the_merged_model_says(base, llama, cache, tmp_path):
    adapter = random_adapter(base, tmp_path)
    merged, laid = load_generator(str(base), adapter), load_llama(base, adapter, cache, "f32")
    said = [heard(laid, q, **GREEDY) for q in QUESTIONS]

    assert said == [heard(merged, q, **GREEDY) for q in QUESTIONS]
    assert said != [heard(llama, q, **GREEDY) for q in QUESTIONS]


def test_callers_at_once_hear_what_each_would_alone(llama):
    alone = [heard(llama, q, **GREEDY) for q in QUESTIONS]
    with ThreadPoolExecutor(10) as callers:
        together = list(callers.map(lambda q: heard(llama, q, **GREEDY), QUESTIONS * 4))

    assert together == alone * 4


@pytest.mark.parametrize(
    "options", [GREEDY, HOT, {**HOT, "schema": SCHEMA}, {**GREEDY, "stop": ["e"]}]
)
def test_what_is_guessed_ahead_changes_no_word_for_one_caller_or_many(
    llama, base, cache, monkeypatch, options
):
    guessed = list[int]()

    def listen(event, speech, before):
        guessed.append(event["__verbose"].get("timings", {}).get("draft_n_accepted", 0))
        return _heard(event, speech, before)

    alone = [heard(llama, q, **options) for q in QUESTIONS]
    monkeypatch.setattr("ml.llama_server.SMALL", 0)
    monkeypatch.setattr("ml.llama._heard", listen)
    guessing = load_llama(base, None, cache, "f32", guess=True)

    assert [heard(guessing, q, **options) for q in QUESTIONS] == alone
    with ThreadPoolExecutor(10) as callers:
        together = list(callers.map(lambda q: heard(guessing, q, **options), QUESTIONS * 4))
    assert together == alone * 4
    # The model repeats itself where nothing is left to chance.
    assert sum(guessed) > 0 or options != GREEDY


def test_the_same_seed_says_the_same_and_another_does_not(llama):
    first = heard(llama, "Say hello.", **HOT)

    assert first == heard(llama, "Say hello.", **HOT)
    assert first != heard(llama, "Say hello.", **{**HOT, "seed": 2})
    assert first != heard(llama, "Say hello.", **{**HOT, "seed": None})


@pytest.mark.parametrize("temperature", [1e-9, COLD * 0.99])
def test_below_one_temperature_both_engines_are_greedy_and_go_on_from_what_was_said(
    reference, llama, temperature
):
    cold = {**GREEDY, "temperature": temperature, "top_p": 0.9}
    rest = reference.stream(asked("x"), **GREEDY)
    said = ["".join(rest), *(heard(llama, "x", **{**cold, "seed": s})[0] for s in range(4))]
    assert set(said) == {heard(reference, "x", **cold)[0]}

    # Tokens that it would not have said itself show that they are gone on from, not made again.
    other = rest.ids[7:3:-1]
    assert other != rest.ids[:4]
    assert heard(llama, "x", **cold, said=other) == heard(reference, "x", **GREEDY, said=other)


def test_nothing_is_said_from_a_stop_string_on(llama):
    whole, _, _ = heard(llama, "x", **HOT)
    stop = whole[6:9]

    assert heard(llama, "x", **HOT, stop=[stop])[:2] == (whole[: whole.index(stop)], "stop")
    assert heard(llama, "x", **HOT, stop=[""])[0] == whole
    assert heard(llama, "x", **{**HOT, "max_tokens": 0}) == ("", "stop", 0)


def test_a_schema_is_kept_to_by_both_engines(reference, llama):
    for generator in (reference, llama):
        said, finish, _ = heard(generator, "Which rope?", **HOT, schema=SCHEMA)
        told = json.loads(said)

        assert (set(told), finish) == ({"n", "s"}, "stop")
        assert told["n"] <= 99
        assert len(told["s"]) <= 8


def test_a_question_that_is_longer_than_the_context_is_refused(llama):
    with pytest.raises(ValueError, match=f"{llama.context} at most"):
        llama.stream(asked("rope and tide " * 2_000), **GREEDY)


def test_a_stream_that_nobody_reads_on_gives_its_place_back(llama):
    for _ in range(20):  # more than there are places
        speech = llama.stream(asked("x"), **{**HOT, "max_tokens": 400})
        assert next(speech)
        speech.pieces.close()

    assert heard(llama, "x", **GREEDY)[2] > 0


def test_a_process_that_ends_while_it_speaks_ends_in_peace(base, cache):
    # Without a word to llama.cpp, it aborts: "FATAL: exception not rethrown".
    ended = subprocess.run(
        [sys.executable, "-c", SPEAKING, str(base), str(cache)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.returncode, ended.stderr[-500:]) == (0, "")


def test_words_are_counted_by_the_models_own_tokenizer(reference, llama):
    assert llama.count_tokens("a — 🧵") == reference.count_tokens("a — 🧵")
    assert llama.count_tokens(asked("x")) == reference.count_tokens(asked("x"))
    assert llama.complete(asked("x"), **GREEDY) == reference.complete(asked("x"), **GREEDY)


def test_smaller_weights_speak_too(base, cache):
    assert heard(load_llama(base, None, cache, "q8_0"), "Say hello.", **GREEDY)[0]


def random_adapter(base, folder):
    """Write a LoRA adapter that changes every layer."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ml.generate import load_base
    from ml.models import identity

    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_rslora=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = get_peft_model(load_base(str(base)), lora)
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.05)
    model.save_pretrained(str(folder))
    (folder / "base_model.txt").write_text(identity(base))
    return folder
