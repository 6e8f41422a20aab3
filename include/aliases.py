"""Names that point to models: `champion` serves, `previous` served before it, and any others that people give.

champion.json   {"champion": …, "previous": …}   moved by a roll-out, both in one write
aliases.json    {"staging": …, …}                set and removed by hand
"""

import logging
import re

from include.manifests import artifacts_root, checked_id, finished, read_manifest
from include.settings import Settings
from ml.files import locked, read_json, write_json

log = logging.getLogger(__name__)

CHAMPION, PREVIOUS = "champion", "previous"


def champion(settings: Settings) -> str | None:
    """Name the model that serves; None before the first promotion."""
    return _pointers(settings)[CHAMPION]


def previous(settings: Settings) -> str | None:
    """Name the champion before this one, for going back."""
    return _pointers(settings)[PREVIOUS]


def move_champion(settings: Settings, model_id: str) -> None:
    """Make a finished model the champion; the old one becomes `previous`, both in one write."""
    root = artifacts_root(settings)
    read_manifest(root / "models" / checked_id(model_id), "model", verify=True)
    with locked(root / ".lock"):
        old = champion(settings)
        if old != model_id:
            write_json(root / "champion.json", {CHAMPION: model_id, PREVIOUS: old})
            log.info("champion is %s, it was %s", model_id, old)


def aliases(settings: Settings) -> dict[str, str]:
    """Return every alias and the model that it names."""
    given: dict[str, str] = read_json(artifacts_root(settings) / "aliases.json")
    return {name: to for name, to in _pointers(settings).items() if to} | given


def set_alias(settings: Settings, alias: str, model_id: str) -> None:
    """Let a name of one's own point to a finished model; one that exists is moved."""
    models = artifacts_root(settings) / "models"
    read_manifest(models / checked_id(model_id), "model", verify=False)
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", _free(alias)):
        raise ValueError(
            f"{alias!r} is no alias: up to 32 small letters, digits, '-' and '_', a letter first."
        )
    if alias in finished(models):
        raise ValueError(f"{alias!r} is the id of a model. Choose another alias.")
    _write(settings, {alias: model_id})


def remove_alias(settings: Settings, alias: str) -> None:
    """Take a name of one's own away; the model stays."""
    if _free(alias) not in aliases(settings):
        raise LookupError(f"There is no alias {alias!r}; there are {sorted(aliases(settings))}.")
    _write(settings, {}, without=alias)


def resolve_model(settings: Settings, name: str) -> str:
    """Return the id of a model that is named by an alias, its id, or an unmistakable beginning of that."""
    if name in (known := aliases(settings)):
        return known[name]
    models = finished(artifacts_root(settings) / "models")
    found = [name] if name in models else [m for m in models if name and m.startswith(name)]
    if len(found) != 1:
        many = f"{len(found)} models begin with {name!r}" if found else f"No model is {name!r}"
        raise LookupError(
            f"{many}. Say an id ({', '.join(models) or 'there is none yet'}) or an alias "
            f"({', '.join(sorted(known)) or 'there is none yet'})."
        )
    return found[0]


def _free(alias: str) -> str:
    if alias in (CHAMPION, PREVIOUS):
        raise ValueError(
            f"{alias!r} is moved by a roll-out only, which checks the model first: "
            "`python -m serving.deploy roll_out MODEL` or `make rollback`."
        )
    return alias


def _write(settings: Settings, more: dict[str, str], without: str = "") -> None:
    file = artifacts_root(settings) / "aliases.json"
    with locked(artifacts_root(settings) / ".lock"):
        kept = {name: to for name, to in read_json(file).items() if name != without}
        write_json(file, kept | more)


def _pointers(settings: Settings) -> dict[str, str | None]:
    empty: dict[str, str | None] = {CHAMPION: None, PREVIOUS: None}
    return empty | read_json(artifacts_root(settings) / "champion.json")
