"""Hash what the shared steps *produce* on canned input, so that skew between training and serving is refused.

Three marks: the index's (clean, chunk, embedder), the model's (the index's, the prompt, the base model) and the
tokenizer's, which a base model brings and every adapter notes. A changed regular expression that changes nothing
keeps them; one that changes a comma does not.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from ml.chunk import chunk_document
from ml.conversation import Conversation
from ml.prompts import PROMPT_VERSION, twin_messages
from ml.text import clean
from ml.types import CleanDocument, Document, Kind, Message, digest

_ARTICLE = (
    """# Tides

> Somebody else said this.

It isn’t the mast that breaks; it is the *habit* — see `fsync()`.\u200b  Mail me:
someone@example.org.

## Why measure?

- first, a list with an item
- second, another item that goes on for a while

```python
def f(x):
    return x  # AKIAABCDEFGHIJKLMNOP
```

"""
    + "A sentence that is there to be long enough for a second chunk; it says nothing new. " * 12
)
_CODE = 'def g() -> int:\n    """Return one."""\n    return 1\n\n\nclass H:\n    pass\n'
_LINES = "".join(f"    value{i} = compute(value{i});\n" for i in range(40))
_PYTHON = f"class H:\n    # About m.\n    def m(self):\n{_LINES}\n    def n(self):\n        pass\n"
_SCRIPT = f"/* About f. */\nfunction f() {{\n{_LINES}}}\n\nclass A {{\n  m() {{\n{_LINES}  }}\n}}\n"
_STRANGE = "naïve Ünïcode 日本語 עברית 🧵 e\u0301\u200b 1234567890 3.14\t\ttabs  two  spaces\r\n don't WE'LL €…—“”"


class FingerprintMismatch(ValueError):
    """Raised where two things made in different ways would be used together."""


def index_fingerprint(
    embedder: str, offsets: Callable[[str], list[tuple[int, int]]], chunk_tokens: int
) -> str:
    """Name how documents become vectors: what cleaning and chunking produce, and which embedder follows."""
    parts = [embedder, str(chunk_tokens)]
    canned: tuple[tuple[Kind, str, str], ...] = (
        *(("article", "Tides", _ARTICLE), ("code", "Tides", _CODE)),
        *(("code", "tides.py", _PYTHON), ("code", "tides.js", _SCRIPT)),
    )
    for kind, title, text in canned:
        cleaned = clean(_canned(kind, title, text))
        if not isinstance(cleaned, CleanDocument):
            raise ValueError(
                f"The canned {kind} was rejected: {cleaned.reason}. Cleaning is broken."
            )
        parts.append(cleaned.text)
        chunks = chunk_document(cleaned, offsets, chunk_tokens, "canned")
        parts += [f"{c.start}:{c.end}:{c.heading}" for c in chunks]
    return digest("index", *parts)


def model_fingerprint(index: str, base_model: str) -> str:
    """Name how a model is prompted and on what it stands."""
    said = [m.content for m in canned_prompt()]
    return digest("model", index, base_model, PROMPT_VERSION, *said)


def tokenizer_fingerprint(conversation: Conversation) -> str:
    """Name how texts become tokens: what comes of canned ones, and the number of every token that there is."""
    # By lines, or the libraries warn of a text that is longer than a model reads.
    lines = [
        line for t in (_ARTICLE, _CODE, _PYTHON, _STRANGE) for line in t.splitlines(keepends=True)
    ]
    cut = [conversation.text(line) for line in lines]
    known = sorted(conversation.tokenizer.get_vocab().items())
    return digest("tokenizer", str(cut), str(conversation.ends), str(known))


def canned_prompt() -> tuple[Message, ...]:
    """Render a prompt about nothing, which shows how a model is prompted."""
    style = {"sentence_words": 20.4, "semicolon_rate": 3.0, "exclamation_rate": 0.0}
    return twin_messages("What is <|x|> this?", ["A note."], style, "Somebody")


def check(ours: str, theirs: str, what: str, remedy: str) -> None:
    """Raise unless the two fingerprints are equal."""
    if ours != theirs:
        raise FingerprintMismatch(
            f"{what} was made with fingerprint {theirs[:12]}, but this installation makes {ours[:12]}. {remedy}"
        )


def _canned(kind: Kind, title: str, text: str) -> Document:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    return Document("canned:" + kind, kind, "nobody", title, text, "en", "canned", moment, moment)
