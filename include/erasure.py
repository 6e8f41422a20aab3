"""Every place where something of a document may be, how to find it there, and how to take it out.

A place is two functions over open doors: `find` counts by searching, `erase` deletes. The order is
that of deletion: what is derived goes first and the documents last, because they say what to look
for; a killed erasure is finished by running it again. How the places are gone through, and what is
reported, is told in `include/forgetting.py`.
"""

from pathlib import Path

from include import registry
from include.embedding_cache import forget_documents, held_embeddings
from include.erasure_files import FILE_PLACES, files_that_go
from include.erasure_wanted import Doors, Place, Wanted, quotes
from include.records import Record
from include.samples import load_preferences
from include.settings import Settings
from include.withdrawals import mark_stale, marked, reason, withdraw_dataset, withdrawn
from ml.feedback import ORIGINS


def _answers(doors: Doors, wanted: Wanted) -> list[str]:
    def cites(record: Record) -> bool:
        # By the document too: what a model was told of it may be half a sentence of a passage that is cut anew since.
        named = {s.get("document_id", "") for s in record.get("sources", ())}
        cited = not (
            wanted.chunk_ids.isdisjoint(record.get("chunk_ids", ()))
            and wanted.ids.isdisjoint(named)
        )
        turns = (*record.get("how", {}).get("earlier", ()), *record.get("told", ()))
        said = (record.get(name, "") for name in ("question", "answer", "edit", "comment"))
        return cited or quotes(wanted, *said, *(str(t["content"]) for t in turns))

    return doors.documents.answers(cites)


def _erase_features(doors: Doors, wanted: Wanted) -> None:
    """Take measurements out of history and online store, and work out the authors' means without them."""
    doors.features.store_rows([], wanted.ids)
    doors.features.materialize(wanted.at)


def _evaluations(doors: Doors, wanted: Wanted) -> dict[str, Record]:
    """Return the evaluations whose kept samples quote the documents, without those samples."""
    mended = {}
    for model_id in registry.list_models(doors.settings):
        record = registry.read_evaluation(doors.settings, model_id)
        kept = {name: _without(wanted, part) for name, part in record.items()}
        if kept != record:
            mended[model_id] = kept
    return mended


def _without(wanted: Wanted, part: object) -> object:
    if not isinstance(part, dict) or "samples" not in part:
        return part
    kept = [s for s in part["samples"] if not quotes(wanted, *map(str, s))]
    return {**part, "samples": kept}


def _mend_evaluations(doors: Doors, wanted: Wanted) -> None:
    for model_id, record in _evaluations(doors, wanted).items():
        registry.write_evaluation(doors.settings, model_id, record)


def _datasets(doors: Doors, wanted: Wanted) -> dict[str, list[str]]:
    """Return the datasets with samples of the documents that are not withdrawn for all of them."""
    found = {}
    for dataset_id in registry.list_datasets(doors.settings):
        learned = _learned(doors.settings, wanted, dataset_id)
        if left := learned - withdrawn(doors.settings, dataset_id).keys():
            found[dataset_id] = sorted(left)
    return found


def _learned(settings: Settings, wanted: Wanted, dataset_id: str) -> frozenset[str]:
    """Name the documents that samples were made of; all, where a pair of a reader's judgement quotes one of them."""
    if dataset_id not in registry.list_datasets(settings):
        return frozenset()
    pairs = load_preferences(registry.dataset_folder(settings, dataset_id))
    judged = (p for p in pairs if p.how in ORIGINS)
    if any(quotes(wanted, p.chosen, *(m.content for m in p.messages)) for p in judged):
        return wanted.ids
    known = registry.read_dataset(settings, dataset_id, verify=False).documents
    return wanted.ids & known.keys()


def _withdraw(doors: Doors, wanted: Wanted) -> None:
    for dataset_id, ids in _datasets(doors, wanted).items():
        withdraw_dataset(doors.settings, dataset_id, dict.fromkeys(ids, reason(wanted.at)))


def _models(doors: Doors, wanted: Wanted) -> dict[str, list[str]]:
    """Return the models that learned from the documents and are not marked for all of them."""
    settings, found = doors.settings, {}
    for model_id in registry.list_models(settings):
        dataset_id = registry.read_model(settings, model_id, verify=False).dataset_id
        learned = _learned(settings, wanted, dataset_id)
        if left := learned - marked(settings, model_id).keys():
            found[model_id] = sorted(left)
    return found


def _mark_models(doors: Doors, wanted: Wanted) -> None:
    for model_id, ids in _models(doors, wanted).items():
        mark_stale(doors.settings, model_id, dict.fromkeys(ids, reason(wanted.at)))


def _training(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the training folders of models that learned from the documents; what is published is a copy."""
    settings, place = doors.settings, doors.settings.data_dir / "training"
    learned = {
        model_id: registry.read_model(settings, model_id, verify=False).dataset_id
        for model_id in registry.list_models(settings)
        if (place / model_id).exists()
    }
    # What was trained only to be compared names its dataset itself.
    aside = {f.name: f.name.split("-")[1] for f in place.glob("worth-*-*")}
    every = {**learned, **aside}
    return [place / m for m, d in every.items() if _learned(settings, wanted, d)]


def _collection(name: str, what: str) -> Place:
    """Make the place that is one collection of MongoDB; a document's records go together, the document last."""
    return Place(
        name,
        what,
        lambda doors, wanted: sum(doors.documents.kept_of(i)[name] for i in wanted.ids),
        lambda doors, wanted: [doors.documents.forget(i) for i in sorted(wanted.ids)],
    )


PLACES = (
    Place(
        "answers",
        "answers that quote it or that a model gave when it was told of it, with what readers said of them",
        lambda d, w: len(_answers(d, w)),
        lambda d, w: d.documents.forget_answers(_answers(d, w)),
    ),
    Place(
        "chunks",
        "passages in the index, in all of its collections",
        lambda d, w: sum(map(d.vectors.holds, sorted(w.ids))),
        lambda d, w: d.vectors.purge(sorted(w.ids), sorted(w.chunk_ids)),
    ),
    Place(
        "feature_rows",
        "measurements in the history of the features",
        lambda d, w: d.features.history_rows(w.ids),
        _erase_features,
    ),
    Place(
        "online_features",
        "measurements in the online store",
        lambda d, w: d.features.online_rows(w.ids),
        _erase_features,
    ),
    Place(
        "embeddings",
        "embeddings in the cache",
        lambda d, w: held_embeddings(d.settings, w.ids),
        lambda d, w: forget_documents(d.settings, w.ids),
    ),
    *FILE_PLACES,
    Place(
        "evaluations",
        "evaluations whose samples quote it",
        lambda d, w: len(_evaluations(d, w)),
        _mend_evaluations,
    ),
    Place(
        "datasets",
        "dataset versions in use that hold samples of it; withdrawn",
        lambda d, w: len(_datasets(d, w)),
        _withdraw,
    ),
    Place(
        "models",
        "models in good standing that learned from it; marked stale",
        lambda d, w: len(_models(d, w)),
        _mark_models,
    ),
    files_that_go(
        "training",
        "what training left in the folders of models that learned from it",
        _training,
    ),
    _collection("rejected", "refusals of it"),
    _collection("quarantined", "copies in quarantine"),
    _collection("staged", "copies that wait to be judged"),
    _collection("releases", "releases of it"),
    _collection("pages", "notes on its page"),
    _collection("clean", "clean texts"),
    _collection("indexed", "notes on what is in the index"),
    _collection("measured", "notes on what was measured"),
    _collection("revisions", "revisions"),
    _collection("documents", "the document itself"),
)
