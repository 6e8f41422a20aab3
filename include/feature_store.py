"""Where Feast lives: its repository, its declarations, and the Parquet files of its history.

The platform's own store needs no server: registry, SQLite and Parquet lie in `data_dir`. A user's
own repository is used as it is, and applied by its owner. Reading and writing features is
`include/features.py`.
"""

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.feature_tables import TIME, Row, fitted, keys_of, latest, rows_of, table_of
from include.settings import ROOT, Settings
from ml.files import sync, write_whole
from ml.style import StyleRow
from ml.types import digest

log = logging.getLogger(__name__)

DECLARED = ROOT / "feature_repo"
MODULES = ("entities", "feature_definitions")
STORE_FILE = "feature_store.yaml"
# Feast's offline stores that read the files of the platform's own declarations.
READS_FILES = ("dask", "file", "duckdb", "ray")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEYS = {"document_style": "document_id", "author_style": "author"}
# The measures; of these, the ones of which a mean says something.
MEASURES = tuple(
    f.name for f in fields(StyleRow) if f.name not in ("document_id", "author", "event_timestamp")
)
MEANS = tuple(f.name for f in fields(StyleRow) if f.type is float or f.name == "words")


def prepare_repo(settings: Settings) -> Path:
    """Return the folder of this world's Feast repository; it is written when it is not there.

    `settings.feature_store` may name a repository, or a feature_store.yaml on its own: the latter
    gets the platform's declarations. Raises FileNotFoundError when nothing is there.
    """
    own = _own_store_file(settings)
    if own and any(own.parent.glob("*.py")):
        return own.parent
    if not own and settings.data_dir.resolve() == ROOT / "data":
        return DECLARED
    folder = settings.data_dir / "feature_repo"
    texts = {f"{name}.py": (DECLARED / f"{name}.py").read_text("utf-8") for name in MODULES}
    texts = {name: text.replace('"../data/', '"../') for name, text in texts.items()}
    store = own or DECLARED / STORE_FILE
    texts[STORE_FILE] = store.read_text("utf-8").replace('"../data/', '"../')
    for name, text in texts.items():
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text:
            write_whole(folder / name, text)
    return folder


def is_ours(settings: Settings, repo: Path) -> bool:
    """Tell whether the platform may apply this repository's declarations."""
    return repo in (DECLARED, settings.data_dir / "feature_repo")


def applied_mark(settings: Settings) -> Path:
    """Return the file that says which declarations were applied; it is there from the first opening on."""
    return settings.data_dir / "features-applied.txt"


def open_store(settings: Settings) -> Any:
    """Open Feast's store, its declarations applied. The caller holds the lock of this world."""
    from feast import FeatureStore

    repo = prepare_repo(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = FeatureStore(repo_path=str(repo))
    if is_ours(settings, repo):
        _check_offline(store.config.offline_store.type)
        _apply(settings, repo, store)
    # Read it while nobody writes it; a reader keeps what it read.
    store.refresh_registry()
    return store


def history_file(store: Any, view: Any) -> Path | None:
    """Return the local Parquet file behind a view; None when the history is kept by a server."""
    from feast import FileSource

    path = getattr(view.batch_source, "path", "")
    if not isinstance(view.batch_source, FileSource) or "://" in path:
        return None
    return Path(store.repo_path) / path


def read_history(store: Any, view: Any) -> Any:
    """Read every row that was ever stored for a view, as a table."""
    from pyarrow import parquet

    file = history_file(store, view)
    if file is None:
        return _pull(store, view, datetime.now(UTC), every=True)
    if not file.is_file():
        return table_of([], _schema(view))
    return fitted(parquet.read_table(file), _schema(view))


def write_history(store: Any, view: Any, now: Any, before: Any) -> None:
    """Make a table the history of a view; a server is only told what changed, since it appends."""
    file = history_file(store, view)
    if file is not None:
        _write_parquet(file, now)
        return
    known = {repr(row) for part in rows_of(before) for row in part}
    changed = [row for part in rows_of(now) for row in part if repr(row) not in known]
    if changed:
        import pandas

        store.write_to_offline_store(view.name, pandas.DataFrame(changed))
    (key,) = view.join_keys
    if gone := keys_of(before, key) - keys_of(now, key):
        log.warning("delete these from your offline store of %s: %s", view.name, sorted(gone))


def measured(store: Any, view: Any, rows: Iterable[Row]) -> Any:
    """Make a table of rows as the view declares them."""
    return table_of(rows, _schema(view))


def read_latest(store: Any, view: Any, until: datetime) -> Any:
    """Read the latest row of each key up to a time, as a table."""
    if history_file(store, view) is None:
        return _pull(store, view, until, every=False)
    return latest(read_history(store, view), view.join_keys[0], until)


def _pull(store: Any, view: Any, until: datetime, *, every: bool) -> Any:
    """Ask the offline store for the latest row of each key up to a time, or for every row, as a table."""
    offline = store.provider.offline_store
    ask = offline.pull_all_from_table_or_query if every else offline.pull_latest_from_table_or_query
    job = ask(
        config=store.config,
        data_source=view.batch_source,
        join_key_columns=view.join_keys,
        feature_name_columns=[f.name for f in view.features],
        timestamp_field=view.batch_source.timestamp_field,
        created_timestamp_column=view.batch_source.created_timestamp_column,
        start_date=EPOCH,
        end_date=until,
    )
    return fitted(job.to_arrow(), _schema(view))


def _own_store_file(settings: Settings) -> Path | None:
    if not settings.feature_store:
        return None
    named = Path(settings.feature_store).expanduser().resolve()
    file = named / STORE_FILE if named.is_dir() else named
    if not file.is_file() or file.name != STORE_FILE:
        raise FileNotFoundError(
            f"TWIN_FEATURE_STORE names {settings.feature_store}, which is no {STORE_FILE} and no "
            f"folder with one. Name such a file, or leave it empty for the platform's own store."
        )
    return file


def _check_offline(kind: str) -> None:
    """Refuse a warehouse for declarations that read Parquet files."""
    if kind not in READS_FILES:
        raise ValueError(
            f"The platform's declarations read Parquet files, which the offline store {kind} does not. Name a "
            f"repository of your own in TWIN_FEATURE_STORE; docs/feature_stores/README.md says how to make one."
        )


def _apply(settings: Settings, repo: Path, store: Any) -> None:
    """Apply the declarations as `feast apply` does when they, or what they made, differ from the last time."""
    from feast.repo_operations import apply_total_with_repo_instance

    mark = applied_mark(settings)
    wanted = digest(*((repo / name).read_text("utf-8") for name in _files()))
    if _is_applied(mark, wanted, store):
        return
    declared = _declared(repo, store.project)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        apply_total_with_repo_instance(store, store.project, store.registry, declared, True)
    # A plan takes the registry's word for what is there: the online tables may be lost all the same.
    views, entities = declared.feature_views, declared.entities
    store.provider.update_infra(store.project, [], views, [], entities, partial=True)
    for view in views:
        file = history_file(store, view)
        # Rows that were measured before a column was declared have none of it.
        if file is not None:
            _write_parquet(file, read_history(store, view))
    write_whole(mark, wanted)
    log.info("applied the feature declarations of %s: %s", repo, said.getvalue())


def _files() -> tuple[str, ...]:
    return (*(f"{name}.py" for name in MODULES), STORE_FILE)


def _is_applied(mark: Path, wanted: str, store: Any) -> bool:
    """Tell whether the mark is right and the local files are where they were made."""
    config = store.config
    paths = [config.registry.path, getattr(config.online_store, "path", "")]
    local = [Path(store.repo_path) / p for p in paths if p and "://" not in p]
    if not mark.is_file() or mark.read_text("utf-8") != wanted:
        return False
    return all(p.is_file() for p in local)


def _declared(repo: Path, project: str) -> Any:
    """Import the declarations; nothing of them stays imported."""
    from feast import Entity, FeatureService, FeatureView, Project
    from feast.feature_view import DUMMY_ENTITY
    from feast.repo_contents import RepoContents

    importlib.invalidate_caches()
    sys.path.insert(0, str(repo))
    try:
        found = [o for name in MODULES for o in vars(importlib.import_module(name)).values()]
    finally:
        sys.path.remove(str(repo))
        for name in MODULES:
            sys.modules.pop(name, None)
    views = [o for o in found if isinstance(o, FeatureView)]
    return RepoContents(
        projects=[Project(name=project)],
        data_sources=[view.batch_source for view in views if view.batch_source],
        # Once each: the second module imports the entities of the first.
        entities=[*{o.name: o for o in found if isinstance(o, Entity)}.values(), DUMMY_ENTITY],
        feature_views=views,
        feature_services=[o for o in found if isinstance(o, FeatureService)],
        on_demand_feature_views=[],
        stream_feature_views=[],
        label_views=[],
        permissions=[],
    )


def _schema(view: Any) -> Any:
    """Return the columns that a view declares, and the time."""
    import pyarrow
    from feast.type_map import feast_value_type_to_pa

    columns = [*view.entity_columns, *view.features]
    typed = [(c.name, feast_value_type_to_pa(c.dtype.to_value_type())) for c in columns]
    return pyarrow.schema([*typed, (TIME, pyarrow.timestamp("us", tz="UTC"))])


def _write_parquet(file: Path, table: Any) -> None:
    """Write the whole history beside the old one, then swap: a reader sees one or the other."""
    from pyarrow import parquet

    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    os.close(descriptor)
    try:
        parquet.write_table(table, name)
        sync(Path(name))
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync(file.parent)
