"""Tokens a second of llama.cpp beside transformers, for one caller and for eight, and whether the words are the same.

`python tests/benchmarks/engines.py`: the tiny model, and a Llama of 25 million parameters made in place. Transformers
stands there twice: as an endpoint has it, which answers callers that come when they like one by one or at once, and as
one batch of `generate`, for which all questions must be known beforehand and all answers be of one length. With
weights of 64 MB and more llama.cpp guesses ahead, which pays where words repeat: an untrained model that says the
likeliest word soon goes in circles, one that draws its words (`drawn`) never does, and a twin that quotes is between
the two.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from include.settings import load_settings
from ml.generate import Generator, load_generator
from ml.llama import load_llama
from ml.tiny import TinySize, pretrain_tiny
from ml.types import Message

TOKENS, CALLERS = 48, 8
GREEDY = {"max_tokens": TOKENS, "temperature": 0.0, "top_p": 1.0, "seed": 1}
DRAWN = {**GREEDY, "temperature": 2.0}
QUESTIONS = (
    *(
        "What does open do with a file?",
        "How do you size a connection pool?",
        "Why does fsync lie?",
    ),
    *(
        "Say hello.",
        "What is a semaphore?",
        "When is a cache wrong?",
        "Describe sorting.",
        "Why test?",
    ),
)
LARGER = TinySize(hidden=512, inner=1408, layers=8, heads=8, shared_heads=4, steps=1, long_steps=0)


def main() -> None:
    """Measure both models in one run."""
    console, settings = Console(width=120), load_settings()
    table = Table("model", "callers", "engine", "tokens/s", "ratio", "same words", title="Engines")
    with tempfile.TemporaryDirectory() as folder:
        for name, base in (
            ("tiny", pretrain_tiny(settings.cache_dir)),
            ("25M, untrained", pretrain_tiny(Path(folder), size=LARGER)),
        ):
            reference = load_generator(str(base), None)
            fast = {
                **{p: load_llama(base, None, Path(folder), p) for p in ("f32", "q8_0")},
                "f32, guessing": load_llama(base, None, Path(folder), "f32", guess=True),
            }
            for callers in (1, CALLERS):
                first = max(
                    speed_of(lambda q, slow=reference: spoken(slow, q), at_once)
                    for at_once in {1, callers}
                )
                table.add_row(name, str(callers), "transformers", f"{first:,.0f}", "1.0", "")
                if callers > 1:
                    row = ratio(batch_speed(reference, callers), first)
                    table.add_row(name, str(callers), "transformers, one batch", *row, "")
                for precision, llama in fast.items():
                    row = ratio(speed_of(lambda q, fast=llama: spoken(fast, q), callers), first)
                    row = *row, same_words(reference, llama)
                    table.add_row(name, str(callers), f"llama.cpp {precision}", *row)
                drawn = (
                    speed_of(lambda q, g=g: spoken(g, q, DRAWN), callers)
                    for g in (reference, fast["f32"])
                )
                slow, quick = drawn
                table.add_row(name, str(callers), "llama.cpp f32, drawn", *ratio(quick, slow), "")
    console.print(table)


def spoken(generator, question: str, options: Mapping[str, Any] = GREEDY) -> int:
    """Answer one question; returns the number of tokens."""
    speech = generator.stream([Message("user", question)], **options)
    "".join(speech)
    return speech.tokens


def speed_of(speak: Callable[[str], int], callers: int) -> float:
    """Let callers ask at once, three times round; returns the better tokens a second."""
    return max(_round(speak, QUESTIONS[:callers]) for _ in range(3))


def _round(speak: Callable[[str], int], questions: tuple[str, ...]) -> float:
    counts: list[int] = []
    threads = [threading.Thread(target=lambda q=q: counts.append(speak(q))) for q in questions]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def ratio(speed: float, first: float) -> tuple[str, str]:
    """Show a speed, and how many times the first one it is."""
    return f"{speed:,.0f}", f"{speed / first:.1f}"


def batch_speed(reference: Generator, callers: int) -> float:
    """Return what transformers does when all callers ask at one instant and wait for each other."""
    import torch

    tokenizer = reference._conversation.tokenizer
    prompts = [reference._conversation.prompt([Message("user", q)]) for q in QUESTIONS[:callers]]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])

    def batch() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            reference._model.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=TOKENS,
                min_new_tokens=TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        return callers * TOKENS / (time.perf_counter() - started)

    return max(batch() for _ in range(3))


def same_words(reference: Generator, llama) -> str:
    """Count the questions that both answer in the same words."""
    asked = [[Message("user", q)] for q in QUESTIONS]
    same = sum(
        "".join(reference.stream(a, **GREEDY)) == "".join(llama.stream(a, **GREEDY)) for a in asked
    )
    return f"{same} of {len(asked)}"


if __name__ == "__main__":
    main()
