"""A bare copy of somebody's git repository, and the questions that are asked of it. Nothing in it is ever run.

git gets no configuration but what is here: no hooks, no templates, no submodules, no prompts, one protocol, one
address that was checked, an end in time and in bytes.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from include.settings import Settings
from include.wire import is_allowed, parse_url, resolve
from ml.types import Source

# How the addresses of documents from repositories end, whatever the site.
_ADDRESS = re.compile(r"/(blob/HEAD|commit)/([^?#]+)$")
# What HEAD there is called here.
_HEAD = "copy"
SECONDS = 300.0
MAX_BYTES = 500_000_000
_SAFE = {
    "protocol.allow": "never",
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "safe.directory": "*",
    "core.quotePath": "false",
    "mailmap.file": "/dev/null",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file at HEAD: `blob` is its object, `size` its bytes."""

    path: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is no merge; `when` is when its author wrote it."""

    sha: str
    email: str
    name: str
    when: datetime
    message: str


def read_head(settings: Settings, where: str) -> str:
    """Ask a repository for the commit at its HEAD, without copying it."""
    answer = _git(_reach(settings, where), "ls-remote", "--", where, "HEAD").decode()
    if not answer.strip():
        raise ValueError(f"The git repository {where} has no commits at its HEAD.")
    return answer.split()[0]


@contextmanager
def copy_repository(settings: Settings, source: Source) -> Iterator["Repository"]:
    """Copy a repository for as long as it is read; of one on the web the copy is kept, and only news is fetched later.

    A kept copy with which anything goes wrong is dropped, so that the next try begins anew.
    """
    place = settings.data_dir / "git"
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place) as folder:
        kept = (place if "://" in source.where else Path(folder)) / f"{source.id}.git"
        try:
            if kept.exists():
                _fetch(settings, source.where, kept)
            else:
                fresh = Path(folder) / "fresh.git"
                _git({}, "init", "--quiet", "--template=", f"--initial-branch={_HEAD}", at=fresh)
                _fetch(settings, source.where, fresh)
                fresh.rename(kept)
            yield Repository(kept)
        except ConnectionError:
            shutil.rmtree(kept, ignore_errors=True)
            raise


def copies_with(settings: Settings, urls: Iterable[str]) -> list[Path]:
    """Find the kept copies whose history holds a file or commit that one of these addresses ends with."""
    copies = sorted((settings.data_dir / "git").glob("*.git"))
    ends = [found.groups() for url in sorted(urls) if (found := _ADDRESS.search(url))]
    return [c for c in copies if any(Repository(c).holds(*end) for end in ends)]


def _fetch(settings: Settings, where: str, bare: Path) -> None:
    refs = f"+HEAD:refs/heads/{_HEAD}"
    command = ("fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--", where, refs)
    _git(_reach(settings, where), *command, at=bare, watched=bare)


class Repository:
    """A bare copy that may be asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[Entry]:
        """List the plain files at HEAD; links and submodules are none."""
        listed = self._ask("ls-tree", "-r", "-l", "-z", "HEAD").decode("utf-8", "replace")
        entries = []
        for line in filter(None, listed.split("\0")):
            facts, path = line.split("\t", 1)
            mode, _, blob, size = facts.split()
            if mode in ("100644", "100755"):
                entries.append(Entry(path, blob, int(size)))
        return entries

    def commits(self) -> list[Commit]:
        """List the commits of HEAD, newest first."""
        shape = "%H%x00%ae%x00%an%x00%at%x00%B%x00"
        said = self._ask("log", "--no-merges", "--no-show-signature", f"--format={shape}", "HEAD")
        parts = said.decode("utf-8", "replace").split("\0")
        rows = zip(*(parts[field::5] for field in range(5)), strict=False)
        return [
            Commit(sha.strip(), email.lower(), name, _moment(when), message.strip())
            for sha, email, name, when, message in rows
        ]

    def touched(self, emails: Iterable[str], names: Iterable[str] = ()) -> set[str]:
        """Return the paths that commits of these addresses, or of these names, name."""
        who = [f"--author=<{email}>" for email in emails] + [f"--author={n} <" for n in names]
        flags = ("--fixed-strings", "--regexp-ignore-case", "--name-only", "-z", "--format=")
        said = self._ask("log", *who, *flags, "HEAD")
        return {path.strip("\n") for path in said.decode("utf-8", "replace").split("\0")} - {""}

    def lines_by(self, path: str) -> list[tuple[str, str, datetime]]:
        """Return, for every line of a file, its author's address and name, and when it was written."""
        said = self._ask("blame", "--line-porcelain", "-w", "HEAD", "--", path)
        facts: dict[str, list[str]] = {"author": [], "author-mail": [], "author-time": []}
        for line in said.decode("utf-8", "replace").split("\n"):
            # The lines of the file itself begin with a tab.
            key, _, value = line.partition(" ")
            if key in facts:
                facts[key].append(value)
        emails = [value.strip("<> ").lower() for value in facts["author-mail"]]
        moments = map(_moment, facts["author-time"])
        return list(zip(emails, facts["author"], moments, strict=True))

    def content(self, blob: str) -> bytes:
        """Return what a file says."""
        return self._ask("cat-file", "blob", blob)

    def holds(self, what: str, name: str) -> bool:
        """Tell whether a `commit`, or a path (`blob/HEAD`), is or was in the copy."""
        named = (name,) if what == "commit" else ("HEAD", "--", unquote(name))
        try:
            return bool(self._ask("rev-list", "--max-count=1", *named))
        except ConnectionError:
            # No such commit.
            return False

    def _ask(self, *command: str) -> bytes:
        return _git({}, *command, at=self._folder)


def _reach(settings: Settings, where: str) -> dict[str, str]:
    """Return the configuration that lets git reach one place, and no other."""
    if "://" not in where:
        if where.startswith("-") or not Path(where).exists():
            raise ConnectionError(f"There is no git repository at {where!r}; correct `where`.")
        return {"protocol.file.allow": "always"}
    target = parse_url(where)
    if target.scheme != "https":
        raise ValueError(
            f"{where} is not fetched: git is read over https, or from a folder or bundle."
        )
    allowed = settings.allowed_hosts()
    address = resolve(target, allowed)[0]
    written = f"[{address}]" if ":" in address else address
    pinned = f"{target.host}:{target.port or 443}:{written}"
    vouched = is_allowed(target, allowed) and settings.crawl_ca_file
    trust = {"http.sslCAInfo": settings.crawl_ca_file} if vouched else {}
    return {"protocol.https.allow": "always", "http.curloptResolve": pinned, **trust}


def _git(
    reach: dict[str, str], *command: str, at: Path | None = None, watched: Path | None = None
) -> bytes:
    """Run git, `at` a bare repository; one that takes too long or too much is ended with all its helpers."""
    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("git was not found; install it (Debian: apt-get install git).")
    options = [x for key, value in {**_SAFE, **reach}.items() for x in ("-c", f"{key}={value}")]
    options += [f"--git-dir={at}"] if at else []
    with TemporaryDirectory() as home:
        out, err = Path(home) / "out", Path(home) / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [program, *options, *command],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=_environment(program, home),
                start_new_session=True,
            )
            _wait(process, [out, *([watched] if watched else [])], command[0])
        if process.returncode:
            said = err.read_text("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise ConnectionError(f"git {' '.join(command[:1])} failed: {said[-1][:300]}")
        return out.read_bytes()


def _environment(program: str, home: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(program).parent}:{os.defpath}",
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }


def _wait(process: "subprocess.Popen[bytes]", watched: list[Path], what: str) -> None:
    end, pause = time.monotonic() + SECONDS, 0.002
    while True:
        # In this order: what it wrote just before it ended counts as well.
        ended, late = process.poll() is not None, time.monotonic() > end
        fat = sum(map(_size, watched)) > MAX_BYTES
        if fat or (late and not ended):
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            limit = f"{MAX_BYTES} bytes" if fat else f"{SECONDS:.0f} seconds"
            raise ConnectionError(f"git {what} was ended: it took more than {limit}.")
        if ended:
            return
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def _size(place: Path) -> int:
    """Measure a file or folder that may change while it is measured."""
    files = [place]
    if place.is_dir():
        files = [Path(folder) / name for folder, _, names in os.walk(place) for name in names]
    total = 0
    for file in files:
        try:
            total += file.lstat().st_size
        except FileNotFoundError:
            continue
    return total


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
