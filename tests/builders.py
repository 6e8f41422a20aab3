"""Small values for tests: documents that differ only in what a test is about."""

from datetime import UTC, datetime

from ml.types import Chunk, CleanDocument, Document, Kind, ModelVersion, digest

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
PARAGRAPH = (
    "The first rule of the harbour is that a rope which looks sound is the one to check; we learned it "
    "on a Tuesday, when the replica that nobody watched had been behind for nine days. I was wrong about it. "
)


def document(
    text: str = PARAGRAPH * 3,
    *,
    url: str = "https://example.org/a/",
    kind: Kind = "article",
    title: str = "A rope",
    author: str = "maren-oduya",
    published_at: datetime | None = MOMENT,
) -> Document:
    """Make a stored document."""
    return Document(url, kind, author, title, text, "en", "blog", published_at, MOMENT)


def cleaned(
    text: str = PARAGRAPH * 3,
    *,
    url: str = "https://example.org/a/",
    kind: Kind = "article",
    title: str = "A rope",
    author: str = "maren-oduya",
    published_at: datetime | None = MOMENT,
) -> CleanDocument:
    """Make a clean document whose text is exactly as given."""
    made = document(text, url=url, kind=kind, title=title, author=author)
    return CleanDocument(made.id, made.revision, url, kind, author, title, text, "en", published_at)


def chunk(text: str, *, position: int = 0, document: CleanDocument | None = None) -> Chunk:
    """Make a chunk of a document."""
    source = document or cleaned(text)
    return Chunk(
        digest("chunk", source.id, str(position)),
        source.id,
        source.revision,
        position,
        text,
        source.title,
        0,
        len(text),
        source.author,
        source.kind,
        source.title,
        source.url,
        source.published_at,
    )


def model_version(model_id: str, fingerprint: str) -> ModelVersion:
    """Make the manifest of a model that was never trained."""
    return ModelVersion(
        model_id, "", "d1", "tiny", fingerprint, "twin_v1", MOMENT, {"seed": 7}, {"loss": 1.0}, {}
    )
