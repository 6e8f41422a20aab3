"""Experiments in Weights & Biases: loss curves, tables, artifacts. Offline unless somebody asks for online.

The one door to W&B. It mirrors what the registry holds and is never asked for anything. Where there is
no network, no key, or a server that fails, a run goes on, and everything waits in its folder:
`wandb leet FOLDER` shows it, `wandb sync --include-online FOLDER` sends it.
"""

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from ml.files import write_whole

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

# Of a kept curve, beside the model.
CURVE = "curve.jsonl"
MODES = ("offline", "online", "disabled")
# Seconds that the server may take to let a run begin, and at its end to take what was not sent yet.
BEGIN_SECONDS, END_SECONDS = 20.0, 60.0
# How often W&B asks again, and after how many seconds at most: for half a minute, not for its usual 15.
RETRIES, PAUSE_SECONDS = 5, 10.0


class Run:
    """An open run."""

    def __init__(self, run: "wandb.Run") -> None:
        self._run = run
        self._lost = Event()

    @property
    def mode(self) -> str:
        """Return how the run is kept: a server that was away makes an online one `offline`."""
        if self._run.disabled:
            return "disabled"
        return "offline" if self._run.offline else "online"

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add one step to the curves; steps must not go back."""
        self._mirror(lambda: self._run.log(dict(values), step=step))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table."""
        import wandb

        data = [list(row) for row in rows]
        self._mirror(lambda: self._run.log({name: wandb.Table(columns=list(columns), data=data)}))

    def picture(self, name: str, image: Path, page: Path) -> None:
        """Add an image and an interactive page; both are copied into the run."""
        import wandb

        shown = {name: wandb.Image(str(image)), f"{name}_page": wandb.Html(str(page), inject=False)}
        self._mirror(lambda: self._run.log(shown))

    def page(self, name: str, page: Path) -> None:
        """Add an interactive page, copied into the run."""
        import wandb

        self._mirror(lambda: self._run.log({name: wandb.Html(str(page), inject=False)}))

    def artifact(self, name: str, kind: str, files: Path | Sequence[Path]) -> None:
        """Add a folder or some files that this run made and that stay as they are, so that a later sync finds them."""
        self._mirror(lambda: _send(self._run, _artifact(name, kind, files)))

    def uses(self, name: str, kind: str, files: Path | Sequence[Path]) -> None:
        """Add a folder or some files that this run was made from: the other end of an artifact's lineage."""
        self._mirror(lambda: _send(self._run, _artifact(name, kind, files), used=True))

    def summary(self, values: Mapping[str, object]) -> None:
        """Set the numbers that the list of runs shows."""
        self._mirror(lambda: self._run.summary.update(dict(values)))

    def finish(self, exit_code: int) -> None:
        """End the run; what the server did not take stays in its folder."""
        self._mirror(lambda: _finish(self._run, exit_code))

    def _mirror(self, what: Callable[[], object]) -> None:
        """Tell W&B's own program something; whoever is tracked does not end because that was killed."""
        if self._lost.is_set():
            return
        try:
            what()
        except ConnectionError as error:
            self._lost.set()
            log.warning(
                "W&B's program is gone (%s); the rest of this run is not tracked. What it wrote is in %s",
                *(error, Path(self._run.dir).parent),
            )
            _forget_program()


class KeptRun(Run):
    """A run whose curves are kept in a file as well, a line for each step, so that others can be compared with them.

    A training that goes on after a kill makes some steps again; the file has each once. What the
    clock decides is not kept: it is another number every time.
    """

    def __init__(self, run: Run, file: Path) -> None:
        super().__init__(run._run)
        self._lost = run._lost
        self._file, self._begun = file, False

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add one step to the curves and to the file."""
        super().log(values, step)
        if not self._begun:
            kept = [line for line in read_curve(self._file) if line["step"] < step]
            write_whole(self._file, "".join(json.dumps(line) + "\n" for line in kept))
            self._begun = True
        told = {k: v for k, v in values.items() if not k.endswith("_per_second")}
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **told}) + "\n")


def read_curve(file: Path) -> list[dict[str, float]]:
    """Read a kept curve, step by step; empty where none was kept. What a kill has torn ends it."""
    steps: dict[float, dict[str, float]] = {}
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            log.warning("%s ends in the middle of a line", file)
            break
        steps[line["step"]] = steps.get(line["step"], {}) | line
    return list(steps.values())


@contextmanager
def open_run(
    project: str,
    job_type: str,
    name: str,
    config: Mapping[str, object],
    folder: Path,
    mode: str,
    group: str = "",
) -> Iterator[Run]:
    """Open a run for the length of a `with` block; a failure inside marks it as failed.

    Everything that W&B writes is kept in `folder`, what a later sync sends below `artifacts/staging`. Runs of
    one `group` are shown as one.
    """
    if mode not in MODES:
        raise ValueError(f"TWIN_WANDB_MODE is {mode!r}. Say one of {', '.join(MODES)}.")
    folder.mkdir(parents=True, exist_ok=True)
    # Who is logged in is of interest to nobody here.
    os.environ.setdefault("WANDB_SILENT", "true")
    # Or it would copy tables into the user's home, where no erasure looks; it has no setting but this.
    os.environ["WANDB_DATA_DIR"] = str(folder)
    about = {"project": project, "job_type": job_type, "name": name, "group": group or None}
    run = Run(_start(folder, mode, config=dict(config), **about))
    try:
        yield run
    except BaseException:
        run.finish(1)
        raise
    run.finish(0)


@contextmanager
def ending_together() -> Iterator[Callable[[AbstractContextManager[Run]], Run]]:
    """Open any number of runs that end at the same time: a server that is away is waited for once."""
    opened: list[AbstractContextManager[Run]] = []

    def enter(run: AbstractContextManager[Run]) -> Run:
        entered = run.__enter__()
        opened.append(run)
        return entered

    failure: BaseException | None = None
    try:
        yield enter
    except BaseException as error:
        failure = error
        raise
    finally:
        kind, trace = type(failure) if failure else None, failure and failure.__traceback__
        with ThreadPoolExecutor(max(len(opened), 1)) as pool:
            list(pool.map(lambda run: run.__exit__(kind, failure, trace), opened))


def _artifact(name: str, kind: str, files: Path | Sequence[Path]) -> "wandb.Artifact":
    import wandb

    artifact = wandb.Artifact(name, type=kind)
    # What is published never changes, so it need not be copied to W&B's own folder first.
    if isinstance(files, Path) and files.is_dir():
        artifact.add_dir(str(files), policy="immutable", skip_cache=True)
    else:
        for file in [files] if isinstance(files, Path) else files:
            artifact.add_file(str(file), policy="immutable", skip_cache=True)
    return artifact


def _send(run: "wandb.Run", artifact: "wandb.Artifact", *, used: bool = False) -> None:
    """Put an artifact that a run made, or used, among its records.

    W&B's own log_artifact() and use_artifact() ask the server first. While that is away they take 20 s,
    raise, and leave no record that a later sync could send.
    """
    if run._interface is None:  # a disabled run
        return
    for entry in artifact.manifest.entries.values():
        # Or whoever sends a table's rows would keep a copy in the user's home, where no erasure looks.
        entry.skip_cache = True
    artifact.finalize()
    run._interface.publish_artifact(
        run, artifact, ["latest"], is_user_created=used, use_after_commit=used
    )


def _start(folder: Path, mode: str, **about: Any) -> "wandb.Run":
    """Start a run; one that cannot be started online is written offline."""
    import wandb

    run_id = uuid.uuid4().hex[:8]
    try:
        # Without a key, init() would ask for one on a terminal, and wait.
        if mode == "online" and not wandb.login(prompt=False, verify=False):
            raise wandb.errors.UsageError("no key: set WANDB_API_KEY, or run `wandb login` once")
        run = wandb.init(
            id=run_id,
            dir=str(folder),
            mode=mode,  # type: ignore[arg-type]
            reinit="create_new",
            settings=_settings(),
            **about,
        )
    except wandb.errors.Error as error:
        if mode != "online":
            raise
        for begun in folder.glob(f"wandb/run-*-{run_id}"):
            shutil.rmtree(begun)
        run = _start(folder, "offline", **about)
        _say_kept(run, "W&B took no run", str(error))
    if not run.disabled:
        # A table that is logged sends its rows through this.
        run.log_artifact = partial(_send, run)  # type: ignore[assignment,method-assign]
    return run


def _settings() -> "wandb.Settings":
    """Let W&B look at nothing by itself, and bound what a server that is away may cost."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        init_timeout=BEGIN_SECONDS,
        finish_timeout=END_SECONDS,
        x_graphql_retry_max=RETRIES,
        x_graphql_retry_wait_max_seconds=PAUSE_SECONDS,
    )


def _forget_program() -> None:
    """Let the next run start W&B's program anew; the one that is gone cannot be told so."""
    import wandb

    with suppress(ConnectionError):
        wandb.teardown()


def _finish(run: "wandb.Run", exit_code: int) -> None:
    """End a run, and say what the server did not take."""
    run.finish(exit_code=exit_code)
    said = Path(run.dir).parent / "logs" / "debug-internal.log"
    if run.disabled or run.offline or not said.exists():
        return
    # W&B says nowhere else what it gave up on.
    told = said.read_text(encoding="utf-8", errors="replace")
    if failed := re.findall(r'"level":"ERROR[^"]*","msg":"([^"\\]*)', told):
        _say_kept(run, "W&B did not take all of a run", failed[-1])


def _say_kept(run: "wandb.Run", what: str, why: str) -> None:
    log.warning(
        "%s: %s. Nothing is lost; to send it later: wandb sync --include-online %s",
        *(what, why.partition("\n")[0].rstrip(" .:{"), Path(run.dir).parent),
    )
