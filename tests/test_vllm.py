"""A server of OpenAI's completions speaks for a model: llama.cpp's own stands in for vLLM, or a real one speaks."""

import json
from collections.abc import Iterator

import httpx
import pytest
import torch
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from serving_world import answering_world, ask, published_world, serving
from small_models import make_model
from vllm_server import vllm_running

from include.engines import open_engine
from include.settings import Settings
from include.vllm import open_vllm
from ml.adapters import adapt, write_adapter
from ml.choice import COLD
from ml.conversation import load_conversation
from ml.generate import load_base, load_generator
from ml.gguf import base_gguf
from ml.recipe import Recipe
from ml.types import Message

SAID = [Message("user", "Say hello.")]
GREEDY = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model("smollm2", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def completions(base, tmp_path_factory):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(base_gguf(base, tmp_path_factory.mktemp("cache"), "f32"))
    params.n_ctx, params.verbosity, params.warmup = 512, 0, False
    server = xllamacpp.Server(params)
    yield server.listening_address


@pytest.fixture
def loaded() -> list[dict[str, str]]:
    return []


@pytest.fixture
def url(completions, base, loaded) -> Iterator[str]:
    """Add to llama.cpp's completions how vLLM lists models and loads adapters."""
    api = FastAPI()

    @api.get("/v1/models")
    def models() -> dict[str, object]:
        return {"data": [{"id": base.name, "max_model_len": 300}]}

    @api.post("/v1/load_lora_adapter")
    def load(asked: dict[str, str]) -> JSONResponse:
        loaded.append(asked)
        return JSONResponse("loaded", 200 if "bad" not in asked["lora_name"] else 400)

    @api.post("/v1/completions")
    async def complete(request: Request) -> StreamingResponse:
        asked = await request.body()
        answer = httpx.post(
            f"{completions}/v1/completions", content=asked, trust_env=False, timeout=60
        )
        return StreamingResponse(iter([answer.content]), answer.status_code)

    with serving(api) as address:
        yield address


@pytest.fixture
def world(tmp_path, url):
    return Settings(data_dir=tmp_path, engine="vllm", vllm_url=url)


def adapter(folder, name):
    (folder / name).mkdir()
    (folder / name / "adapter_model.safetensors").write_bytes(b"")
    return folder / name


def test_a_server_says_what_the_reference_says(world, base):
    engine = open_engine(world, str(base), None)
    speech = engine.generator.stream(SAID, **GREEDY)
    reference = load_generator(str(base), None).stream(SAID, **GREEDY)

    assert engine.name == "vllm"
    assert "".join(speech) == "".join(reference) != ""
    assert (speech.finish, speech.tokens) == (reference.finish, reference.tokens)
    assert engine.generator.context == 300


def test_a_server_is_greedy_below_the_temperature_at_which_the_reference_is(world, base):
    cold = {**GREEDY, "temperature": COLD * 0.99}
    rest = load_generator(str(base), None).stream(SAID, **cold)
    whole, generator = "".join(rest), open_engine(world, str(base), None).generator

    assert {"".join(generator.stream(SAID, **{**cold, "seed": s})) for s in range(4)} == {whole}
    assert "".join(generator.stream(SAID, **cold, said=rest.ids[:5])) == whole


def test_an_adapter_is_loaded_under_its_name(world, base, tmp_path, loaded):
    lora = adapter(tmp_path, "m1")
    open_vllm(world, str(base), lora)

    assert loaded == [{"lora_name": "m1", "lora_path": str(lora)}]
    with pytest.raises(ConnectionError, match="answered 400 to /v1/load_lora_adapter"):
        open_vllm(world, str(base), adapter(tmp_path, "bad"))


def test_a_bare_name_is_found_under_its_name_on_the_hub(tmp_path, base):
    api = FastAPI()
    served = {"id": "HuggingFaceTB/SmolLM2-135M-Instruct", "max_model_len": 200}
    api.get("/v1/models")(lambda: {"data": [served]})

    with serving(api) as url:
        world = Settings(data_dir=tmp_path, vllm_url=url, base_model="SmolLM2-135M")
        assert open_vllm(world, str(base), None).context == 200


def test_another_base_model_on_the_server_is_refused(world, tmp_path):
    with pytest.raises(LookupError, match="not other. Start it with `vllm serve other`"):
        open_vllm(world, "other", None)


def test_a_server_that_is_away_is_named(world, base):
    away = world.model_copy(update={"vllm_url": "http://127.0.0.1:9"})

    with pytest.raises(ConnectionError, match="vLLM does not answer at http://127.0.0.1:9"):
        open_vllm(away, str(base), None)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Serve a model by a real vLLM, which reads heads of 32 numbers and more; yields its folder and the address."""
    folder = tmp_path_factory.mktemp("vllm")
    base = make_model("smollm2", folder / "base", hidden_size=128, max_position_embeddings=1024)
    with vllm_running(base, folder) as address:
        yield base, address


@pytest.fixture
def real_world(tmp_path, real):
    return Settings(data_dir=tmp_path, engine="vllm", vllm_url=real[1], base_model=str(real[0]))


def train_by_chance(base, folder):
    """Write an adapter of random weights."""
    model = adapt(str(base), load_base(str(base)), Recipe())
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.add_(torch.randn_like(weights) * 0.05)
    model.save_pretrained(folder / "trained")
    write_adapter(str(base), folder / "trained", load_conversation(str(base)), folder / "m-chance")
    return folder / "m-chance"


@pytest.mark.vllm
@pytest.mark.parametrize("adapted", [False, True], ids=["base", "adapter"])
def test_a_real_server_says_what_the_reference_says(real_world, real, tmp_path, adapted):
    lora = train_by_chance(real[0], tmp_path) if adapted else None
    generator, reference = (
        open_vllm(real_world, str(real[0]), lora),
        load_generator(str(real[0]), lora),
    )

    for question in ("Say hello.", "What does open do with a file?", "Why — naïvely — 🧵?"):
        said = generator.stream([Message("user", question)], **{**GREEDY, "max_tokens": 48})
        told = reference.stream([Message("user", question)], **{**GREEDY, "max_tokens": 48})
        assert "".join(said) == "".join(told) != ""
        assert (said.finish, said.tokens, said.ids) == (told.finish, told.tokens, told.ids)
    assert generator.context == reference.context


@pytest.mark.vllm
def test_a_real_server_keeps_to_a_schema_and_to_a_seed(real_world, real):
    generator = open_vllm(real_world, str(real[0]), None)
    drawn = {**GREEDY, "temperature": 1.5, "max_tokens": 60}
    schema = {
        "type": "object",
        "properties": {"said": {"type": "string", "maxLength": 12}},
        "required": ["said"],
        "additionalProperties": False,
    }
    objects = ["".join(generator.stream(SAID, **drawn, schema=schema)) for _ in range(2)]

    assert objects[0] == objects[1]
    assert set(json.loads(objects[0])) == {"said"}
    assert len({"".join(generator.stream(SAID, **drawn)) for _ in range(3)}) == 1


@pytest.mark.vllm
def test_the_endpoint_answers_through_a_real_server(real, tmp_path):
    base, address = real
    with (
        published_world(tmp_path, base, engine="vllm", vllm_url=address) as (world, model_id),
        answering_world(world, model_id) as answering,
    ):
        whole = ask(answering.stock, seed=4)
        with ask(answering.stock, seed=4, stream=True) as stream:
            pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]

    assert whole.usage.completion_tokens > 1
    assert "".join(pieces) == whole.choices[0].message.content
    assert answering.slot.state().model_id == model_id
