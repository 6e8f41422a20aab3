"""Open llama.cpp in this process, several models side by side, behind doors that nobody else can enter."""

import os
import secrets
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.constrain import grammar

if TYPE_CHECKING:
    from xllamacpp import Server

# Answers that are made at once: memory is set aside for all of them.
SLOTS = 8
# Bytes of weights below which one thread is faster than waiting for others, and to guess ahead costs too much.
SMALL = 64_000_000
# Tokens that must have come before, and tokens that are then guessed to follow.
SEEN, GUESSED = 3, 8
# The least that can be asked.
WORD = {"prompt": [0], "n_predict": 1}
# llama.cpp keeps one tokenizer for grammars in the whole process, that of the last model that was held to one, and does
# not lock it: answers under a grammar begin one after another.
GRAMMAR = threading.Lock()
_STAYING: list["Server"] = []


def open_server(
    weights: Path, lora: Path | None, context: int, precision: str, folder: Path, guess: bool
) -> "Server":
    """Open a model for `SLOTS` answers of `context` tokens; its socket is made in `folder`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    if lora:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * context
    small, cores = weights.stat().st_size < SMALL, len(os.sched_getaffinity(0))
    if guess and not small:
        _guess_ahead(params.speculative)
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = 1 if small else cores
    if precision == "f32":
        # Flash attention rounds to 16 bits on its way: wrong in the third digit of a logit.
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = _start(params, weights, folder)
    _forget_tokenizer(weights)
    return server


def _start(params: Any, weights: Path, folder: Path) -> "Server":
    """Start llama.cpp and let it work once: one that ends before it has begun waits for itself, and Python with it."""
    import xllamacpp

    params.model.path = str(weights)
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.poll = 0  # threads that wait by spinning take the core from whoever shares it
    params.cache_ram_mib, params.warmup, params.verbosity = 0, False, 0
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.hostnames, params.api_keys = [str(folder / "door.sock")], [secrets.token_urlsafe()]
    server = xllamacpp.Server(params)
    server.handle_completions(WORD, _hear_nothing)
    return server


def _forget_tokenizer(weights: Path) -> None:
    """Hold a model that stays for ever to a grammar.

    The kept tokenizer is known by the address of its model alone: a new model in the place of one that is gone would
    speak by a foreign tokenizer.
    """
    with GRAMMAR:
        if not _STAYING:
            _STAYING.append(_open_least(weights))
        _STAYING[0].handle_completions({**WORD, "grammar": grammar({})}, _hear_nothing)


def _open_least(weights: Path) -> "Server":
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.n_parallel, params.n_ctx, params.n_batch, params.n_ubatch = 1, 8, 8, 8
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = 1
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        return _start(params, weights, Path(folder))


def _hear_nothing(event: dict[str, Any]) -> bool:
    return False


def _guess_ahead(speculative: Any) -> None:
    """Guess that what came before comes again, as quotations do: a larger model reads its weights once for all guesses.

    Only tokens that it would have said are kept, so the words stay the same. llama.cpp's other ways are slower, or
    remember the texts of other callers.
    """
    import xllamacpp

    kind = xllamacpp.common_speculative_type
    speculative.types = [kind.COMMON_SPECULATIVE_TYPE_NGRAM_MAP_K4V]
    speculative.ngram_map_k4v.size_n, speculative.ngram_map_k4v.size_m = SEEN, GUESSED
    speculative.draft.n_max = GUESSED
