"""The colours of an index: builds that stand side by side, of which an alias names the one that is live.

A colour is named after what it was made of: the fingerprint of its chunks and embeddings, and how
they are compared and searched. Two embedders are therefore never in one colour, and the same
settings always come back to the same one. What is known of a colour is kept with it, in the store.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from include.settings import Settings
from ml.types import digest

if TYPE_CHECKING:
    from include.vectors import VectorStore

Distance = Literal["cosine", "dot", "l2", "manhattan"]
Structure = Literal["hnsw", "flat"]
Quantizer = Literal["none", "pq", "bq", "sq", "rq"]
Precision = Literal["fp32", "int8"]
# How many published colours stay: the live one and those to go back to.
KEPT = 3


@dataclass(frozen=True, slots=True)
class Colour:
    """One build of an index. `index` names the world's index, `embedder` and `precision` are as the settings say.

    `published` is the time (ISO, UTC) since when it may be served, empty before its probes passed;
    `withdrawn` says that a person rolled back from it. A probe is (kind, chunk id, rank or 0). `copy` counts how often
    it was written anew, so that nothing of what was erased is left in its files.
    """

    index: str
    fingerprint: str
    embedder: str = ""
    precision: Precision = "fp32"
    chunk_tokens: int = 0
    distance: Distance = "cosine"
    structure: Structure = "hnsw"
    quantizer: Quantizer = "none"
    published: str = ""
    withdrawn: bool = False
    probe_share: float = 0.0
    probes: tuple[tuple[str, str, int], ...] = ()
    copy: int = 0

    @property
    def build(self) -> str:
        """Name what it is made of: the same ingredients are the same build for ever, whichever copy of it."""
        made_of = (self.fingerprint, self.distance, self.structure, self.quantizer)
        return f"{self.index}_{digest('colour', *made_of)[:8]}"

    @property
    def name(self) -> str:
        """Name the collection or table."""
        return f"{self.build}_{self.copy}" if self.copy else self.build


class Colours(Protocol):
    """All colours of one index. Reading makes nothing; a colour is made by the first write to it."""

    def all(self) -> list[Colour]:
        """List the colours, the newest publication first, those that never were published last."""

    def live_name(self) -> str:
        """Name the colour that the alias points to; empty where nothing was published."""

    def note(self, colour: Colour) -> None:
        """Keep what is known of a colour that exists."""

    def point(self, name: str) -> None:
        """Point the alias to a colour, atomically: every search is answered by the old or the new one."""

    def drop(self, name: str) -> None:
        """Delete a colour with everything in it; an unknown one is none of its business."""

    def store(self, colour: Colour | None = None) -> "VectorStore":
        """Open one colour, or whichever is live at each call. Closing it closes this connection."""

    def close(self) -> None:
        """Close the connection; closing twice is fine."""

    def __enter__(self) -> Self:
        """Hand the open colours to a `with` block, which closes them."""

    def __exit__(self, *raised: object) -> None:
        """Close."""


def wanted_colour(settings: Settings, index: str, fingerprint: str) -> Colour:
    """Describe the colour that the settings ask for."""
    return Colour(
        index=index,
        fingerprint=fingerprint,
        embedder=settings.embedder,
        precision=settings.embedder_precision,
        chunk_tokens=settings.chunk_tokens,
        distance=settings.vectors_distance,
        structure=settings.vectors_index,
        quantizer=settings.vectors_quantizer,
    )


def settings_of(colour: Colour, settings: Settings) -> Settings:
    """Return the settings with which a colour's chunks are cut and embedded."""
    its = {
        "embedder": colour.embedder,
        "embedder_precision": colour.precision,
        "chunk_tokens": colour.chunk_tokens,
    }
    return settings.model_copy(update=its)


def live_colour(colours: Colours) -> Colour | None:
    """Find the colour that is live."""
    name = colours.live_name()
    return next((c for c in colours.all() if c.name == name), None)


def colour_of(found: Sequence[Colour], live: str, fingerprint: str) -> Colour | None:
    """Choose the colour for a fingerprint: the live one where it fits, else the one published last."""
    fitting = [c for c in found if c.published and c.fingerprint == fingerprint]
    return next((c for c in fitting if c.name == live), fitting[0] if fitting else None)


def newest_copies(found: Sequence[Colour]) -> list[Colour]:
    """Leave out the colours of which there is a newer copy: a kill kept them from being dropped."""
    newest = {c.build: c.copy for c in sorted(found, key=lambda c: c.copy)}
    return [c for c in found if c.copy == newest[c.build]]


def publish_first(colours: Colours, colour: Colour) -> None:
    """Publish what somebody wrote without naming a colour: there was nothing to protect."""
    colours.note(replace(colour, published=datetime.now(UTC).isoformat()))
    colours.point(colour.name)


def newest_first(found: Iterable[Colour]) -> list[Colour]:
    """Sort colours by publication; equal ones by name, so that nothing depends on chance."""
    return sorted(sorted(found, key=lambda c: c.name), key=lambda c: c.published, reverse=True)


def to_text(colour: Colour) -> str:
    """Write what is kept with a colour."""
    return json.dumps(asdict(colour), sort_keys=True)


def from_text(text: str | None) -> Colour | None:
    """Read what was kept with a colour; None where something else stands."""
    try:
        values: Any = json.loads(text or "null")
    except ValueError:
        return None
    known = {f.name for f in fields(Colour)}
    if not isinstance(values, Mapping) or not {"index", "fingerprint"} <= values.keys():
        return None
    kept = {k: v for k, v in values.items() if k in known}
    kept["probes"] = tuple(tuple(p) for p in kept.get("probes", ()))
    return Colour(**kept)


def check_kind(
    colour: Colour, store: str, unsupported: Mapping[tuple[str, str], Sequence[str]]
) -> None:
    """Refuse what a store cannot do; `unsupported` lists distances by structure and quantiser."""
    refused = unsupported.get((colour.structure, colour.quantizer), ())
    if colour.distance in refused:
        raise ValueError(
            f"{store} has no {colour.structure} index with the quantiser {colour.quantizer} and the distance "
            f"{colour.distance}. Change TWIN_VECTORS_INDEX, TWIN_VECTORS_QUANTIZER or TWIN_VECTORS_DISTANCE."
        )
