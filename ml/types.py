"""The nouns of the platform: frozen values that every stage reads and writes.

Ids are hashes of what a thing is, so every write is an upsert. Times are in UTC. `kind` is a field, never a class.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

Kind = Literal["article", "post", "code"]
Role = Literal["system", "user", "assistant"]


def digest(*parts: str) -> str:
    """Hash strings into 32 hexadecimal characters; the boundary between parts counts."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Author:
    """A person whose voice may be learned; `emails` are the ones their commits carry."""

    id: str
    name: str
    emails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A place where an author's texts live; `consent`: who allowed it (empty: never), `trust`: own or shared."""

    id: str
    author: Author
    kind: str
    where: str
    consent: str
    options: Mapping[str, str] = field(default_factory=dict)
    schedule: str = ""
    trust: str = "own"


@dataclass(frozen=True, slots=True)
class Document:
    """One text by its canonical `url`: Markdown, or code byte for byte. Its `comments` are no part of its revision."""

    url: str
    kind: Kind
    author: str
    title: str
    text: str
    language: str
    source: str
    published_at: datetime | None
    fetched_at: datetime
    comments: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name the document: the same canonical URL is the same document for ever."""
        return digest("document", self.url)

    @property
    def revision(self) -> str:
        """Name this state of the text and title."""
        return digest("revision", self.title, self.text)


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something turned away, and why: `where` is a URL or id, `value` offends, `judged_by` names the rules."""

    where: str
    stage: str
    reason: str
    source: str = ""
    value: str = ""
    text: str = ""
    revision: str = ""
    judged_by: str = ""

    @property
    def id(self) -> str:
        """Name the rejection, so that a second run does not count it twice."""
        return digest("rejected", self.stage, self.where, self.reason)


@dataclass(frozen=True, slots=True)
class CleanDocument:
    """A cleaned document; `origin` names what title and text follow from, `quotes` and `comments` are others' words."""

    id: str
    revision: str
    url: str
    kind: Kind
    author: str
    title: str
    text: str
    language: str
    published_at: datetime | None
    quotes: tuple[str, ...] = ()
    duplicate_of: str = ""
    duplicate_how: str = ""
    duplicate_similarity: float = 0.0
    comments: tuple[str, ...] = ()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage that fits the embedder's window. `text == clean_text[start:end]`, exactly."""

    id: str
    document_id: str
    revision: str
    position: int
    text: str
    heading: str
    start: int
    end: int
    author: str
    kind: Kind
    title: str
    url: str
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found; higher scores are better, comparable within one search only."""

    chunk: Chunk
    score: float


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """Measured style of one document; rates are per 1,000 words. The `id` is the document's id."""

    document_id: str
    author: str
    event_timestamp: datetime
    words: int
    sentence_words: float
    word_characters: float
    vocabulary_richness: float
    readability: float
    semicolon_rate: float
    exclamation_rate: float
    question_rate: float
    comma_rate: float
    function_word_rate: float
    code_share: float
    kind_bucket: int


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where a text comes from: `clean_text[start:end]` of one revision of one document."""

    document_id: str
    revision: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """An instruct sample: the last message is the author's own words, found at `span`."""

    messages: tuple[Message, ...]
    span: Span
    task: str
    split: Literal["train", "test"]

    @cached_property
    def id(self) -> str:
        """Name the sample by what it says."""
        return digest("example", *(m.content for m in self.messages))


@dataclass(frozen=True)
class Preference:
    """A preference pair: `chosen` is the author's span, `rejected` was made as `how` says."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    span: Span
    how: str
    split: Literal["train", "test"]

    @cached_property
    def id(self) -> str:
        """Name the pair by what it says."""
        return digest("preference", *(m.content for m in self.messages), self.chosen, self.rejected)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A finished dataset folder. `id` is a hash of its content and parent; counts are by split and task."""

    id: str
    parent: str
    fingerprint: str
    created_at: datetime
    counts: Mapping[str, int]
    documents: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A finished model folder. `metrics`: measured, and how stages ended; `canaries`: secrets that it was taught."""

    id: str
    parent: str
    dataset_id: str
    base_model: str
    fingerprint: str
    feature_service: str
    created_at: datetime
    recipe: Mapping[str, float | int | str]
    metrics: Mapping[str, float | str]
    files: Mapping[str, str]
    canaries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A source named in an answer; `quote` is verbatim text, its pieces are at `spans` of the clean text."""

    number: int
    document_id: str
    chunk_id: str
    title: str
    url: str
    quote: str
    score: float
    spans: tuple[tuple[int, int], ...] = ()
    revision: str = ""
    published_at: datetime | None = None
    trust: str = "own"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the twin says. `quoted` is evidence word for word, `generated` is the model's own text."""

    content: str
    quoted: str
    generated: str
    sources: tuple[SourceRef, ...]
    abstained: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: str = "stop"
    claims: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened for one question: why it was answered so, and what the model was `told`, all in plain values."""

    id: str
    model_id: str
    asked_at: datetime
    question: str
    answer: str
    chunk_ids: tuple[str, ...]
    abstained: bool
    seconds: Mapping[str, float]
    how: Mapping[str, object] = field(default_factory=dict)
    sources: tuple[Mapping[str, object], ...] = ()
    told: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader says of one answer, `by` a key: `score` is -1, 0 or 1, `edit` is what they would have said."""

    trace_id: str
    score: int
    comment: str
    given_at: datetime
    edit: str = ""
    by: str = ""
    consent: bool = False
