"""Samples as Parquet: what is read is what was written, in the same order, and only files that exist are promised."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import yaml
from samples import examples, preferences

from include.samples import card_header, load_examples, load_preferences, write_samples


def test_samples_come_back_as_they_were_written_in_the_same_order(tmp_path: Path) -> None:
    mixed, pairs = examples(20), preferences(9)
    pairs[4] = replace(pairs[4], split="test", chosen="It isn’t `x`;\n\n— 🧵\x00\t")

    write_samples(tmp_path, mixed, pairs)

    assert load_examples(tmp_path) == mixed
    assert load_preferences(tmp_path) == pairs


def test_the_columns_are_those_that_the_trainers_read(tmp_path: Path) -> None:
    write_samples(tmp_path, examples(6), preferences(1))

    (pair,) = parquet.read_table(tmp_path / "preference" / "train.parquet").to_pylist()
    (tested,) = parquet.read_table(tmp_path / "instruct" / "test.parquet").to_pylist()

    assert tested["messages"][-1] == {
        "role": "assistant",
        "content": examples(6)[5].messages[-1].content,
    }
    assert (tested["position"], tested["task"], tested["document_id"]) == (5, "answer", "d1")
    assert [turn["role"] for turn in pair["prompt"]] == ["system", "user"]
    assert pair["chosen"] == [{"role": "assistant", "content": preferences(1)[0].chosen}]


def test_a_split_without_samples_has_no_file_and_is_not_promised(tmp_path: Path) -> None:
    write_samples(tmp_path, examples(6), preferences(2))

    _, header, rest = card_header(tmp_path).split("---\n")

    promised = {c["config_name"]: c["data_files"] for c in yaml.safe_load(header)["configs"]}
    assert promised == {
        "instruct": [
            {"split": "train", "path": "instruct/train.parquet"},
            {"split": "test", "path": "instruct/test.parquet"},
        ],
        "preference": [{"split": "train", "path": "preference/train.parquet"}],
    }
    assert not (tmp_path / "preference" / "test.parquet").exists() and rest.strip() == ""


def test_an_empty_folder_holds_no_samples(tmp_path: Path) -> None:
    write_samples(tmp_path, [], [])

    assert load_examples(tmp_path) == [] and load_preferences(tmp_path) == []
