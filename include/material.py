"""What models are measured on: held-out samples, questions with their passages, and whoever judges what is said.

Gathered once per evaluation, so that every model of it stands before the same. What the answer path finds and
declines is measured on the way, on the whole index: it has to hold what answers. What models are shown is found in
an index without the held-out texts and whatever repeats them, so that none of them reads what it is judged on.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from statistics import fmean

from include.cleaning import clean_originals
from include.colours import Colours, colour_of
from include.embedding_cache import open_embedder
from include.features import FEATURE_SERVICE, open_features
from include.indexing import index_mark
from include.passages import all_passages
from include.ranking import Stored, read_ranking, unbiased_ranker
from include.reader import Reader
from include.sample_making import own_documents
from include.settings import Settings
from include.sources import author_name, load_sources
from include.trust import Trust
from include.vectors import open_colours
from ml.answer import (
    Ask,
    Library,
    Prepared,
    Voice,
    choose_steps,
    prepare,
    search_passages,
)
from ml.chunk import chunk_document
from ml.embed import Embedder
from ml.evaluate import Asked, Material
from ml.groundedness import context_precision, context_recall, learn_support, measure_support
from ml.likeness import Likeness, calibration_error, learn_likeness, passages, separation
from ml.probes import choose
from ml.questions import (
    DEEP,
    Question,
    abstention_rates,
    held_out_questions,
    is_told,
    measure_retrieval,
    unanswerable_questions,
)
from ml.splits import held_out, leaking_passages, without
from ml.text import prose_of
from ml.types import Chunk, CleanDocument, Example, Hit

log = logging.getLogger(__name__)

# Documents from whose passages the measure of support is learned.
KNOWN_DOCUMENTS = 12
# Of the others' articles, one in so many is kept from the likeness judge, to see what it makes of them; of a few, none.
HELD_BACK, FEWEST_OTHERS = 5, 4
# Passages of a side that the judge is tried on.
TRIED = 40


@dataclass(frozen=True, slots=True)
class Gathered:
    """The material, and what was measured of the judges and of the answer path before any model spoke."""

    material: Material
    answers: Mapping[str, float]
    voices: Mapping[str, float]
    support: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Path:
    """The answer path as serving takes it; `blind` is its library without the held-out texts."""

    library: Library
    blind: Library
    voice: Voice
    settings: Settings

    def ask(self, question: str) -> Ask:
        """Ask a question of an author's texts."""
        steps = choose_steps(self.settings.answer_steps, {}, self.settings.base_model)
        return Ask(question, self.settings.author, limit=DEEP, steps=steps)

    def aloud(self, question: str) -> Prepared:
        """Prepare what a model is asked, whatever is found.

        What is left of the library answers less well, and is to be kept to all the same.
        """
        return prepare(self.ask(question), self.blind, self.voice, 0.0)


def gather_material(settings: Settings, examples: Sequence[Example]) -> Gathered:
    """Gather what models are measured on, from a dataset's examples and the stores."""
    kept = held_out(examples)
    documents = clean_originals(settings)
    own = [d for d in documents if d.author == settings.author]
    likeness, voices = _likeness(settings, documents, kept)
    embedder = open_embedder(settings)
    known = [d for d in own if d.id not in kept and d.kind == "article"]
    sample = [d for d in known if d.id in set(choose([d.id for d in known], KNOWN_DOCUMENTS))]
    support = learn_support(_passages(_chunks(settings, embedder, sample)), embedder.encode)
    tested = [d for d in own if d.id in kept]
    asked, answers = _ask(settings, embedder, tested)
    material = Material(
        tested=[e for e in examples if e.split == "test"],
        trained=[e for e in examples if e.split == "train"],
        likeness=likeness,
        asked=asked,
        support=partial(measure_support, support=support, encode=embedder.encode),
        allowed=frozenset(e for s in load_sources(settings) for e in s.author.emails),
    )
    measured = {"separation": support.separation, "calibration_error": support.error}
    return Gathered(material, answers, voices, measured)


def retrieve_notes(settings: Settings, examples: Sequence[Example]) -> list[Example]:
    """Ask the held-out examples as the endpoint would, with what the answer path finds in place of their own notes.

    Those that a dataset gives them are made of the answer itself.
    """
    kept = held_out(examples)
    tested = [d for d in own_documents(settings) if d.id in kept]
    with _open_path(settings, open_embedder(settings), tested) as path:
        return [
            replace(e, messages=(*path.aloud(e.messages[-2].content).messages, e.messages[-1]))
            for e in examples
            if e.split == "test"
        ]


def _likeness(
    settings: Settings, documents: Sequence[CleanDocument], kept: Collection[str]
) -> tuple[Likeness, dict[str, float]]:
    """Train the authorship verifier on documents that are not held out, and try it on those that are."""
    articles = [d for d in documents if d.kind == "article"]
    others = [d for d in articles if d.author != settings.author]
    aside = max(len(others) // HELD_BACK, 1) if len(others) >= FEWEST_OTHERS else 0
    back = set(choose([d.id for d in others], aside)) | set(kept)
    seen = [d for d in articles if d.id not in back]
    own = [prose_of(d) for d in seen if d.author == settings.author]
    likeness = learn_likeness(
        own, [prose_of(d) for d in seen if d.author != settings.author], settings.seed
    )
    unseen = [d for d in articles if d.id in back]
    mine = passages([prose_of(d) for d in unseen if d.author == settings.author])[:TRIED]
    theirs = passages([prose_of(d) for d in unseen if d.author != settings.author])[:TRIED]
    return likeness, _tried(likeness, mine, theirs)


def _tried(likeness: Likeness, mine: Sequence[str], theirs: Sequence[str]) -> dict[str, float]:
    """Tell how the author's own held-out passages score, and other people's."""
    scores = [likeness(p) for p in (*mine, *theirs)]
    own = [True] * len(mine) + [False] * len(theirs)
    told = {"author": scores[: len(mine)], "others": scores[len(mine) :]}
    means = {name: fmean(found) for name, found in told.items() if found}
    if len(means) < len(told):
        return means
    judged = {"separation": separation(scores, own)}
    return means | judged | {"calibration_error": calibration_error(scores, own)}


def _chunks(
    settings: Settings, embedder: Embedder, documents: Sequence[CleanDocument]
) -> list[Chunk]:
    """Cut documents as the index does, so that passages have the ids that it knows."""
    size, mark = min(settings.chunk_tokens, embedder.window), index_mark(settings)
    return [c for d in documents for c in chunk_document(d, embedder.offsets, size, mark)]


def _passages(chunks: Sequence[Chunk]) -> list[list[str]]:
    by_document = groupby(chunks, key=lambda c: c.document_id)
    return [[c.text for c in found] for _, found in by_document]


def _ask(
    settings: Settings, embedder: Embedder, tested: Sequence[CleanDocument]
) -> tuple[list[Asked], dict[str, float]]:
    """Ask the answer path what held-out texts answer and what nothing answers; nothing is generated here."""
    questions = [
        *held_out_questions(_chunks(settings, embedder, tested)),
        *unanswerable_questions(),
    ]
    with _open_path(settings, embedder, tested) as path:
        asks = {q.text: path.ask(q.text) for q in questions}
        prepared = {
            t: prepare(a, path.library, path.voice, settings.abstain_below) for t, a in asks.items()
        }
        found = {
            t: [Hit(f.chunk, f.score) for f in search_passages(a, path.library)]
            for t, a in asks.items()
        }
        fair = [q for q in questions if q.relevant or not is_told(q.text, found[q.text])]
        aloud = [path.aloud(q.text) for q in fair if q.relevant]
    measured = _measure(fair, found, prepared)
    log.info("the answer path: %s", ", ".join(f"{k} {v:.2f}" for k, v in measured.items()))
    return [Asked(p.messages, _shown(p)) for p in aloud if p.sources], measured


@contextmanager
def _open_path(
    settings: Settings, embedder: Embedder, tested: Sequence[CleanDocument]
) -> Iterator[_Path]:
    """Open the answer path, with all texts and without those that are held out."""
    with open_features(settings) as features, open_colours(settings) as colours:
        style = features.author_style(FEATURE_SERVICE, settings.author)
        voice = Voice(author_name(settings), style, evidence_tokens=settings.evidence_tokens)
        library, stored = _library(settings, embedder, colours, [d.id for d in tested])
        yield _Path(library, _blind(settings, library, stored, tested), voice, settings)


def _blind(
    settings: Settings, library: Library, stored: Sequence[Stored], tested: Sequence[CleanDocument]
) -> Library:
    """Hide held-out texts from a library, and whatever repeats them word for word or by meaning."""
    if not stored:
        return library
    passages = all_passages(settings, tested, stored)
    texts = {d.id: d.text for d in tested}
    hidden = leaking_passages(passages, texts, settings.leak_words, settings.leak_cosine)
    hidden &= {c.id for c, _ in stored}
    log.info("%d of %d passages are hidden from the models", len(hidden), len(stored))
    return replace(
        library, dense=without(library.dense, hidden), words=without(library.words, hidden)
    )


def _library(
    settings: Settings, embedder: Embedder, colours: Colours, tested: Collection[str]
) -> tuple[Library, list[Stored]]:
    """Open the colour of the index that this installation makes, as serving does, and list what it holds.

    Its ranking is learned without the headings of the tested documents, which are what is asked.
    """
    mark = index_mark(settings)
    # After a way back, another embedder's colour may be live.
    colour = colour_of(colours.all(), colours.live_name(), mark)
    distance = colour.distance if colour else settings.vectors_distance
    reader = Reader(colours.store(colour), embedder, mark, distance)
    stored, ranking = list(reader.vectors.scan()), read_ranking(settings, mark)
    ranker = unbiased_ranker(ranking, stored, tested, embedder.encode)
    shared = Trust(settings).shared
    library = Library(embedder, reader.dense, reader.vectors.search, ranker, shared=shared)
    return library, stored


def _shown(prepared: Prepared) -> tuple[str, ...]:
    return tuple(s.quote for s in prepared.sources)


def _measure(
    questions: Sequence[Question],
    found: Mapping[str, Sequence[Hit]],
    prepared: Mapping[str, Prepared],
) -> dict[str, float]:
    """Measure what was found, what of it is shown, and what is declined."""
    asked = [q for q in questions if q.relevant]
    declined = {q.text: prepared[q.text].abstained for q in questions}
    measured = {"answerable": float(len(asked)), "unanswerable": float(len(questions) - len(asked))}
    measured |= measure_retrieval(questions, found) | abstention_rates(questions, declined)
    if asked:
        shown = {q.text: [s.chunk_id for s in prepared[q.text].sources] for q in asked}
        measured["context_precision"] = fmean(
            context_precision(shown[q.text], q.relevant) for q in asked
        )
        measured["context_recall"] = fmean(
            context_recall(q.reference, [h.chunk.text for h in found[q.text]]) for q in asked
        )
        measured["seconds"] = fmean(sum(prepared[q.text].seconds.values()) for q in asked)
    return measured
