"""Read parts of an archive (.zip, .tar.gz) in place: nothing is unpacked to disk, and all that is read is bounded.

An entry that climbs out of the archive, is absolute or a link is no work of a network: the archive is refused.
"""

import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

# Bytes that are unpacked of one archive, all its parts together; real exports of many years stay below.
MAX_BYTES = 200_000_000
MAX_ENTRIES = 500_000
# Texts shrink to a tenth, in the extreme to a fortieth; what shrinks more is made to grow.
MAX_RATIO = 200
# Archives inside the archive, and inside those.
MAX_NESTING = 1
_STEP = 1_000_000
_INNER = ("*.zip", "*.tar.gz", "*.tgz")
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError),
    # A zip that needs a password, or a way of packing that nobody knows here.
    *(RuntimeError, NotImplementedError),
    # Headers that say nonsense.
    *(struct.error, UnicodeDecodeError, OverflowError),
)


class ArchiveRefused(ValueError):
    """Raised for an archive that is broken or made to do harm; the message says what is wrong with it."""


@dataclass
class _Room:
    """What may still be unpacked."""

    left: int = field(default_factory=lambda: MAX_BYTES)

    def take(self, count: int, name: str) -> None:
        self.left -= count
        if self.left < 0:
            raise ArchiveRefused(
                f"{name} and what comes before it unpack to more than {MAX_BYTES} bytes"
            )


def read_parts(place: Path | bytes, names: Sequence[str]) -> list[tuple[str, bytes]] | None:
    """Return the parts of an archive whose path ends like one of `names`, sorted; None for what is no archive.

    Raises ArchiveRefused. Archives inside are looked into where there is nothing outside of them.
    """
    try:
        with _open(place) as file:
            return _read(file, names, _Room(), 0)
    except _BROKEN as error:
        raise ArchiveRefused(str(error)) from None


def fits(path: str, names: Sequence[str]) -> bool:
    """Tell whether a path ends like one of some names, which may have wildcards."""
    whole = "/" + path.lower()
    return any(fnmatch(whole, f"*/{name.lower()}") for name in names)


def _open(place: Path | bytes) -> IO[bytes]:
    return io.BytesIO(place) if isinstance(place, bytes) else place.open("rb")


def _read(
    file: IO[bytes], names: Sequence[str], room: _Room, depth: int
) -> list[tuple[str, bytes]] | None:
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"PK":
        reader = _zipped
    elif start[:2] == b"\x1f\x8b":
        reader = _tarred
    else:
        return None
    found = sorted(reader(file, names, room))
    inner = [] if found else sorted(reader(file, _INNER, room))
    if inner and depth == MAX_NESTING:
        raise ArchiveRefused(f"{inner[0][0]} is nested more than {MAX_NESTING} deep")
    for _, body in inner:
        found += _read(io.BytesIO(body), names, room, depth + 1) or []
    return found


def _zipped(file: IO[bytes], names: Sequence[str], room: _Room) -> Iterator[tuple[str, bytes]]:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        for count, entry in enumerate(entries, 1):
            _check(entry.filename, stat.S_ISLNK(entry.external_attr >> 16), count)
        for entry in entries:
            if not entry.is_dir() and fits(entry.filename, names):
                most = MAX_RATIO * max(entry.compress_size, _STEP // MAX_RATIO)
                with archive.open(entry) as part:
                    yield entry.filename, _unpack(part, entry.filename, most, room)


def _tarred(file: IO[bytes], names: Sequence[str], room: _Room) -> Iterator[tuple[str, bytes]]:
    most = MAX_RATIO * max(file.seek(0, io.SEEK_END), _STEP // MAX_RATIO)
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r|gz") as archive:
        for count, entry in enumerate(archive, 1):
            _check(entry.name, not (entry.isfile() or entry.isdir()), count)
            # What is skipped is unpacked too, on the way to the next entry.
            if (most := most - entry.size) < 0:
                raise ArchiveRefused(f"{entry.name} unpacks to more than {MAX_RATIO} times itself")
            if entry.isfile() and fits(entry.name, names) and (part := archive.extractfile(entry)):
                yield entry.name, _unpack(part, entry.name, entry.size, room)


def _check(name: str, link: bool, count: int) -> None:
    """Refuse an entry that no honest archive has."""
    if count > MAX_ENTRIES:
        raise ArchiveRefused(f"it has more than {MAX_ENTRIES} entries")
    if link:
        raise ArchiveRefused(f"its entry {name!r} is a link")
    if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
        raise ArchiveRefused(f"its entry {name!r} leads out of it")


def _unpack(part: IO[bytes], name: str, most: int, room: _Room) -> bytes:
    """Read one entry while it stays within the room and within what an honest ratio allows."""
    body = bytearray()
    while step := part.read(_STEP):
        room.take(len(step), name)
        body += step
        if len(body) > most:
            raise ArchiveRefused(f"{name} unpacks to more than {MAX_RATIO} times itself")
    return bytes(body)
