"""The card of a dataset says whose words it holds, by whose leave, from where, how it was made, and what is in it."""

from dataclasses import replace
from pathlib import Path

from builders import MOMENT, document
from own_texts import own_source, with_sources
from samples import examples, preferences

from include.dataset_card import write_card
from include.documents import open_documents
from include.sample_making import Made
from include.settings import Settings
from ml.feedback import NO_CONSENT, Taught
from ml.types import DatasetVersion, Rejected, Span


def test_a_card_tells_sources_consent_lineage_and_statistics(
    settings: Settings, tmp_path: Path
) -> None:
    blog = own_source("blog", consent="written by me, 2026") | {"options": {"licence": "CC-BY-4.0"}}
    world = with_sources(settings, tmp_path, blog, own_source("own"))
    known = replace(document(), source="blog")
    with open_documents(world) as store:
        store.put([known])
    made = [replace(e, span=Span(known.id, known.revision, 0, 9)) for e in examples(12)]
    version = DatasetVersion(
        *("d2", "d1", "f" * 32, MOMENT),
        counts={"train/answer": 10, "test/answer": 2},
        documents={known.id: known.revision},
        files={},
    )

    asked = Made(made, 3, {"written": 7, "off-topic": 2})
    refused = [Rejected(i, "feedback", NO_CONSENT) for i in "ab"]
    judged = Taught(3, [replace(p, how="edited") for p in preferences(1)], refused=refused)
    card = write_card(world, version, asked, preferences(4), "Why not.", judged)

    assert "# Dataset d2" in card and "The words of Maren Oduya, from 1 documents. Why not." in card
    assert "| train/answer | 10 |" in card
    assert (
        "- blog: written by me, 2026 (jsonl, 1 documents, 12 samples, licence: CC-BY-4.0)" in card
    )
    assert "- own: own (jsonl, 0 documents, 0 samples, licence: the author’s)" in card
    assert (
        f"Made from dataset d1; fingerprint {'f' * 32}" in card and "3 samples were dropped" in card
    )
    assert "Questions put by a language model: 2 off-topic, 7 written." in card
    assert "| answer | 12 | 14 | 14 | 14 |" in card
    assert "Of 4 pairs (4 flattened), the chosen text is +" in card
    assert f"ml/splits.py):\n\n- {known.id}" in card
    assert "Readers' 3 judgements of answers:" in card and "| pairs: edited | 1 |" in card
    assert "| none: It was given without consent to learn from it | 2 |" in card
    assert card.count(".png)") == 3


def test_a_first_version_without_pairs_has_a_card_as_well(
    settings: Settings, tmp_path: Path
) -> None:
    world = with_sources(settings, tmp_path, own_source("own"))
    version = DatasetVersion("d1", "", "f", MOMENT, {}, {}, {})

    card = write_card(world, version, Made(examples(1)), [], "It is the first version.", Taught())

    assert "dataset (none)" in card and "No language model asked" in card
    assert "There are no preference pairs." in card and "Readers have judged no answer." in card
