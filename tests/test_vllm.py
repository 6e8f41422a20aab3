"""A server of OpenAI's completions speaks for a model. llama.cpp's own stands in for vLLM, which needs a GPU."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from serving_world import serving
from small_models import make_model

from include.engines import open_engine
from include.settings import Settings
from include.vllm import open_vllm
from ml.generate import load_generator
from ml.gguf import base_gguf
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
