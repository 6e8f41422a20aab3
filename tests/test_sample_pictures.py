"""The pictures of a dataset's card are real images, the same for the same samples, also where there are none."""

from io import BytesIO

import numpy as np
from PIL import Image
from samples import examples, preferences

from ml.sample_pictures import draw_samples


def test_three_pictures_are_drawn_the_same_for_the_same_samples() -> None:
    drawn = draw_samples(examples(20), preferences(9))

    assert sorted(drawn) == ["answers.png", "pairs.png", "tasks.png"]
    for picture in drawn.values():
        pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
        assert pixels.shape == (400, 600, 3) and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    assert draw_samples(examples(20), preferences(9)) == drawn
    assert draw_samples(examples(21), preferences(9))["tasks.png"] != drawn["tasks.png"]


def test_a_dataset_without_pairs_is_drawn_as_well() -> None:
    assert draw_samples(examples(6), [])["pairs.png"].startswith(b"\x89PNG")
