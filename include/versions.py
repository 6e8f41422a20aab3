"""What there is to know of model versions: one of them, and two side by side.

Values only; tables are drawn in `include/version_tables.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from include import registry
from include.manifests import MANIFEST
from include.settings import Settings
from include.withdrawals import stale, withdrawn
from ml.files import read_json
from ml.types import ModelVersion


@dataclass(frozen=True, slots=True)
class Card:
    """A model version and all that is said of it elsewhere."""

    version: ModelVersion
    aliases: tuple[str, ...]
    prompts: Mapping[str, Any]
    made: Mapping[str, Any]
    state: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two models differ: `then` of the first, `now` of the second."""

    section: str
    what: str
    then: object
    now: object


def read_card(settings: Settings, model_id: str, *, verify: bool = True) -> Card:
    """Gather what is known of a model."""
    version = registry.read_model(settings, model_id, verify=verify)
    folder = registry.model_folder(settings, model_id)
    names = [a for a, to in sorted(registry.aliases(settings).items()) if to == model_id]
    return Card(
        version,
        tuple(names),
        read_json(folder / "prompts.json"),
        read_json(folder / MANIFEST).get("reproduce", {}),
        _state(settings, model_id),
    )


def _state(settings: Settings, model_id: str) -> str:
    """Say in a word how far a model has come."""
    verdict = registry.read_verdict(settings, model_id)
    if stale(settings, model_id):
        return "stale"
    if model_id == registry.champion(settings):
        return "serves"
    if verdict:
        return "passed" if verdict["promote"] else "refused"
    return "evaluated" if registry.read_evaluation(settings, model_id) else "trained"


def compare_models(settings: Settings, one: str, other: str) -> list[Difference]:
    """List what differs between two models, section by section."""
    cards = read_card(settings, one), read_card(settings, other)
    a, b = (c.version for c in cards)
    facts = ("base_model", "parent", "feature_service", "fingerprint")
    named = (dict[str, object]((f, getattr(v, f)) for f in facts) for v in (a, b))
    return [
        *_fields("model", *named),
        *_fields("recipe", a.recipe, b.recipe),
        *_datasets(settings, a.dataset_id, b.dataset_id),
        *_fields("metrics", a.metrics, b.metrics),
        *_prompts(cards[0].prompts, cards[1].prompts),
        *_fields("made with", *(_circumstances(c.made) for c in cards)),
    ]


def _fields(
    section: str, then: Mapping[str, object], now: Mapping[str, object]
) -> Iterator[Difference]:
    for name in dict.fromkeys([*then, *now]):
        before, after = then.get(name), now.get(name)
        if before != after:
            yield Difference(section, name, before, after)


def _datasets(settings: Settings, one: str, other: str) -> Iterator[Difference]:
    """Say which documents were added, removed and changed, and how the numbers of samples moved."""
    if one == other:
        return
    yield Difference("dataset", "id", one, other)
    then, now = (registry.read_dataset(settings, d, verify=False) for d in (one, other))
    yield Difference("dataset", "documents", len(then.documents), len(now.documents))
    both = then.documents.keys() & now.documents.keys()
    yield from _documents("added", (), now.documents.keys() - both)
    yield from _documents("removed", then.documents.keys() - both, ())
    changed = {d for d in both if then.documents[d] != now.documents[d]}
    yield from _documents("changed", changed, changed)
    yield from _fields("dataset", then.counts, now.counts)
    for dataset_id in (one, other):
        if why := withdrawn(settings, dataset_id):
            yield Difference("dataset", f"{dataset_id} is withdrawn", "", "; ".join(why.values()))


def _documents(what: str, then: Any, now: Any) -> Iterator[Difference]:
    if then or now:
        listed = (", ".join(d[:12] for d in sorted(side)) for side in (then, now))
        yield Difference("dataset", f"{len(set(then) | set(now))} documents {what}", *listed)


def _prompts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare how two models are prompted, line by line of an example."""
    yield from _fields("prompts", {"version": then.get("version")}, {"version": now.get("version")})
    before, after = (
        [line for m in side.get("example", ()) for line in m["content"].splitlines()]
        for side in (then, now)
    )
    lines = unified_diff(before, after, n=0, lineterm="")
    changed = [x for x in lines if x[:2] not in ("--", "++", "@@")]
    for line in changed:
        gone = line.startswith("-")
        yield Difference("prompts", "line", line[1:] if gone else "", "" if gone else line[1:])


def _circumstances(made: Mapping[str, Any]) -> dict[str, object]:
    plain: dict[str, object] = {
        k: v for k, v in made.items() if isinstance(v, str | int) and k != "verb"
    }
    return plain | dict(made.get("packages", {}))
