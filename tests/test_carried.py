"""A model is prompted with the words that it was taught, and its own tokens are counted."""

import json
import shutil

from serving_world import publish_copy

from include import registry
from ml.conversation import load_conversation
from ml.prompts import read_prompt
from serving.carried import estimate, read_carried


def test_a_model_carries_its_prompt_and_counts_its_own_tokens(served):
    carried = read_carried(*served)
    conversation = load_conversation(registry.model_folder(*served))

    assert carried.prompt == read_prompt()
    for text in ("We check the rope.", "", "x = 1\n"):
        assert carried.count(text) == len(conversation.text(text))


def test_an_older_model_keeps_the_words_of_its_own_prompt(served, tmp_path):
    world, model_id = served
    alone = world.model_copy(update={"artifacts_url": str(tmp_path)})
    shutil.copytree(registry.model_folder(world, model_id), registry.model_folder(alone, model_id))
    file = registry.model_folder(alone, model_id) / "prompts.json"
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"version": "old", "system": ["Be {author}."]})
    )

    assert read_carried(alone, model_id).prompt.system == ("Be {author}.",)
    file.write_text(json.dumps({"version": "twin-1"}))
    assert read_carried(alone, model_id).prompt == read_prompt("twin-1")


def test_without_a_model_or_its_tokenizer_tokens_are_estimated(served):
    world, model_id = served
    copy = publish_copy(world, model_id, "no-tokenizer")
    (registry.model_folder(world, copy) / "tokenizer.json").unlink()

    assert read_carried(world, "").count is estimate
    assert read_carried(world, copy).count is estimate
    assert estimate("nine char") > 2
