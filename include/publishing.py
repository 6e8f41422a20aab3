"""The story: make a new colour of the index live once its probes have passed, and go back to an old one.

The rule of a rollback: it holds until something new is published. The colour that was left goes on
being kept up to date, but no run publishes it again by itself; other settings (embedder, chunk
size, distance, kind of index) ask for another colour, and that one is published as ever. A person
brings the left colour back with `rollback_index` and its name.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from include import registry
from include.colours import KEPT, Colour, Colours, live_colour
from include.settings import Settings
from include.vectors import Vector, open_colours
from ml.fingerprint import model_fingerprint
from ml.probes import TOP, ask_probes, make_probes, share_found
from ml.types import Chunk

log = logging.getLogger(__name__)


def list_indexes(settings: Settings) -> list[dict[str, object]]:
    """List the colours of the index, the newest publication first, with what they were made of."""
    with open_colours(settings) as colours:
        live = colours.live_name()
        return [_described(colours, colour, live) for colour in colours.all()]


def rollback_index(settings: Settings, colour: str = "") -> dict[str, object]:
    """Make another kept colour live: the one that is named (its name, or how it ends), else the one before."""
    with open_colours(settings) as colours:
        live = live_colour(colours)
        if live is None:
            raise LookupError("No index is published yet; run the DAG build_features first.")
        chosen = _chosen(colours.all(), live, colour)
        count = colours.store(chosen).count()
        if not count:
            raise LookupError(f"The colour {chosen.name} is empty; choose another one.")
        # First of all: a kill after the switch must not leave it to the next run to undo it.
        if live.name != chosen.name and live.published > chosen.published:
            colours.note(replace(live, withdrawn=True))
        colours.note(replace(chosen, withdrawn=False))
        colours.point(chosen.name)
    log.info("the index is back on %s, from %s", chosen.name, live.name)
    return {"colour": chosen.name, "before": live.name, "chunks": count}


def publish(
    settings: Settings,
    colours: Colours,
    colour: Colour,
    encode: Callable[[Sequence[str]], Vector],
    sample: Sequence[Sequence[Chunk]],
) -> list[str]:
    """Probe a colour, make it live, and drop what is too old; returns the names of the dropped ones.

    Raises ValueError when too few probes find their passages: the old colour goes on serving.
    """
    probes = make_probes(sample)
    store = colours.store(colour)
    ranks = ask_probes(probes, encode, store.dense, store.search)
    share = share_found(ranks)
    kept = tuple((p.kind, p.chunk.id, r) for p, r in zip(probes, ranks, strict=True))
    if share < settings.probe_share:
        raise ValueError(
            f"Of {len(probes)} probes {sum(r > 0 for r in ranks)} found their passage among the first {TOP} of the new "
            f"colour {colour.name} (TWIN_PROBE_SHARE asks for {settings.probe_share:.0%}); "
            f"{colours.live_name() or 'nothing'} stays live. Look at the embedder."
        )
    for other in colours.all():
        if other.withdrawn and other.name != colour.name:
            colours.note(replace(other, withdrawn=False))
    now = datetime.now(UTC).isoformat()
    colours.note(replace(colour, published=now, withdrawn=False, probe_share=share, probes=kept))
    colours.point(colour.name)
    log.info("published %s: %d of %d probes passed", colour.name, sum(map(bool, ranks)), len(ranks))
    return _drop_old(settings, colours, colour.name)


def _drop_old(settings: Settings, colours: Colours, live: str) -> list[str]:
    """Keep the live colour, the last published ones, and those that the champion and the one before need."""
    found = colours.all()
    kept = {live, *[c.name for c in found if c.published and c.name != live][: KEPT - 1]}
    for model_id in filter(None, (registry.champion(settings), registry.previous(settings))):
        version = registry.read_model(settings, model_id, verify=False)
        marks = {c.name: model_fingerprint(c.fingerprint, version.base_model) for c in found}
        needed = [c.name for c in found if marks[c.name] == version.fingerprint and c.published]
        kept |= set(needed[:1])
    old = [c.name for c in found if c.name not in kept]
    # Before there were colours, an index was one collection, named as the index.
    for name in (*old, found[0].index):
        colours.drop(name)
    return old


def _chosen(found: Sequence[Colour], live: Colour, name: str) -> Colour:
    published = [c for c in found if c.published]
    named = [c for c in published if name and c.name.endswith(name)]
    earlier = [c for c in published if c.published < live.published]
    if chosen := named if name else earlier[:1]:
        return chosen[0]
    known = ", ".join(c.name for c in published)
    raise LookupError(
        f"No kept colour is called {name!r}; there are: {known}."
        if name
        else f"There is no colour before {live.name} to go back to; there are: {known}."
    )


def _described(colours: Colours, colour: Colour, live: str) -> dict[str, object]:
    return {
        "colour": colour.name,
        "live": colour.name == live,
        "chunks": colours.store(colour).count(),
        "fingerprint": colour.fingerprint,
        "embedder": colour.embedder,
        "chunk_tokens": colour.chunk_tokens,
        "distance": colour.distance,
        "index": colour.structure,
        "quantizer": colour.quantizer,
        "published": colour.published,
        "withdrawn": colour.withdrawn,
        "probe_share": colour.probe_share,
    }
