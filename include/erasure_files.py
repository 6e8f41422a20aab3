"""The places of an erasure that are files below the data folder: reports, pictures, experiments, logs, copies."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path

from include import registry
from include.crawlers.repository import copies_with
from include.data_docs import write_overview
from include.erasure_wanted import Doors, Place, Wanted, quotes, says
from include.manifests import artifacts_root
from include.validation import data_docs, runs_file, validation_results
from include.validation_runs import forget_rows, naming, read_runs
from ml.files import write_whole

_ROW = re.compile(r"<tr><td>.*?</tr>", re.DOTALL)


def _result_files(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the results of validation that name a row of the documents; their pages have the same names."""
    results, ids = validation_results(doors.settings), wanted.ids | wanted.chunk_ids
    found = sorted(results.rglob("*.json"))
    named = [f for f in found if _names(f, ids)]
    pages = [data_docs(doors.settings) / "validations" / f.relative_to(results) for f in named]
    return [*named, *(p for f in pages if (p := f.with_suffix(".html")).is_file())]


def _shown(doors: Doors, wanted: Wanted) -> int:
    """Count the results and runs of validation that show values of the documents."""
    runs = naming(read_runs(runs_file(doors.settings)), wanted.ids | wanted.chunk_ids)
    return len(_result_files(doors, wanted)) + runs


def _hide(doors: Doors, wanted: Wanted) -> None:
    _remove(_result_files(doors, wanted))
    runs = forget_rows(runs_file(doors.settings), wanted.ids | wanted.chunk_ids)
    write_overview(runs, data_docs(doors.settings))


def _names(file: Path, ids: Iterable[str]) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")
    return any(i in text for i in ids)


def _pictures(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the maps of the corpus and the page of copies, if one names the documents; an image cannot be searched."""
    data, maps = doors.settings.data_dir, registry.map_folder(doors.settings)
    listed = (*data.glob("corpus*"), *maps.glob("*"), *data.glob("wandb/**/media/*/corpus*"))
    listed = (*listed, data / "duplicates.html")
    found = sorted(f for f in listed if f.is_file())
    names = {
        form for url in wanted.urls for form in (url, escape(url), url.replace("/", "\\u002f"))
    }
    named = any(_names(f, names) for f in found if f.suffix in (".html", ".json"))
    return found if named else []


def _verdict_pages(doors: Doors, wanted: Wanted) -> dict[Path, str]:
    """Return the decision records whose samples quote the documents, without those samples."""
    mended = {}
    for page in sorted((artifacts_root(doors.settings) / "verdicts").glob("*.html")):
        text = page.read_text(encoding="utf-8")
        kept = _ROW.sub(lambda row: "" if quotes(wanted, row[0]) else row[0], text)
        if kept != text:
            mended[page] = kept
    return mended


def _mend_pages(doors: Doors, wanted: Wanted) -> None:
    for page, text in _verdict_pages(doors, wanted).items():
        write_whole(page, text)


def _experiments(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the W&B runs of which a file quotes the documents; a run's records are one binary file, so it goes whole."""
    runs = sorted((doors.settings.data_dir / "wandb" / "wandb").glob("*run-*"))
    return [r for r in runs if not r.is_symlink() and any(_quoting(wanted, r.rglob("*")))]


def _copies(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the copies of tables that W&B keeps for a later sync; no run has them in its own folder."""
    return list(_quoting(wanted, (doors.settings.data_dir / "wandb" / "artifacts").rglob("*")))


def _answers(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find what a language model was asked about the documents, or said of them, and comparisons that quote them."""
    kept, compared = doors.settings.data_dir / "llm", artifacts_root(doors.settings)
    places = (kept, compared / "judgements", compared / "worth")
    return [file for place in places for file in _quoting(wanted, place.rglob("*"))]


def _logs(doors: Doors, wanted: Wanted) -> list[Path]:
    """Find the logs that repeat what the documents say; that they were seen, by address, is no secret."""
    data = doors.settings.data_dir
    places = ("logs", "jobs", "airflow/logs", "run")
    listed = (file for place in places for file in (data / place).rglob("*"))
    return [f for f in sorted(listed) if f.is_file() and says(wanted, _read(f))]


def _blot_logs(doors: Doors, wanted: Wanted) -> None:
    """Write over the lines that repeat something, byte by byte: a program may hold the file open and write on."""
    for file in _logs(doors, wanted):
        with file.open("r+b") as stream:
            place = 0
            for line in stream.read().splitlines(keepends=True):
                if says(wanted, line.decode("utf-8", "replace")):
                    stream.seek(place)
                    stream.write(b"-" * len(line.rstrip(b"\r\n")))
                place += len(line)


def _quoting(wanted: Wanted, files: Iterable[Path]) -> Iterator[Path]:
    return (f for f in sorted(files) if f.is_file() and quotes(wanted, _read(f)))


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")


def _remove(places: Iterable[Path]) -> None:
    for place in places:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def files_that_go(name: str, what: str, find: Callable[[Doors, Wanted], list[Path]]) -> Place:
    """Make the place of files and folders that go as a whole."""
    return Place(name, what, lambda d, w: len(find(d, w)), lambda d, w: _remove(find(d, w)))


FILE_PLACES = (
    Place(
        "validation_results",
        "results of validation that show its values, and their pages",
        _shown,
        _hide,
    ),
    files_that_go(
        "pictures",
        "maps of the corpus and the page of copies; the next run draws them anew",
        _pictures,
    ),
    Place(
        "verdict_pages",
        "decision records whose samples quote it; the samples go",
        lambda d, w: len(_verdict_pages(d, w)),
        _mend_pages,
    ),
    files_that_go("experiments", "W&B runs on this machine that quote it", _experiments),
    files_that_go(
        "experiment_copies",
        "copies of tables that quote it, which W&B keeps to send them later",
        _copies,
    ),
    files_that_go(
        "model_answers",
        "kept answers of a language model, and comparisons of models, that quote it",
        _answers,
    ),
    files_that_go(
        "repository_copies",
        "kept copies of repositories with it in their history; the next crawl copies anew",
        lambda d, w: copies_with(d.settings, w.urls),
    ),
    Place(
        "logs",
        "logs of programs, jobs and tasks that repeat what it says; the lines are blotted out",
        lambda d, w: len(_logs(d, w)),
        _blot_logs,
    ),
)
