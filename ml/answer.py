"""The product: one readable path from a question to a cited answer.

understand → retrieve → rerank → compress → render → cite → (generate, by the caller) → check. An answer opens with
its evidence, so that is cited before the model speaks. `STEPS` may be switched; `ml/laps.py` counts what each step
takes. Evidence is quoted word for word with its place; what the model wrote is marked as such. Where nothing that was
found is likely to answer, the twin says so, and what it does know. All doors are arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.cite import abstention, cite, quote
from ml.compress import Count, Extract, compress, whole
from ml.expand import Expand, expand_by_rules
from ml.laps import Laps
from ml.models import can_write
from ml.prompts import Prompt, twin_messages
from ml.rerank import Found, Ranker, Scores, best_first, join
from ml.trust import Shared, nothing_shared, weigh_trust
from ml.types import Answer, Hit, Kind, Message, SourceRef
from ml.understand import Understood, nothing_known, understand

Vector = NDArray[np.float32]
# What may be switched, in the order in which it happens; docs/benchmarks.md says what each is worth.
STEPS = (
    *("route", "self_query", "follow_up", "expand", "overfetch", "hybrid", "rerank"),
    *("compress", "embed_sentences", "cite", "check", "strict"),
)
# Passages that meaning, and words, put forward each: the ranking needs more than it gives back.
CANDIDATES = 40
# Passages that a cross-encoder reads: it takes milliseconds for each.
JUDGED = 20
# Messages of the conversation before the question that the model is shown, and characters of each.
EARLIER_MESSAGES, EARLIER_CHARACTERS = 2, 240
# What stands between the evidence and what the model says.
MARK = "In the twin's own words (generated): "
GREETING = (
    "Hello. I am the writing twin of {author}, a program and no person. Ask me about what {author} has written: "
    "I quote it, and name where it stands."
)
OUT_OF_SCOPE = (
    "No text that was written once can answer that, so I would rather not guess. "
    "Ask me about what I have written."
)
DEFAULT_STEPS = "route,self_query,follow_up,overfetch,hybrid,rerank,compress,cite,check"


class Embeds(Protocol):
    """What the path needs of an embedder."""

    def encode(self, texts: Sequence[str]) -> Vector:
        """Embed texts into unit vectors (n, d)."""


Search = Callable[..., list[Hit]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and how to answer it; `until` asks as of a date, `earlier` are the turns before it."""

    question: str
    author: str
    kind: Kind | None = None
    since: datetime | None = None
    until: datetime | None = None
    max_tokens: int = 96
    temperature: float = 0.7
    top_p: float = 0.95
    seed: int | None = None
    limit: int = 5
    earlier: tuple[Message, ...] = ()
    steps: frozenset[str] = frozenset(DEFAULT_STEPS.split(","))
    today: datetime = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Library:
    """Where an answer is looked for. `dense` finds by meaning and scores by cosine, `words` finds by words.

    `judge` scores a question with passages in the ranking's place; it may be a cross-encoder. `shared` names those of
    some documents that others may have written. `expand` asks in other words.
    """

    embedder: Embeds
    dense: Search
    words: Search
    ranker: Ranker
    judge: Scores | None = None
    authors: Mapping[str, str] = field(default_factory=dict)
    shared: Shared = nothing_shared
    expand: Expand = expand_by_rules


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: the author's name and measured style, the prompt of the model, and how it counts tokens."""

    author: str
    style: Mapping[str, float]
    prompt: Prompt | None = None
    count: Count = lambda text: len(text) // 3
    evidence_tokens: int = 400


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before the model speaks; `seconds` by step. Only what `speaks` is generated."""

    messages: tuple[Message, ...]
    sources: tuple[SourceRef, ...]
    quoted: str
    abstained: bool
    chunk_ids: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    speaks: bool = True
    how: Mapping[str, object] = field(default_factory=dict)


def prepare(
    ask: Ask, library: Library, voice: Voice, abstain_below: float, laps: Laps | None = None
) -> Prepared:
    """Understand a question, find, order and compress the evidence for it, and render the prompt."""
    laps = laps or Laps()
    meant = laps.end("understand", _understand(ask, library))
    if meant.route in ("small talk", "out of scope"):
        return _without_search(ask, meant, voice, laps)
    found = laps.end("retrieve", _retrieve(ask, meant, library) if meant.route != "voice" else [])
    ranked = laps.end("rerank", _rerank(ask, meant, found, library))
    near = [f for f in ranked if f.chance >= abstain_below]
    abstained = meant.route == "knowledge" and not near
    earlier = _earlier(ask)
    budget = voice.evidence_tokens - sum(voice.count(m.content) for m in earlier)
    extracts = laps.end("compress", _compress(ask, meant, near, library, voice.count, budget))
    messages = laps.end("render", _render(ask, voice, extracts, earlier))
    sources = cite(extracts)
    opens = quote(sources) if "cite" in ask.steps else ""
    quoted = abstention(ranked, nothing_known(meant)) if abstained else opens
    return Prepared(
        messages=messages,
        sources=sources,
        quoted=laps.end("cite", quoted),
        abstained=abstained,
        chunk_ids=tuple(f.chunk.id for f in ranked),
        seconds=laps.seconds,
        speaks=not abstained,
        how=_how(ask, meant, ranked),
    )


def opening(prepared: Prepared) -> str:
    """Return what is said before the model speaks: the quoted evidence and the mark of what follows."""
    if not prepared.speaks:
        return prepared.quoted
    return f"{prepared.quoted}\n\n{MARK}" if prepared.quoted else MARK


def finish(
    prepared: Prepared,
    generated: str,
    prompt_tokens: int,
    completion_tokens: int,
    reason: str = "stop",
) -> Answer:
    """Put evidence and generated text together; an abstention says nothing of its own."""
    spoken = generated.strip() if prepared.speaks else ""
    return Answer(
        content=opening(prepared) + spoken,
        quoted=prepared.quoted,
        generated=spoken,
        sources=prepared.sources,
        abstained=prepared.abstained,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        finish=reason,
    )


def choose_steps(named: str, asked: Mapping[str, bool], base_model: str) -> frozenset[str]:
    """Switch steps on and off: those `named`, or the usual ones, then what one request asks; ValueError if unknown."""
    # What no source supports is left out, but where that would be all that a model says.
    usual = DEFAULT_STEPS + (",strict" if can_write(base_model) else "")
    chosen = {s.strip() for s in (named or usual).split(",") if s.strip()}
    if unknown := sorted((chosen | asked.keys()) - set(STEPS)):
        raise ValueError(
            f"There is no step {unknown[0][:40]!r} in an answer; there is: {', '.join(STEPS)}."
        )
    return frozenset(s for s in STEPS if asked.get(s, s in chosen))


def search_passages(ask: Ask, library: Library) -> list[Found]:
    """Find and order passages as an answer would, without one."""
    meant = _understand(ask, library)
    return _rerank(ask, meant, _retrieve(ask, meant, library), library)


def _understand(ask: Ask, library: Library) -> Understood:
    """Read the question as far as the steps allow; what the request filters by itself wins."""
    earlier = ask.earlier if "follow_up" in ask.steps else ()
    today = ask.today if "self_query" in ask.steps else None
    read = understand(ask.question, today, earlier, library.authors)
    meant = replace(
        read,
        route=read.route if "route" in ask.steps else "knowledge",
        author=read.author or ask.author,
        kind=ask.kind or read.kind,
        since=ask.since or read.since,
        until=ask.until or read.until,
    )
    wanted = "expand" in ask.steps and meant.route == "knowledge"
    return replace(meant, variants=library.expand(meant.search)) if wanted else meant


def _retrieve(ask: Ask, meant: Understood, library: Library) -> list[Found]:
    """Put forward more than is needed, by meaning and by words."""
    asked = [meant.search, *meant.variants.texts]
    only = {name: getattr(meant, name) for name in ("author", "kind", "since", "until")}
    only["limit"] = CANDIDATES if "overfetch" in ask.steps else ask.limit
    dense, words = list[list[Hit]](), list[list[Hit]]()
    for text, embedding in zip(asked, library.embedder.encode(asked), strict=True):
        dense.append(library.dense(embedding, **only))
        if "hybrid" in ask.steps:
            words.append(library.words(text, embedding, alpha=0.0, **only))
    return join(dense, words)


def _rerank(ask: Ask, meant: Understood, found: list[Found], library: Library) -> list[Found]:
    """Order what was found; without the ranking, by the two searches' own orders."""
    ranked = library.ranker.rank(meant.search, found)
    if "rerank" not in ask.steps:
        ranked = best_first(ranked, [f.fused for f in ranked])
    elif library.judge and ranked:
        read = ranked[: max(JUDGED, ask.limit)]
        ranked = best_first(read, library.judge(meant.search, [f.chunk for f in read]))
    return weigh_trust(ranked[: 3 * ask.limit], library.shared)[: ask.limit]


def _compress(
    ask: Ask, meant: Understood, near: list[Found], library: Library, count: Count, budget: int
) -> list[Extract]:
    if "compress" not in ask.steps:
        return whole(near, count, budget)
    embed = library.embedder.encode if "embed_sentences" in ask.steps else None
    return compress(meant.search, near, library.ranker, count, budget, embed)


def _render(
    ask: Ask, voice: Voice, extracts: Sequence[Extract], earlier: Sequence[Message]
) -> tuple[Message, ...]:
    evidence = [e.quote for e in extracts]
    shared = {n for n, e in enumerate(extracts, start=1) if e.found.shared}
    asked = (ask.question, evidence, voice.style, voice.author)
    return twin_messages(*asked, earlier=earlier, prompt=voice.prompt, shared=shared)


def _earlier(ask: Ask) -> list[Message]:
    """Shorten the last turns to what was said: of an answer, what the model said itself."""
    if "follow_up" not in ask.steps:
        return []
    turns = [m for m in ask.earlier if m.role != "system"][-EARLIER_MESSAGES:]
    said = (Message(m.role, m.content.split(MARK)[-1][:EARLIER_CHARACTERS]) for m in turns)
    return [m for m in said if m.content.strip()]


def _without_search(ask: Ask, meant: Understood, voice: Voice, laps: Laps) -> Prepared:
    """Answer what needs no text of the author: a greeting in kind, and what nobody can have written about."""
    abstained = meant.route == "out of scope"
    return Prepared(
        messages=laps.end("render", _render(ask, voice, [], [])),
        sources=(),
        quoted=OUT_OF_SCOPE if abstained else GREETING.format(author=voice.author),
        abstained=abstained,
        chunk_ids=(),
        seconds=laps.seconds,
        speaks=False,
        how=_how(ask, meant, []),
    )


def _how(ask: Ask, meant: Understood, ranked: Sequence[Found]) -> dict[str, object]:
    """Say in plain values how a question was understood, for the trace."""
    return {
        "route": meant.route,
        "search": meant.search,
        "variants": {**asdict(meant.variants), "texts": list(meant.variants.texts)},
        "author": meant.author,
        "kind": meant.kind or "",
        "since": meant.since.isoformat() if meant.since else "",
        "until": meant.until.isoformat() if meant.until else "",
        "steps": [s for s in STEPS if s in ask.steps],
        "scores": [round(f.score, 4) for f in ranked],
        "chance": round(max((f.chance for f in ranked), default=0.0), 4),
    }
