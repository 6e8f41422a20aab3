"""Every place where something of a document may be, how to find it there, and how to take it out.

A place is two functions over open doors: `find` counts by searching, `erase` deletes. The order is
that of deletion: what is derived goes first and the documents last, because they say what to look
for; a killed erasure is finished by running it again. How the places are gone through, and what is
reported, is told in `include/forgetting.py`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from include import registry
from include.data_docs import write_overview
from include.documents import Documents
from include.embedding_cache import forget_documents, held_embeddings
from include.features import Features
from include.records import Record
from include.settings import Settings
from include.validation import data_docs, runs_file, validation_results
from include.validation_runs import forget_rows, naming, read_runs
from include.vectors import VectorStore
from include.withdrawals import mark_stale, reason, stale, withdraw_dataset, withdrawn

# A sentence that is shorter than this may be anybody's.
SENTENCE_WORDS, SENTENCE_CHARACTERS = 6, 40


@dataclass(frozen=True, slots=True)
class Doors:
    """The open systems of one world."""

    settings: Settings
    documents: Documents
    vectors: VectorStore
    features: Features


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to go: by its ids, and by what it says where nobody kept an id."""

    urls: frozenset[str]
    ids: frozenset[str]
    chunk_ids: frozenset[str]
    sentences: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """One place; `what` is for people."""

    name: str
    what: str
    find: Callable[[Doors, Wanted], int]
    erase: Callable[[Doors, Wanted], object]


def look_for(
    documents: Documents, urls: frozenset[str], ids: frozenset[str], at: datetime
) -> Wanted:
    """Learn from what is kept how to recognise documents elsewhere."""
    texts = [text for i in ids for text in documents.texts_of(i)]
    chunks = frozenset(documents.indexed_chunks(ids))
    found = {s for text in texts for s in sentences(text)}
    return Wanted(urls, ids, chunks, tuple(sorted(found)), at)


def sentences(text: str) -> Iterator[str]:
    """Yield what is long enough to be recognised elsewhere, blanks made equal."""
    for part in re.split(r"(?<=[.!?:;])\s+|\n+", text):
        said = _plain(part)
        if len(said) >= SENTENCE_CHARACTERS and len(said.split()) >= SENTENCE_WORDS:
            yield said


def _plain(text: str) -> str:
    return " ".join(text.split())


def _quotes(wanted: Wanted, *texts: str) -> bool:
    """Tell whether a text names one of the documents or repeats a sentence of it."""
    said = _plain(" ".join(texts))
    return any(url in said for url in wanted.urls) or any(s in said for s in wanted.sentences)


def _answers(doors: Doors, wanted: Wanted) -> list[str]:
    def quotes(trace: Record) -> bool:
        cited = not wanted.chunk_ids.isdisjoint(trace.get("chunk_ids", ()))
        return cited or _quotes(wanted, trace.get("question", ""), trace.get("answer", ""))

    return doors.documents.answers(quotes)


def _result_files(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the results of validation that name a row of the documents; their pages have the same names."""
    results, ids = validation_results(doors.settings), wanted.ids | wanted.chunk_ids
    found = sorted(results.rglob("*.json"))
    named = [f for f in found if _names(f, ids)]
    pages = [data_docs(doors.settings) / "validations" / f.relative_to(results) for f in named]
    return [*named, *(p for f in pages if (p := f.with_suffix(".html")).is_file())]


def _shown(doors: Doors, wanted: Wanted) -> int:
    """Count the results and runs of validation that show values of the documents."""
    runs = naming(read_runs(runs_file(doors.settings)), wanted.ids | wanted.chunk_ids)
    return len(_result_files(doors, wanted)) + runs


def _hide(doors: Doors, wanted: Wanted) -> None:
    _remove(_result_files(doors, wanted))
    runs = forget_rows(runs_file(doors.settings), wanted.ids | wanted.chunk_ids)
    write_overview(runs, data_docs(doors.settings))


def _names(file: Path, ids: Iterable[str]) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")
    return any(i in text for i in ids)


def _pictures(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the maps of the corpus and the page of copies, if one names the documents; an image cannot be searched."""
    data, maps = doors.settings.data_dir, registry.map_folder(doors.settings)
    listed = (*data.glob("corpus*"), *maps.glob("*"), *data.glob("wandb/**/media/*/corpus*"))
    listed = (*listed, data / "duplicates.html")
    found = sorted(f for f in listed if f.is_file())
    names = {
        form for url in wanted.urls for form in (url, escape(url), url.replace("/", "\\u002f"))
    }
    named = any(_names(f, names) for f in found if f.suffix in (".html", ".json"))
    return found if named else []


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


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
    kept = [s for s in part["samples"] if not _quotes(wanted, *map(str, s))]
    return {**part, "samples": kept}


def _mend_evaluations(doors: Doors, wanted: Wanted) -> None:
    for model_id, record in _evaluations(doors, wanted).items():
        registry.write_evaluation(doors.settings, model_id, record)


def _datasets(doors: Doors, wanted: Wanted) -> dict[str, list[str]]:
    """Return the datasets with samples of the documents that are not withdrawn for all of them."""
    found = {}
    for dataset_id in registry.list_datasets(doors.settings):
        version = registry.read_dataset(doors.settings, dataset_id, verify=False)
        left = wanted.ids & version.documents.keys() - withdrawn(doors.settings, dataset_id).keys()
        if left:
            found[dataset_id] = sorted(left)
    return found


def _withdraw(doors: Doors, wanted: Wanted) -> None:
    for dataset_id, ids in _datasets(doors, wanted).items():
        withdraw_dataset(doors.settings, dataset_id, dict.fromkeys(ids, reason(wanted.at)))


def _models(doors: Doors, wanted: Wanted) -> dict[str, list[str]]:
    """Return the models that learned from the documents and are not marked for all of them."""
    settings, found = doors.settings, {}
    for model_id in registry.list_models(settings):
        dataset_id = registry.read_model(settings, model_id, verify=False).dataset_id
        learned = wanted.ids & _documents_of(settings, dataset_id)
        if left := learned - stale(settings, model_id).keys():
            found[model_id] = sorted(left)
    return found


def _documents_of(settings: Settings, dataset_id: str) -> frozenset[str]:
    if dataset_id not in registry.list_datasets(settings):
        return frozenset()
    return frozenset(registry.read_dataset(settings, dataset_id, verify=False).documents)


def _mark_models(doors: Doors, wanted: Wanted) -> None:
    for model_id, ids in _models(doors, wanted).items():
        mark_stale(doors.settings, model_id, dict.fromkeys(ids, reason(wanted.at)))


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
        "answers that quote it, with what readers said of them",
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
    Place(
        "validation_results",
        "results of validation that show its values, and their pages",
        _shown,
        _hide,
    ),
    Place(
        "pictures",
        "maps of the corpus and the page of copies; the next run draws them anew",
        lambda d, w: len(_pictures(d, w)),
        lambda d, w: _remove(_pictures(d, w)),
    ),
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
    _collection("rejected", "refusals of it"),
    _collection("quarantined", "copies in quarantine"),
    _collection("staged", "copies that wait to be judged"),
    _collection("releases", "releases of it"),
    _collection("pages", "notes on its page"),
    _collection("clean", "clean texts"),
    _collection("indexed", "notes on what is in the index"),
    _collection("revisions", "revisions"),
    _collection("documents", "the document itself"),
)
