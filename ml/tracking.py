"""Experiments in Weights & Biases: loss curves, tables, artifacts. Offline unless somebody asks for online.

The one door to W&B. It mirrors what the registry holds and is never asked for anything; without a
network everything waits in the run's folder (`wandb leet FOLDER` shows it, `wandb sync` sends it).
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ml.files import write_whole

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

# Of a kept curve, beside the model.
CURVE = "curve.jsonl"
MODES = ("offline", "online", "disabled")


class Run:
    """An open run."""

    def __init__(self, run: "wandb.Run") -> None:
        self._run = run

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add one step to the curves; steps must not go back."""
        self._run.log(dict(values), step=step)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table."""
        import wandb

        data = [list(row) for row in rows]
        self._run.log({name: wandb.Table(columns=list(columns), data=data)})

    def picture(self, name: str, image: Path, page: Path) -> None:
        """Add an image and an interactive page; both are copied into the run."""
        import wandb

        shown = wandb.Html(str(page), inject=False)
        self._run.log({name: wandb.Image(str(image)), f"{name}_page": shown})

    def page(self, name: str, page: Path) -> None:
        """Add an interactive page, copied into the run."""
        import wandb

        self._run.log({name: wandb.Html(str(page), inject=False)})

    def artifact(self, name: str, kind: str, files: Path | Sequence[Path]) -> None:
        """Add a folder or some files that this run made and that stay as they are, so that a later sync finds them."""
        # Nothing is asked of the result: version and wait() raise offline.
        self._run.log_artifact(_artifact(name, kind, files))

    def uses(self, name: str, kind: str, files: Path | Sequence[Path]) -> None:
        """Add a folder or some files that this run was made from: the other end of an artifact's lineage."""
        # use_artifact() does the same, waits for the server, and raises offline; a record is sent by a later sync.
        if not self._run.disabled:
            self._run._log_artifact(
                _artifact(name, kind, files), is_user_created=True, use_after_commit=True
            )

    def summary(self, values: Mapping[str, object]) -> None:
        """Set the numbers that the list of runs shows."""
        self._run.summary.update(dict(values))


class KeptRun(Run):
    """A run whose curves are kept in a file as well, a line for each step, so that others can be compared with them.

    A training that goes on after a kill makes some steps again; the file has each once. What the
    clock decides is not kept: it is another number every time.
    """

    def __init__(self, run: Run, file: Path) -> None:
        super().__init__(run._run)
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
    # Or it would copy tables into the user's home, where no erasure looks; it has no setting but this.
    os.environ["WANDB_DATA_DIR"] = str(folder)
    run = _start(project, job_type, name, config, folder, mode, group)
    try:
        yield Run(run)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


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


def _start(
    project: str,
    job_type: str,
    name: str,
    config: Mapping[str, object],
    folder: Path,
    mode: str,
    group: str,
) -> "wandb.Run":
    """Start a run; one that W&B does not let us start online is written offline."""
    import wandb

    try:
        return wandb.init(
            project=project,
            job_type=job_type,
            group=group or None,
            name=name,
            config=dict(config),
            dir=str(folder),
            mode=mode,  # type: ignore[arg-type]
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_stats=True,
                init_timeout=20,
            ),
        )
    except wandb.errors.Error as error:
        if mode != "online":
            raise
        log.warning("W&B cannot be reached, the run is kept offline in %s: %s", folder, error)
        return _start(project, job_type, name, config, folder, "offline", group)
