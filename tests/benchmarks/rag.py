"""What each step of an answer brings and what it takes: hit@5, nDCG@10, evidence, abstention and milliseconds.

`make bench-rag` asks the demo's questions of the demo's articles; `make bench-rag DIR=<folder>` asks those of
questions.json of the articles in `ArticleDocument.json` there, the development half. Add `PART="held out"` for
the other half, which no step, weight or threshold was chosen by. A hit is a passage with the answer in it.
No turn comes before these questions, and no model speaks. In its place stands what it should say and what it should
not: the sentences of the evidence that it is shown, and as many of another author's. `faithful` is the share of what
reaches the reader that is what it is taken for: it stands in the evidence, or is marked as standing nowhere.
"""

import json
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from cleaning import read_pages
from rich.console import Console
from rich.table import Table

from include.colours import Colour
from include.colours_lance import open_lance
from include.ranking import shared_terms
from include.settings import ROOT, Settings
from ml.answer import DEFAULT_STEPS, STEPS, Ask, Library, Prepared, Voice, prepare, search_passages
from ml.boilerplate import NOTHING, host_of, learn_boilerplate
from ml.chunk import chunk_document
from ml.cite import check
from ml.dedup import Limits, mark_duplicates
from ml.embed import Embedder, load_embedder
from ml.ranker import fit_ranking
from ml.rerank import Ranker, Ranking
from ml.sentences import split_sentences
from ml.text import clean
from ml.types import Chunk, CleanDocument, Document

AUTHOR = "author"
CHOSEN = frozenset(DEFAULT_STEPS.split(","))
# Passages of a list that is measured.
DEPTH = 10
# Where a page says its day, and how.
HEAD, DAY = (
    3_000,
    re.compile(r"^(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* (\d\d, 20\d\d)$", re.M),
)


@dataclass(frozen=True)
class Question:
    """A question with the words, in the text, that answer it; without any nothing answers it."""

    text: str
    answer: str = ""


def main(arguments: list[str]) -> None:
    """Build the index of a corpus, ask with and without each step, and print the tables."""
    folder, part = (
        (Path(arguments[0]) if arguments and arguments[0] else None),
        (arguments[1:] or ["development"])[0],
    )
    settings, console = Settings(), Console(width=140)
    documents = handbook(folder) if folder else demo()
    asked = handbook_questions(part) if folder else demo_questions()
    embedder = load_embedder(settings.embedder, settings.cache_dir)
    chunks = [
        c
        for d in documents
        for c in chunk_document(d, embedder.offsets, settings.chunk_tokens, "bench")
    ]
    with tempfile.TemporaryDirectory() as place:
        library = build(Path(place), chunks, embedder, console)
        answers = {
            q: {c.id for c in chunks if plain(q.answer) in plain(c.text)} for q in asked if q.answer
        }
        lost = [q.answer for q, found in answers.items() if not found]
        console.print(
            f"{len(chunks)} passages, {len(answers)} questions ({part}); not in the corpus: {lost}"
        )
        steps_table(library, asked, answers, console, settings.abstain_below)
        threshold_table(library, asked, console)


def build(folder: Path, chunks: Sequence[Chunk], embedder: Embedder, console: Console) -> Library:
    """Embed and index passages, and learn their ranking, without a question of this file."""
    started = time.monotonic()
    vectors = embedder.encode([c.text for c in chunks])
    embedded = time.monotonic()
    store = open_lance(str(folder), Colour("Bench", "bench")).store()
    store.upsert(list(chunks), vectors)
    ranking = Ranking("bench", passages=len(chunks), counts=shared_terms(chunks))
    indexed = time.monotonic()
    learned = fit_ranking(ranking, chunks, vectors, embedder.encode)
    console.print(
        f"embedded in {embedded - started:.0f} s; ranking learned in {time.monotonic() - indexed:.1f} s from "
        f"{learned.pairs} headings: {learned.weights}"
    )
    return Library(embedder, store.dense, store.search, Ranker(learned))


def steps_table(
    library: Library,
    asked: Sequence[Question],
    answers: dict[Question, set[str]],
    console: Console,
    abstain_below: float,
) -> None:
    """Ask every question with the chosen steps, with one more or one less, and by meaning alone."""
    columns = ("hit@1", "hit@5", "nDCG@10", "MRR", "evidence", "faithful", "p50 ms", "p95 ms")
    table = Table(
        "steps", *columns, title="What each step brings, and takes before the first token"
    )
    for name, steps, given in variants(library):
        ranked, said, spent = run(given, asked, answers, steps, abstain_below)
        measured = measure(ranked, answers)
        row = [*measured, fmean(e for e, _ in said), fmean(f for _, f in said)]
        p50, p95 = quantiles(spent, n=20)[9], quantiles(spent, n=20)[18]
        table.add_row(name, *(f"{v:.3f}" for v in row), f"{p50:.0f}", f"{p95:.0f}")
    console.print(table)


def variants(library: Library) -> list[tuple[str, frozenset[str], Library]]:
    """List what is compared: the meaning alone, the chosen steps, and each of them switched."""
    untaught = replace(library, ranker=Ranker(Ranking()))
    found = [
        ("meaning alone", CHOSEN - {"hybrid", "rerank"}, library),
        ("chosen", CHOSEN, library),
        ("chosen, ranking of another corpus", CHOSEN, untaught),
    ]
    return found + [(name, steps, library) for name, steps in switched(CHOSEN)]


def switched(chosen: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Switch each step that there is: off where it is chosen, else on."""
    return [(f"without {s}" if s in chosen else f"with {s}", chosen ^ {s}) for s in STEPS]


def run(
    library: Library,
    asked: Sequence[Question],
    answers: dict[Question, set[str]],
    steps: frozenset[str],
    abstain_below: float,
) -> tuple[dict[str, list[str]], list[tuple[float, float]], list[float]]:
    """Ask every question; returns passages by question, (evidence holds the answer, faithful) and milliseconds."""
    ranked: dict[str, list[str]] = {}
    said, spent = [], []
    voice = Voice("The author", {"sentence_words": 20.0})
    for question in [q for q in asked if q.answer]:
        ask = Ask(question.text, AUTHOR, steps=steps, today=datetime(2026, 1, 1, tzinfo=UTC))
        started = time.perf_counter()
        ready = prepare(ask, library, voice, abstain_below)
        spent.append((time.perf_counter() - started) * 1000)
        deeper = search_passages(replace(ask, limit=DEPTH), library)
        ranked[question.text] = [f.chunk.id for f in deeper]
        evidence = plain(" ".join(s.quote for s in ready.sources))
        said.append((float(plain(question.answer) in evidence), faithful(ready, library, steps)))
    return ranked, said, spent


def faithful(ready: Prepared, library: Library, steps: frozenset[str]) -> float:
    """Let somebody say all sentences of the evidence and as many that are nowhere; returns the share that is honest."""
    shown = [s for source in ready.sources for s in split_sentences(source.quote)]
    if not shown:
        return 1.0
    learned = library.ranker.ranking
    told = dict[str, bool]()
    for n, sentence in enumerate(shown):
        told |= {sentence: True, foreign()[n % len(foreign())]: False}
    claims = {
        sentence: bool(check(sentence, ready.sources, learned.counts, learned.passages)[0].source)
        for sentence in told
    }
    heard = [s for s in told if claims[s] or "strict" not in steps]
    honest = [told[s] == claims[s] if "check" in steps else told[s] for s in heard]
    return fmean(honest) if honest else 1.0


@lru_cache(maxsize=1)
def foreign() -> list[str]:
    """List the sentences of the demo's other author."""
    files = sorted((ROOT / "demo" / "articles" / "tobias-reck").glob("*.md"))
    texts = [re.sub(r"\A---\n.*?\n---\n", "", f.read_text("utf-8"), flags=re.S) for f in files]
    return [s for text in texts for s in split_sentences(text)]


def measure(ranked: dict[str, list[str]], answers: dict[Question, set[str]]) -> list[float]:
    """Score rankings with ir-measures."""
    import ir_measures
    from ir_measures import RR, Success, nDCG

    truth = [ir_measures.Qrel(q.text, c, 1) for q, found in answers.items() for c in found]
    runs = [
        ir_measures.ScoredDoc(q, c, -float(place))
        for q, found in ranked.items()
        for place, c in enumerate(found)
    ]
    wanted = [Success @ 1, Success @ 5, nDCG @ 10, RR @ 10]
    scores = ir_measures.calc_aggregate(wanted, truth, runs)
    return [float(scores[m]) for m in wanted]


def threshold_table(library: Library, asked: Sequence[Question], console: Console) -> None:
    """Say what each abstention threshold would do: questions lost, and unanswerable ones that are seen."""
    known, unknown = list[float](), list[float]()
    for question in asked:
        ask = Ask(question.text, AUTHOR, steps=CHOSEN, today=datetime(2026, 1, 1, tzinfo=UTC))
        chance = max((f.chance for f in search_passages(ask, library)), default=0.0)
        (known if question.answer else unknown).append(chance)
    if not unknown:
        return
    table = Table(
        "abstain below", "answerable, refused", "unanswerable, refused", title="Abstention"
    )
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        lost, seen = (fmean(c < threshold for c in given) for given in (known, unknown))
        table.add_row(f"{threshold:.1f}", f"{lost:.1%}", f"{seen:.1%}")
    console.print(table)


def handbook(folder: Path) -> list[CleanDocument]:
    """Clean the articles of a folder, without copies."""
    given, settings = read_pages(folder / "ArticleDocument.json"), Settings()
    hosts = learn_boilerplate(given)
    cleaned = [clean(d, hosts.get(host_of(d.url), NOTHING)) for d in given]
    kept = [c for c in cleaned if isinstance(c, CleanDocument)]
    limits = Limits(settings.near_duplicate, settings.excerpt_duplicate)
    days = {d.url: published(d.text) for d in given}
    originals = (d for d in mark_duplicates(kept, limits) if not d.duplicate_of)
    return [replace(d, published_at=days[d.url]) for d in originals]


def published(text: str) -> datetime | None:
    """Read the day of a page, which stands on a line of its own near its beginning: "Jun 04, 2023"."""
    found = DAY.search(text[:HEAD])
    if found is None:
        return None
    return datetime.strptime(f"{found[1]} {found[2]}", "%b %d, %Y").replace(tzinfo=UTC)


def handbook_questions(part: str) -> list[Question]:
    """Read one half of the questions about the handbook's articles."""
    listed: Any = json.loads((Path(__file__).parent / "questions.json").read_text(encoding="utf-8"))
    pages = [*listed["pages"], *listed["dated"]]
    known = [Question(*q) for p in pages if p["part"] == part for q in p["asked"]]
    return known + [Question(u["question"]) for u in listed["unanswerable"] if u["part"] == part]


def demo() -> list[CleanDocument]:
    """Clean the articles of the demo's first author."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    files = sorted((ROOT / "demo" / "articles" / "maren-oduya").glob("*.md"))
    lap = sorted((ROOT / "demo" / "lap2").rglob("*.md"))
    texts = {f.stem: f.read_text(encoding="utf-8") for f in [*files, *lap]}
    texts = {n: re.sub(r"\A---\n.*?\n---\n", "", t, flags=re.S) for n, t in texts.items()}
    made = [
        Document(f"demo:{n}", "article", AUTHOR, n, t, "en", "demo", moment, moment)
        for n, t in texts.items()
    ]
    return [c for d in made if isinstance(c := clean(d), CleanDocument)]


def demo_questions() -> list[Question]:
    """Read the demo's questions, and those that neither corpus answers."""
    listed: Any = json.loads((ROOT / "demo" / "questions.json").read_text(encoding="utf-8"))
    nothing = handbook_questions("development")
    return [Question(q["question"], q["evidence"]) for q in listed] + [
        q for q in nothing if not q.answer
    ]


def plain(text: str) -> str:
    """Make texts comparable: no marks of Markdown, no look-alike letters, one blank."""
    text = re.sub(r"\]\([^)]*\)", "]", unicodedata.normalize("NFKC", text).lower())
    return re.sub(r"\s+([,:])", r"\1", re.sub(r"\s+", " ", re.sub(r"[*_\[\]\\]", "", text)))


if __name__ == "__main__":
    main(sys.argv[1:])
