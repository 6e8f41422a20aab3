"""Experiments in Weights & Biases: loss curves, tables, artifacts. Offline unless somebody asks for online.

The one door to W&B. It mirrors what the registry holds and is never asked for anything; without a
network everything waits in the run's folder (`wandb leet FOLDER` shows it, `wandb sync` sends it).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

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

    def artifact(self, name: str, kind: str, files: Path | Sequence[Path]) -> None:
        """Add a folder or some files that stay as they are, so that a later sync finds them."""
        import wandb

        artifact = wandb.Artifact(name, type=kind)
        # What is published never changes, so it need not be copied to W&B's own folder first.
        if isinstance(files, Path) and files.is_dir():
            artifact.add_dir(str(files), policy="immutable", skip_cache=True)
        else:
            for file in [files] if isinstance(files, Path) else files:
                artifact.add_file(str(file), policy="immutable", skip_cache=True)
        # Nothing is asked of the result: version and wait() raise offline.
        self._run.log_artifact(artifact)

    def summary(self, values: Mapping[str, object]) -> None:
        """Set the numbers that the list of runs shows."""
        self._run.summary.update(dict(values))


@contextmanager
def open_run(
    project: str, job_type: str, name: str, config: Mapping[str, object], folder: Path, mode: str
) -> Iterator[Run]:
    """Open a run for the length of a `with` block; a failure inside marks it as failed.

    Everything that W&B writes, the files of artifacts included, is kept in `folder`.
    """
    if mode not in MODES:
        raise ValueError(f"TWIN_WANDB_MODE is {mode!r}. Say one of {', '.join(MODES)}.")
    folder.mkdir(parents=True, exist_ok=True)
    run = _start(project, job_type, name, config, folder, mode)
    try:
        yield Run(run)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def _start(
    project: str, job_type: str, name: str, config: Mapping[str, object], folder: Path, mode: str
) -> "wandb.Run":
    """Start a run; one that W&B does not let us start online is written offline."""
    import wandb

    try:
        return wandb.init(
            project=project,
            job_type=job_type,
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
        return _start(project, job_type, name, config, folder, "offline")
