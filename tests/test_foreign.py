"""A dataset that somebody else made is judged by our rules, and every reason against it is a count."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from builders import PARAGRAPH

from include.foreign import check_dataset
from include.settings import Settings
from ml.foreign import Claim, judge_claims

SETTINGS = Settings()
TIDE = (
    "Tides follow the moon over the harbour wall, twice a day, and nobody has to ask them. The clerk writes them "
    "down all the same, because a table that is never compared with the water is only an opinion. "
)
INVENTED = "Ropes enhance communication efficiency by automating responses that align with the established voice."


def write(folder: Path, name: str, values: object) -> None:
    (folder / name).write_text(json.dumps(values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the documents that a dataset claims to come from."""
    write(
        tmp_path,
        "documents.json",
        [{"id": n, "content": {"Content": text * 3}} for n, text in enumerate((PARAGRAPH, TIDE))],
    )
    return tmp_path


def sample(asked: str, answer: str, **more: str) -> dict[str, str]:
    return {"id": asked, "instruction": asked, "answer": answer, **more}


def test_a_broken_dataset_is_refused_with_every_reason_counted(folder: Path) -> None:
    samples = {
        "train": {
            "articles": {"samples": [sample(f"What about rope {n}?", INVENTED) for n in range(6)]}
        },
        "test": {
            "articles": {"samples": [sample(f"What about rope {n}?", INVENTED) for n in (2, 3, 77)]}
        },
        "test_split_size": 0.3,
    }
    pairs = {
        "train": [
            {"prompt": "a?", "chosen": INVENTED, "rejected": INVENTED + " "},
            {"prompt": "b?", "chosen": INVENTED * 2, "rejected": INVENTED},
            {"prompt": "c?", "chosen": INVENTED * 2, "rejected": "No."},
        ]
    }
    write(folder, "instruct.json", samples)
    write(folder, "preference.json", pairs)

    said = check_dataset(SETTINGS, str(folder))

    assert (said["accepted"], said["documents"]) == (False, 2)
    assert said["reasons"] == [
        "instruct: 0 of 9 answers stand in a document.",
        "instruct: 2 of 3 test instructions are also in train.",
        "instruct: 3 of 3 test answers repeat a run of words of train.",
        "preference: 0 of 3 answers stand in a document.",
        "preference: 1 of 3 pairs reject what they choose.",
        "preference: the longer text tells the chosen one in 67% of pairs.",
    ]
    assert said["instruct"]["containment"] == 0.0 and said["preference"]["ties"] == 1


def test_a_true_dataset_is_accepted_in_every_layout(folder: Path) -> None:
    turns = [
        {"role": "user", "content": "And tides?"},
        {"role": "assistant", "content": TIDE.upper()},
    ]
    parquet.write_table(pa.table({"messages": [turns]}), folder / "test.parquet")
    (folder / "train.jsonl").write_text(json.dumps(sample("What about ropes?", PARAGRAPH)) + "\n\n")
    (folder / "more.md").write_text("Nothing of it is used.")

    said = check_dataset(SETTINGS, str(folder))

    assert said["accepted"] and said["reasons"] == [] and said["documents"] == 3
    assert said["instruct"]["samples"] == said["instruct"]["grounded"] == 2
    assert said["instruct"]["test"] == 1 and said["preference"] == {}


def test_what_cannot_be_judged_is_a_sentence(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder /nowhere"):
        check_dataset(SETTINGS, "/nowhere")
    with pytest.raises(ValueError, match="holds no samples: nothing with instruction/prompt"):
        check_dataset(SETTINGS, str(folder))
    bare = tmp_path_factory.mktemp("bare")
    write(bare, "train.json", [sample("What about ropes?", PARAGRAPH)])
    with pytest.raises(ValueError, match="holds no documents, so nothing can be grounded"):
        check_dataset(SETTINGS, str(bare))
    (bare / "torn.json").write_text('{"a": [')
    with pytest.raises(ValueError, match=r"torn.json cannot be read: .* Mend or remove it"):
        check_dataset(SETTINGS, str(bare))


def test_an_empty_answer_is_counted() -> None:
    said = judge_claims([Claim("a?", " ", None, "train")], [PARAGRAPH], 10)

    assert "instruct: 1 of 1 answers are empty." in said["reasons"]
