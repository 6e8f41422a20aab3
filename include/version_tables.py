"""The registry on the command line: `python -m include.version_tables COMMAND …`, or `make models` and the like.

list · show MODEL · diff MODEL MODEL · alias NAME MODEL · unalias NAME · reproduce MODEL [TOLERANCE]

MODEL is an alias, an id, or the beginning of one. Going back to the previous champion is a roll-out
(`make rollback`, serving/deploy.py), because the endpoint has to follow.
"""

import inspect
import logging
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include import registry
from include.reproducing import reproduce_model
from include.settings import Settings, load_settings
from include.versions import Card, compare_models, read_card

# Of a table that nobody looks at in a terminal.
WIDTH = 140
MARKS = {True: "[green]holds[/]", False: "[red]FAILS[/]", None: "[dim]told[/]"}


def list_versions(settings: Settings, out: Console) -> int:
    """Show every model, the newest first."""
    columns = (
        "model",
        "aliases",
        "state",
        "made",
        "dataset",
        "base model",
        "held-out loss",
        "parent",
    )
    table = _table("Models", *columns)
    for model_id in reversed(registry.list_models(settings)):
        card = read_card(settings, model_id, verify=False)
        version = card.version
        before, after = (version.metrics.get(f"heldout_loss_{k}") for k in ("before", "after"))
        _row(
            table,
            *(
                model_id,
                ", ".join(card.aliases),
                card.state,
                f"{version.created_at:%Y-%m-%d %H:%M}",
            ),
            *(version.dataset_id, _short(version.base_model)),
            f"{_number(before)} → {_number(after)}",
            version.parent,
        )
    out.print(table if table.rows else "There is no model yet. `make demo` trains one.")
    return 0


def show_version(settings: Settings, out: Console, name: str) -> int:
    """Show one model whole; every file is compared with its hash on the way."""
    card = read_card(settings, registry.resolve_model(settings, name))
    table = _table(f"Model {card.version.id}", "what", "value")
    for what, value in _lines(card):
        _row(table, what, value)
    for reason in registry.read_verdict(settings, card.version.id).get("reasons", ()):
        _row(table, "verdict", reason)
    for file, mark in card.version.files.items():
        _row(table, "file", f"{file}  sha256 {mark[:16]}…")
    out.print(table)
    return 0


def diff_versions(settings: Settings, out: Console, one: str, other: str) -> int:
    """Show in what two models differ."""
    a, b = (registry.resolve_model(settings, name) for name in (one, other))
    table = _table(f"{a} and {b}", "section", "what", a, b, "by")
    for d in compare_models(settings, a, b):
        numbers = isinstance(d.then, int | float) and isinstance(d.now, int | float)
        by = f"{d.now - d.then:+.4g}" if numbers else ""  # type: ignore[operator]
        _row(table, d.section, d.what, _number(d.then), _number(d.now), by)
    out.print(table if table.rows else "They do not differ.")
    return 0


def name_version(settings: Settings, out: Console, alias: str, name: str) -> int:
    """Let an alias point to a model."""
    model_id = registry.resolve_model(settings, name)
    registry.set_alias(settings, alias, model_id)
    out.print(f"{escape(alias)} is {model_id}")
    return 0


def unname_version(settings: Settings, out: Console, alias: str) -> int:
    """Take an alias away."""
    registry.remove_alias(settings, alias)
    out.print(f"{escape(alias)} is no alias any more")
    return 0


def reproduce_version(settings: Settings, out: Console, name: str, tolerance: str = "") -> int:
    """Train a model again from its manifest and compare; 1 if it comes out another."""
    model_id = registry.resolve_model(settings, name)
    lines = reproduce_model(settings, model_id, float(tolerance) if tolerance else None)
    table = _table(f"Model {model_id}, trained again", "what", "then", "now", "", "")
    for line in lines:
        table.add_row(
            *(escape(str(v)) for v in (line.what, line.then, line.now, line.said)),
            MARKS[line.holds],
        )
    out.print(table)
    failed = [line.what for line in lines if line.holds is False]
    out.print(
        f"[red]Not the same: {', '.join(failed)}.[/]" if failed else "[green]The same model.[/]"
    )
    return 1 if failed else 0


COMMANDS: dict[str, Callable[..., int]] = {
    "list": list_versions,
    "show": show_version,
    "diff": diff_versions,
    "alias": name_version,
    "unalias": unname_version,
    "reproduce": reproduce_version,
}


def main(arguments: Sequence[str], settings: Settings | None = None) -> int:
    """Run a command; 2 if the call was wrong, or what it names is not there."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    command = COMMANDS.get(arguments[0] if arguments else "")
    if command is None:
        sys.stderr.write(f"use one of: {', '.join(COMMANDS)}\n")
        return 2
    world = settings or load_settings()
    try:
        inspect.signature(command).bind(world, console, *arguments[1:])
    except TypeError as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        return command(world, console, *arguments[1:])
    except (ValueError, LookupError, PermissionError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 2


def _lines(card: Card) -> list[tuple[str, object]]:
    version, made = card.version, card.made
    packages = ", ".join(f"{k} {v}" for k, v in made.get("packages", {}).items())
    return [
        ("aliases", ", ".join(card.aliases) or "none"),
        *(
            ("state", card.state),
            ("made", version.created_at),
            ("parent", version.parent or "none"),
        ),
        *(("dataset", version.dataset_id), ("base model", version.base_model)),
        *(("feature service", version.feature_service), ("fingerprint", version.fingerprint)),
        ("prompts", card.prompts.get("version", "not kept")),
        *(("recipe", f"{k} = {_number(v)}") for k, v in version.recipe.items()),
        *(("metric", f"{k} = {_number(v)}") for k, v in version.metrics.items()),
        *(("canary", canary) for canary in version.canaries),
        ("commit", made.get("code") or "not known"),
        ("python, machine", f"{made.get('python')}, {made.get('processor', made.get('machine'))}"),
        ("packages", packages),
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *values: object) -> None:
    table.add_row(*(escape(str(v)) for v in values))


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)


def _short(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
